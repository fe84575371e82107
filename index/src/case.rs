//! What goes into an index: cases, and the changes that one block of the ledger makes.

use semblance_core::id::CaseHandle;
use semblance_core::limits::FINGERPRINT_MAX;
use semblance_core::time::Timestamp;
use semblance_core::token::Token;

use crate::position::Position;

/// Why something is no case for the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexedCaseError {
    /// No token, or more than any fingerprint has.
    #[error("a case has 1 to {FINGERPRINT_MAX} tokens, this one has {0}")]
    Length(usize),
    /// Tokens out of order or repeated.
    #[error("a case's tokens must ascend without repetition")]
    Order,
}

/// A published case as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedCase {
    ordinal: u32,
    handle: CaseHandle,
    hospital: u16,
    expires: Timestamp,
    tokens: Box<[Token]>,
}

impl IndexedCase {
    /// Checks a case. `ordinal` is its place in the order of publication, `hospital` the number that the caller gave
    /// to its owner, `expires` the first moment at which it is no longer live.
    ///
    /// # Errors
    /// No tokens or too many, or tokens that do not ascend.
    pub fn new(
        ordinal: u32,
        handle: CaseHandle,
        hospital: u16,
        expires: Timestamp,
        tokens: &[Token],
    ) -> Result<Self, IndexedCaseError> {
        if tokens.is_empty() || tokens.len() > FINGERPRINT_MAX {
            return Err(IndexedCaseError::Length(tokens.len()));
        }
        if !tokens.is_sorted_by(|one, next| one < next) {
            return Err(IndexedCaseError::Order);
        }
        Ok(Self { ordinal, handle, hospital, expires, tokens: tokens.into() })
    }

    /// Its place in the order of publication.
    #[must_use]
    pub const fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// Its public name.
    #[must_use]
    pub const fn handle(&self) -> CaseHandle {
        self.handle
    }

    /// The number of its hospital.
    #[must_use]
    pub const fn hospital(&self) -> u16 {
        self.hospital
    }

    /// The first moment at which it is no longer live.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Its fingerprint's tokens, ascending.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// How many tokens it has.
    #[must_use]
    pub fn length(&self) -> u8 {
        // At most 40 by construction.
        self.tokens.len() as u8
    }
}

/// One thing that happens to the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A case is published.
    Add(IndexedCase),
    /// A case is withdrawn; a handle that is not in the index is passed over.
    Withdraw(CaseHandle),
}

/// All changes of one block of the ledger. They show together or not at all; cases that have expired at the block's
/// time go with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The block.
    pub position: Position,
    /// What happens in it, in the ledger's order.
    pub changes: Vec<Change>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ascending_fingerprints_are_cases() {
        let case = |tokens: &[u64]| {
            let tokens: Vec<Token> = tokens.iter().map(|&token| Token(token)).collect();
            IndexedCase::new(0, CaseHandle::from_bytes([1; 16]), 0, Timestamp::from_millis(1), &tokens).map(|_| ())
        };
        assert_eq!(case(&[1, 2, 9]), Ok(()));
        assert_eq!(case(&[]), Err(IndexedCaseError::Length(0)));
        assert_eq!(case(&[0; 41]), Err(IndexedCaseError::Length(41)));
        assert_eq!(case(&[1, 1]), Err(IndexedCaseError::Order));
        assert_eq!(case(&[2, 1]), Err(IndexedCaseError::Order));
    }
}
