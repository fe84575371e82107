//! Matchers as a hospital sees them.

mod remote;

use async_trait::async_trait;
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::signature::SignedBytes;

pub use remote::RemoteMatcher;

/// What goes to a matcher.
#[derive(Clone)]
pub struct Search {
    /// The exact signed request.
    pub request: SignedBytes,
    /// The query, in its own layout.
    pub query: Vec<u8>,
    /// The salt of the commitment to it in the request.
    pub salt: [u8; 32],
}

/// What comes back. Nothing in it is checked.
#[derive(Clone)]
pub struct Found {
    /// The answer, in its own layout.
    pub answer: Vec<u8>,
    /// The transaction said to hold the entry.
    pub transaction: TransactionId,
    /// The block said to hold it.
    pub block: u64,
}

/// Why a matcher did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// It cannot be reached, or its ledger cannot. The same request may be sent again.
    #[error("the matcher cannot be reached: {0}")]
    Unavailable(String),
    /// It refused; there is no entry.
    #[error("the matcher refused: {code}: {message}")]
    Refused {
        /// A stable word.
        code: String,
        /// What and what to do.
        message: String,
    },
    /// Its answer is malformed.
    #[error("the matcher's answer is malformed: {0}")]
    Malformed(String),
}

impl MatcherError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Unavailable(_) => "matcher-unavailable",
            Self::Refused { code, .. } => code,
            Self::Malformed(_) => "matcher-malformed",
        }
    }
}

/// One matcher. The program connects it over mutual TLS; tests put one in place.
#[async_trait]
pub trait MatcherPort: Send + Sync {
    /// Whose matcher it is.
    fn organisation(&self) -> &OrganisationId;

    /// Searches; returns only when the entry is said to stand on the ledger. The same request again gets the stored
    /// answer.
    ///
    /// # Errors
    /// See [`MatcherError`].
    async fn search(&self, search: Search) -> Result<Found, MatcherError>;
}
