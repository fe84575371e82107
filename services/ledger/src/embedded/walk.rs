//! The walk over all blocks, from the first one on.

use rusqlite::Connection;
use semblance_contract::Contract;
use semblance_core::id::{Digest, NetworkId};
use semblance_core::time::Timestamp;

use super::block::{BlockData, Header, RecordedTransaction};
use super::chain::{self, StoredBlock};
use super::effects::Version;
use super::reexecute::Repetition;
use super::replay::Replay;
use super::store::StoreError;
use super::verify::{Finding, Progress, Report};
use super::view::Tables;
use super::{reexecute, tables};
use crate::Validation;

/// Findings after which the walk ends: the rest would follow from these.
pub(crate) const FINDINGS_MAX: usize = 100;
/// Blocks read at once.
const READ_AT_ONCE: u32 = 64;

/// Walks over everything. Blocks do not change, so that they are read a few at a time, which holds up neither the
/// writer's journal nor the removal of what is purged meanwhile; only the end, the newest blocks and the tables, is seen
/// on one snapshot.
pub(super) fn walk(file: &Connection, contract: &dyn Contract, progress: &mut dyn FnMut(Progress)) -> Report {
    let mut report = Report::default();
    let outcome = Replay::new().map_err(unreadable).and_then(|replay| {
        let mut walk = Walk { file, contract, report: &mut report, replay, previous: None };
        walk.blocks(progress)?;
        file.execute_batch("BEGIN").map_err(|error| unreadable(error.into()))?;
        walk.blocks(progress)?;
        // What the tables hold is compared only with a history that is itself sound.
        if walk.report.is_sound() {
            for what in tables::compare(file, walk.replay.tables(), FINDINGS_MAX) {
                walk.found(None, None, what);
            }
        }
        walk.report.keys = walk.replay.keys_of_members();
        Ok(())
    });
    if let Err(what) = outcome {
        report.findings.push(Finding { block: None, transaction: None, what });
    }
    report
}

fn unreadable(error: StoreError) -> String {
    format!("the file cannot be read: {error}")
}

struct Walk<'a> {
    file: &'a Connection,
    contract: &'a dyn Contract,
    report: &'a mut Report,
    replay: Replay,
    previous: Option<(Digest, Timestamp)>,
}

impl Walk<'_> {
    fn found(&mut self, block: Option<u64>, transaction: Option<u32>, what: impl Into<String>) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(Finding { block, transaction, what: what.into() });
        }
    }

    /// Goes on to the newest block, or to the first that is not sound: everything after it would be blamed on others.
    fn blocks(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), String> {
        let network = chain::network(self.file).map_err(unreadable)?;
        self.report.network = network;
        while self.report.is_sound() {
            let stored = chain::blocks(self.file, self.report.blocks, READ_AT_ONCE).map_err(unreadable)?;
            if stored.is_empty() {
                break;
            }
            let network = network.ok_or("there are blocks, but the network's id is missing")?;
            for block in &stored {
                if block.number != self.report.blocks {
                    self.found(Some(self.report.blocks), None, "the block is missing");
                    return Ok(());
                }
                self.block(block, network);
                self.report.blocks += 1;
                if !self.report.is_sound() {
                    return Ok(());
                }
            }
            progress(Progress { blocks: self.report.blocks, of: chain::height(self.file).map_err(unreadable)? });
        }
        Ok(())
    }

    fn block(&mut self, stored: &StoredBlock, network: NetworkId) {
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
                if let Err(what) = self.transaction(version, bytes, &header) {
                    // What follows was made on a state that is not there.
                    return self.found(number, Some(position), what);
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

    fn transaction(&mut self, version: Version, bytes: &[u8], header: &Header) -> Result<(), String> {
        let recorded = RecordedTransaction::decode(bytes).map_err(|error| error.to_string())?;
        self.report.transactions += 1;
        let (id, executed) = (recorded.id(), &recorded.executed);
        let validation = self.replay.judge(id, executed)?;
        if validation != recorded.validation {
            return Err(format!("recorded as {:?}, but it is {validation:?}", recorded.validation));
        }
        let proposal = reexecute::proposal(&self.replay, version, &recorded, header.network)?;
        reexecute::envelope(proposal.proposal(), &executed.endorsers, header.timestamp)?;
        if validation == Validation::Valid {
            reexecute::founders(version, executed)?;
            let call = (id, &**proposal.proposal());
            let repetition = Repetition { call, executed, reads: true };
            self.replay.repeat(version, &repetition, self.contract, Tables(self.file))?;
        }
        self.replay.note(id, version, validation)
    }
}
