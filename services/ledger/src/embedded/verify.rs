//! Verifies a ledger's whole file and believes nothing in it: numbers, hash chain, signatures, what the contract did,
//! validation codes, and whether the tables hold what the blocks say.
//!
//! It finds every change of single bits or rows, and whatever the contract would not have done. Whoever runs the ledger
//! can rewrite it whole, from genesis on, with the members' keys that it has, and no check of the file alone finds
//! that: for it [`check_head`] compares with a signed head that was kept elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use semblance_contract::{Contract, SemblanceContract};
use semblance_core::audit::head::AuditHead;
use semblance_core::id::{Digest, NetworkId, OrganisationId, TransactionId};
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;

use super::chain::Head;
use super::store::{self, OpenError};
use super::walk::walk;

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The network; none before genesis.
    pub network: Option<NetworkId>,
    /// Blocks walked.
    pub blocks: u64,
    /// Transactions walked, valid or not.
    pub transactions: u64,
    /// The hash of each block, computed anew, in order.
    pub hashes: Vec<Digest>,
    /// The signing keys that each member has had, in no order.
    pub keys: BTreeMap<OrganisationId, Vec<VerifyingKey>>,
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

/// How far a verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Blocks verified.
    pub blocks: u64,
    /// Blocks there are.
    pub of: u64,
}

/// Verifies the file of a ledger that runs the contract of Semblance, which another process may be writing at the same
/// time.
///
/// # Errors
/// The file cannot be opened. What is wrong inside is a finding.
pub fn verify_file(path: &Path) -> Result<Report, OpenError> {
    verify_file_of(&SemblanceContract, path, &mut |_| ())
}

/// Verifies the file of a ledger that runs this contract; every few blocks `progress` is told how far it is.
///
/// # Errors
/// As [`verify_file`].
pub fn verify_file_of(
    contract: &dyn Contract,
    path: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, OpenError> {
    Ok(walk(&store::open_reader(path)?, contract, progress))
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
