//! Seeds of terms, through one interface.
//!
//! Today a hospital computes them itself with HMAC-SHA256 under an epoch key that the epoch's opener sealed to it on
//! the ledger. A threshold OPRF among the hospitals takes its place later, behind the same trait.
//!
//! What it must never know: cases, patients, the ledger. It sees terms one list at a time and never logs them.

mod epoch_key;
mod local;
mod sealing;

use async_trait::async_trait;
use semblance_core::term::TermId;
use semblance_core::token::{EpochNumber, Seed};

pub use epoch_key::EpochKey;
pub use local::EpochKeySeeds;
pub use sealing::{EpochKeyError, SealingKeys};

/// Why there are no seeds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// This party holds no key of the epoch.
    #[error("no key for epoch {0}: is the hospital a member of that epoch, and is the epoch still open?")]
    NoKey(EpochNumber),
    /// The budget of evaluations is used up.
    #[error("the budget of {limit} term evaluations in this epoch is used up")]
    Budget {
        /// How many are allowed.
        limit: u64,
    },
    /// The key servers cannot be reached.
    #[error("the key servers cannot be reached: {0}")]
    Unavailable(String),
}

/// Turns terms into seeds. Asynchronous, fallible and counted, because later it asks other hospitals.
#[async_trait]
pub trait TermSeeds: Send + Sync {
    /// The seeds of these terms, in the same order.
    ///
    /// # Errors
    /// No key, no budget, or no answer; then there is none of the seeds.
    async fn seeds(&self, epoch: EpochNumber, terms: &[TermId]) -> Result<Vec<Seed>, SeedError>;

    /// How many evaluations were made in this epoch.
    fn evaluations(&self, epoch: EpochNumber) -> u64;
}
