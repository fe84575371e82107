//! Walks a ledger's whole file and believes nothing in it: numbers, hash chain, signatures, validation codes, and
//! whether the tables hold what the blocks say.
//!
//! It finds every change of single bits or rows. Whoever runs the ledger can rewrite it whole, from genesis on, and no
//! check of the file alone finds that: for it [`check_head`] compares with a signed head that was kept elsewhere.

use std::fmt;
use std::path::Path;

use rusqlite::Connection;
use semblance_core::audit::head::AuditHead;
use semblance_core::id::{Digest, NetworkId, TransactionId};
use semblance_core::proposal::UnverifiedProposal;
use semblance_core::time::Timestamp;

use super::block::{BlockData, Header, RecordedTransaction};
use super::chain::{self, Head, StoredBlock};
use super::effects::Version;
use super::member;
use super::policy::OrdinaryRule;
use super::replay::Replay;
use super::store::{self, OpenError};
use super::tables;
use super::validate::{Candidate, validate};

/// Findings after which the walk ends: the rest would follow from these.
const FINDINGS_MAX: usize = 100;
/// Blocks read at once.
const READ_AT_ONCE: u32 = 64;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The block, where it is in one.
    pub block: Option<u64>,
    /// The transaction's place in the block, where it is in one.
    pub transaction: Option<u32>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(block) = self.block {
            write!(formatter, "block {block}, ")?;
        }
        if let Some(transaction) = self.transaction {
            write!(formatter, "transaction {transaction}: ")?;
        }
        formatter.write_str(&self.what)
    }
}

/// What a walk over the file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The network; none before genesis.
    pub network: Option<NetworkId>,
    /// Blocks walked.
    pub blocks: u64,
    /// Transactions walked, valid or not.
    pub transactions: u64,
    /// The hash of each block, computed anew, in order.
    pub hashes: Vec<Digest>,
    /// What is wrong; the ledger is sound if there is nothing.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Verifies a ledger's file, which another process may be writing at the same time.
///
/// # Errors
/// The file cannot be opened. What is wrong inside is a finding.
pub fn verify_file(path: &Path) -> Result<Report, OpenError> {
    let connection = store::open_reader(path)?;
    connection.execute_batch("BEGIN")?;
    Ok(verify(&connection))
}

/// Compares a history that was verified with a head that was signed earlier and kept elsewhere. The signature of the
/// head is the caller's to verify.
///
/// # Errors
/// The history is not one that this head belongs to.
pub fn check_head(report: &Report, head: &AuditHead) -> Result<(), Finding> {
    let finding = |what: String| Finding { block: Some(head.height), transaction: None, what };
    if report.network != Some(head.network) {
        return Err(finding(format!("the kept head is of network {}, this ledger is of another", head.network)));
    }
    let place = usize::try_from(head.height).unwrap_or(usize::MAX);
    match report.hashes.get(place) {
        Some(hash) if *hash == head.block => Ok(()),
        Some(hash) => Err(finding(format!(
            "the history was rewritten: the block's hash is {hash}, the kept head says {}",
            head.block
        ))),
        None => Err(finding(format!(
            "the history was rewritten: it ends after {} blocks, before the kept head",
            report.blocks
        ))),
    }
}

/// Walks everything on one snapshot.
pub(super) fn verify(connection: &Connection) -> Report {
    let mut walk = Walk {
        report: Report { network: None, blocks: 0, transactions: 0, hashes: Vec::new(), findings: Vec::new() },
        replay: Replay::default(),
        previous: None,
    };
    match walk.blocks(connection) {
        Ok(()) if walk.report.findings.is_empty() => {
            for what in tables::compare(connection, &walk.replay, FINDINGS_MAX) {
                walk.found(None, None, what);
            }
        }
        // What the tables hold is compared only with a history that is itself sound.
        Ok(()) => {}
        Err(what) => walk.found(None, None, what),
    }
    walk.report
}

struct Walk {
    report: Report,
    replay: Replay,
    previous: Option<(Digest, Timestamp)>,
}

impl Walk {
    fn found(&mut self, block: Option<u64>, transaction: Option<u32>, what: impl Into<String>) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(Finding { block, transaction, what: what.into() });
        }
    }

    fn blocks(&mut self, connection: &Connection) -> Result<(), String> {
        let text = |error: store::StoreError| format!("the file cannot be read: {error}");
        let network = chain::network(connection).map_err(text)?;
        let rule = chain::rule(connection).map_err(text)?.ok_or("the ledger's ordinary rule is missing")?;
        self.report.network = network;
        loop {
            let stored = chain::blocks(connection, self.report.blocks, READ_AT_ONCE).map_err(text)?;
            if stored.is_empty() {
                return Ok(());
            }
            let network = network.ok_or("there are blocks, but the network's id is missing")?;
            for block in &stored {
                if block.number != self.report.blocks {
                    self.found(Some(self.report.blocks), None, "the block is missing");
                    return Ok(());
                }
                let before = self.report.findings.len();
                self.block(block, network, rule);
                self.report.blocks += 1;
                if self.report.findings.len() > before {
                    // Everything after a damaged block would be blamed on the block's successors.
                    return Ok(());
                }
            }
        }
    }

    fn block(&mut self, stored: &StoredBlock, network: NetworkId, rule: OrdinaryRule) {
        let number = Some(stored.number);
        let header = match Header::decode(&stored.header, network) {
            Ok(header) => header,
            Err(error) => return self.found(number, None, format!("header: {error}")),
        };
        let hash = Digest::of(&stored.header);
        if stored.hash != hash.as_bytes() {
            self.found(number, None, "the header does not have the hash that is stored with it");
        }
        if header.number != stored.number {
            self.found(number, None, format!("the header says it is block {}", header.number));
        }
        let (previous, earlier) = self.previous.unwrap_or((Digest::from_bytes([0; 32]), Timestamp::default()));
        if header.previous != previous {
            self.found(number, None, "the hash of the previous block is another one: the chain is broken");
        }
        if header.timestamp < earlier {
            self.found(number, None, "its time is before that of the previous block");
        }
        let data = match BlockData::decode(&stored.data) {
            Ok(data) => data,
            Err(error) => return self.found(number, None, format!("data: {error}")),
        };
        let untouched = self.digests(stored.number, &header, &data);
        self.previous = Some((hash, header.timestamp));
        self.report.hashes.push(hash);
        if untouched {
            for (position, bytes) in (0_u32..).zip(&data.transactions) {
                let version = Version { block: stored.number, position };
                if let Err(what) = self.transaction(version, bytes, network, rule) {
                    self.found(number, Some(position), what);
                }
            }
        }
    }

    /// Finds the transactions whose bytes were changed.
    fn digests(&mut self, number: u64, header: &Header, data: &BlockData) -> bool {
        let before = self.report.findings.len();
        for (position, (bytes, digest)) in (0_u32..).zip(data.transactions.iter().zip(&data.digests)) {
            if Digest::of(bytes) != *digest {
                self.found(Some(number), Some(position), "its bytes are not those that were recorded");
            }
        }
        if data.hash() != header.data {
            self.found(Some(number), None, "the list of its transactions is not the one in its header");
        }
        self.report.findings.len() == before
    }

    fn transaction(
        &mut self,
        version: Version,
        bytes: &[u8],
        network: NetworkId,
        rule: OrdinaryRule,
    ) -> Result<(), String> {
        let transaction = RecordedTransaction::decode(bytes).map_err(|error| error.to_string())?;
        self.report.transactions += 1;
        let id = transaction.id();
        let candidate =
            Candidate { id, endorsers: &transaction.endorsers, reads: &transaction.reads, writes: &transaction.writes };
        let validation = validate(&candidate, rule, &self.replay).map_err(|error| error.to_string())?;
        if validation != transaction.validation {
            return Err(format!("recorded as {:?}, but it is {validation:?}", transaction.validation));
        }
        self.replay.transactions.entry(id).or_insert(version);
        if validation == crate::Validation::Valid {
            self.replay.apply(version, &transaction.writes).map_err(|error| error.to_string())?;
        }
        self.signature(version, &transaction, network)
    }

    /// Verifies the proposal with the key that its organisation had when it was endorsed.
    fn signature(&self, version: Version, transaction: &RecordedTransaction, network: NetworkId) -> Result<(), String> {
        let unverified = UnverifiedProposal::decode(transaction.proposal.clone(), transaction.signature, network)
            .map_err(|error| format!("proposal: {error}"))?;
        let proposal = unverified.claims();
        let named = &proposal.endorsers;
        if !named.is_empty() && *named != transaction.endorsers {
            return Err("it was endorsed by others than its proposal names".into());
        }
        let organisation = &proposal.organisation;
        let read = transaction.reads.public.get(&member::key(organisation)).copied().flatten();
        // Only genesis makes the member that submits it.
        let genesis = version == Version { block: 0, position: 0 };
        let key = read.or(genesis.then_some(version)).and_then(|version| self.replay.key_at(organisation, version));
        let key = key.ok_or_else(|| format!("{organisation} had no key when it was submitted"))?;
        unverified.verify(&key).map_err(|error| format!("proposal: {error}"))?;
        Ok(())
    }
}

/// Says what a head to keep elsewhere must carry.
#[must_use]
pub fn audit_head(head: &Head, organisation: semblance_core::id::OrganisationId, time: Timestamp) -> AuditHead {
    AuditHead { network: head.network, organisation, height: head.height.saturating_sub(1), block: head.hash, time }
}

/// How a finding names a transaction.
pub(super) fn name(id: &[u8]) -> String {
    <[u8; 32]>::try_from(id)
        .map_or_else(|_| "of no valid id".to_owned(), |id| TransactionId::from_bytes(id).to_string())
}
