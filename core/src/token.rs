//! Seeds and tokens: what becomes of a term before it leaves the hospital.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::Digest;
use crate::term::TermId;

/// The number of a key period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochNumber(pub u32);

impl fmt::Display for EpochNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// The secret of one term in one epoch: 32 bytes, the output of a keyed function that only hospitals can compute.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes the keyed function's output.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What is published for the term: the first 8 bytes, big-endian, of
    /// BLAKE3 keyed with the seed over `semblance/token/v1`.
    #[must_use]
    pub fn token(&self) -> Token {
        let hash = blake3::keyed_hash(&self.0, b"semblance/token/v1");
        let mut first = [0; 8];
        first.copy_from_slice(hash.as_bytes().first_chunk::<8>().unwrap_or(&[0; 8]));
        Token(u64::from_be_bytes(first))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seed(..)")
    }
}

/// Seeds were obtained for other terms than those planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{expected} seeds are needed, one for each planned term, but {found} were given")]
pub struct SeedCount {
    /// How many terms were planned.
    pub expected: usize,
    /// How many seeds there are.
    pub found: usize,
}

impl SeedCount {
    /// Checks that there is one seed for each planned term.
    pub(crate) fn check(expected: usize, seeds: &[Seed]) -> Result<(), Self> {
        if seeds.len() == expected { Ok(()) } else { Err(Self { expected, found: seeds.len() }) }
    }
}

/// Eight bytes that stand for a term in one epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Query tokens are never logged; debug output does not show them.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// The input of the keyed function for one term: `semblance/term/v1`, the epoch as four bytes big-endian, and the
/// HPO id as its ten ASCII characters.
#[must_use]
pub fn seed_input(epoch: EpochNumber, term: TermId) -> Vec<u8> {
    let mut input = b"semblance/term/v1".to_vec();
    input.extend_from_slice(&epoch.0.to_be_bytes());
    input.extend_from_slice(term.to_string().as_bytes());
    input
}

/// Confirms that two parties hold one epoch key without telling it: BLAKE3 keyed with the epoch key over
/// `semblance/key-check/v1` and the epoch.
#[must_use]
pub fn key_check(epoch_key: &[u8; 32], epoch: EpochNumber) -> Digest {
    let mut input = b"semblance/key-check/v1".to_vec();
    input.extend_from_slice(&epoch.0.to_be_bytes());
    Digest::from_bytes(*blake3::keyed_hash(epoch_key, &input).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_input_is_fixed() {
        let input = seed_input(EpochNumber(1), TermId::PHENOTYPIC_ABNORMALITY);
        assert_eq!(input, b"semblance/term/v1\x00\x00\x00\x01HP:0000118");
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?} {:?}", Seed::from_bytes([9; 32]), Token(9)), "Seed(..) Token(..)");
    }
}
