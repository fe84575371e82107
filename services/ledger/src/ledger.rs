//! The trait every ledger satisfies, designed from the hardest one: Hyperledger Fabric.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::stream::BoxStream;
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::time::Timestamp;

/// A call of the contract, before it is signed.
#[derive(Clone, Default)]
pub struct Call {
    /// The contract's function.
    pub function: String,
    /// Its arguments, visible to every member.
    pub arguments: Vec<Vec<u8>>,
    /// Private input that no block will hold.
    pub transient: BTreeMap<String, Vec<u8>>,
    /// The organisations whose peers shall endorse. Where none is named the ledger chooses the submitter's and as many
    /// others as its ordinary rule wants, of those that answer. With transient data they must be named, which keeps the
    /// data from all others.
    pub endorsers: Vec<OrganisationId>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Call")
            .field("function", &self.function)
            .field("endorsers", &self.endorsers)
            .finish_non_exhaustive()
    }
}

/// A transaction that is valid and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub transaction: TransactionId,
    /// The block that holds it.
    pub block: u64,
    /// What the contract returned.
    pub response: Vec<u8>,
}

/// Why a transaction in a block took effect or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validation {
    /// It took effect.
    Valid,
    /// Something it read had changed: try again with a new id.
    MvccConflict,
    /// A range it read had changed: try again with a new id.
    PhantomConflict,
    /// The organisations that endorsed it do not satisfy the rules, or no longer do: whoever was faster may have left a
    /// key with a policy of its own.
    EndorsementPolicyFailure,
    /// A transaction with this id was there before.
    DuplicateTransaction,
}

impl Validation {
    /// Whether another transaction may just have been faster, so that it is worth trying again under a new id. The
    /// endorsers are looked at before the versions: whoever wrote a slot or a tombstone, which guards itself, leaves it
    /// with a policy that the slower one's endorsers do not satisfy.
    #[must_use]
    pub const fn lost_race(self) -> bool {
        matches!(self, Self::MvccConflict | Self::PhantomConflict | Self::EndorsementPolicyFailure)
    }
}

/// One transaction of a block, as followers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionOutcome {
    /// Its id.
    pub transaction: TransactionId,
    /// Whether it took effect; the event of one that did not must be ignored.
    pub validation: Validation,
    /// Its event, name and payload.
    pub event: Option<(String, Vec<u8>)>,
}

/// One block, as followers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockEvents {
    /// The block's number, from 0.
    pub number: u64,
    /// Its time: never before that of an earlier block.
    pub timestamp: Timestamp,
    /// Its transactions, in order.
    pub transactions: Vec<TransactionOutcome>,
}

/// Blocks in order, without gaps; never ends by itself except with an error.
pub type EventStream = BoxStream<'static, Result<BlockEvents, LedgerError>>;

/// Why a ledger did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be reached or is stopping; nothing was written. Try again.
    #[error("the ledger cannot be reached: {0}")]
    Unavailable(String),
    /// It was submitted and the answer was lost: look whether it is there before trying again.
    #[error("the outcome of transaction {transaction} is unknown: {reason}")]
    OutcomeUnknown {
        /// The transaction.
        transaction: TransactionId,
        /// What happened.
        reason: String,
    },
    /// The contract refused: a stable code and a text.
    #[error("{code}: {message}")]
    Refused {
        /// A stable word for programs, as the contract documents them.
        code: String,
        /// What, where and what to do, for people.
        message: String,
    },
    /// The transaction was ordered and found invalid.
    #[error("transaction {transaction} was not valid: {validation:?}")]
    Invalid {
        /// The transaction.
        transaction: TransactionId,
        /// Why.
        validation: Validation,
    },
    /// The proposal's time is too far from the endorser's clock.
    #[error(
        "the proposal's time is {off_by_millis} ms off the ledger's clock, {allowed_millis} ms are allowed: set this machine's clock"
    )]
    Skew {
        /// How far.
        off_by_millis: u64,
        /// How far it may be.
        allowed_millis: u64,
    },
    /// The caller is not who it says, or no member.
    #[error("the caller is not accepted: {0}")]
    Identity(String),
    /// The proposal is too large.
    #[error("the proposal has {bytes} bytes, {limit} are allowed")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The answer of the ledger is malformed.
    #[error("the ledger's answer is malformed: {0}")]
    Malformed(String),
    /// The ledger's own storage failed; nothing was acknowledged.
    #[error("the ledger's storage failed: {0}")]
    Storage(String),
}

/// A ledger as one identity sees it: an organisation's node holds a handle bound to its own key and certificate.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The organisation this handle acts for.
    fn organisation(&self) -> &OrganisationId;

    /// Proposes, endorses, orders and commits. Returns only when the transaction is valid and durable.
    ///
    /// # Errors
    /// See [`LedgerError`]. `Invalid` with a conflict may be tried again; a new id is drawn for each try.
    async fn submit(&self, call: Call) -> Result<Committed, LedgerError>;

    /// Runs a query against committed state; nothing is recorded. It sees everything that this handle acknowledged; what
    /// another organisation's handle did it may see a moment later.
    ///
    /// # Errors
    /// See [`LedgerError`].
    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError>;

    /// How many blocks there are: everything acknowledged before the call lies in them.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    async fn height(&self) -> Result<u64, LedgerError>;

    /// Follows the blocks from this number on, old ones first, then each new one as it commits.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError>;
}
