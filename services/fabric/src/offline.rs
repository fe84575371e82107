//! What was signed elsewhere, taken up again: the three steps of a submission may run in three processes, and none of
//! them but the signer's holds the key.
//!
//! Requests for events and for blocks are taken with their signatures where they are made: see
//! [`crate::Network::chaincode_events_signed`] and [`crate::Network::blocks_signed`].

use crate::commit::Commit;
use crate::gateway::Gateway;
use crate::proposal::Proposal;
use crate::proto::common::Envelope;
use crate::transaction::Transaction;

/// The bytes are not what they are said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no {what}: {part} cannot be read")]
pub struct OfflineError {
    /// What they should be.
    pub what: &'static str,
    /// What of it cannot be read.
    pub part: &'static str,
}

impl Gateway {
    /// Takes up the bytes of a [`Proposal`] with their signature. Name its endorsing organisations anew, if there were
    /// any: they are not part of the bytes.
    ///
    /// # Errors
    /// They are no proposal.
    pub fn signed_proposal(&self, bytes: Vec<u8>, signature: Vec<u8>) -> Result<Proposal, OfflineError> {
        Proposal::resume(self, bytes, signature).map_err(|part| OfflineError { what: "proposal", part })
    }

    /// Takes up the bytes of a [`Transaction`] with their signature.
    ///
    /// # Errors
    /// They are no transaction.
    pub fn signed_transaction(&self, bytes: Vec<u8>, signature: Vec<u8>) -> Result<Transaction, OfflineError> {
        let envelope = Envelope { payload: bytes, signature };
        Transaction::resume(self, envelope).map_err(|part| OfflineError { what: "transaction", part })
    }

    /// Takes up the bytes of a [`Commit`] with their signature.
    ///
    /// # Errors
    /// They do not ask what became of a transaction.
    pub fn signed_commit(&self, bytes: Vec<u8>, signature: Vec<u8>) -> Result<Commit, OfflineError> {
        Commit::resume(self, bytes, signature).map_err(|part| OfflineError { what: "commit status request", part })
    }
}
