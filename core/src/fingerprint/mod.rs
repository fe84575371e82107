//! What is published of a case: a sorted, padded set of tokens, and the private value that carries it.

mod plan;

use sha2::{Digest as _, Sha256};

pub use plan::{BuildError, FingerprintPlan};

use crate::encode::{DecodeError, Reader, Writer};
use crate::id::Digest;
use crate::limits::{FINGERPRINT_MAX, FINGERPRINT_STEP};
use crate::random::RandomSource;
use crate::token::Token;

/// Why tokens are no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// The number of tokens is not one that padding produces.
    #[error(
        "a fingerprint has a multiple of {FINGERPRINT_STEP} tokens, at most {FINGERPRINT_MAX}, this one has {found}"
    )]
    Size {
        /// How many there are.
        found: usize,
    },
    /// A token stands twice, or the tokens do not ascend.
    #[error("the tokens of a fingerprint ascend, without repetition")]
    Order,
}

/// The tokens of one case in one epoch, real ones and dummies, ascending: 8, 16, 24, 32 or 40 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    tokens: Vec<Token>,
}

impl Fingerprint {
    /// Sorts and checks tokens.
    ///
    /// # Errors
    /// Another number than padding produces, or a token twice.
    pub fn new(mut tokens: Vec<Token>) -> Result<Self, FingerprintError> {
        tokens.sort_unstable();
        Self::checked(tokens)
    }

    fn checked(tokens: Vec<Token>) -> Result<Self, FingerprintError> {
        let found = tokens.len();
        if found == 0 || found > FINGERPRINT_MAX || !found.is_multiple_of(FINGERPRINT_STEP) {
            return Err(FingerprintError::Size { found });
        }
        if !tokens.is_sorted_by(|one, next| one < next) {
            return Err(FingerprintError::Order);
        }
        Ok(Self { tokens })
    }

    /// The tokens, ascending.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Version 1, the number of tokens in one byte, and each token in eight, big-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1);
        writer.u8(u8::try_from(self.tokens.len()).unwrap_or(u8::MAX));
        for token in &self.tokens {
            writer.u64(token.0);
        }
        writer.finish()
    }

    /// Reads exactly what [`Fingerprint::encode`] writes.
    ///
    /// # Errors
    /// Anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "fingerprint", 1)?;
        let count = usize::from(reader.u8("number of tokens")?);
        if count > FINGERPRINT_MAX {
            return Err(DecodeError::TooLong { what: "fingerprint", length: count, limit: FINGERPRINT_MAX });
        }
        let tokens = (0..count).map(|_| reader.u64("token").map(Token)).collect::<Result<_, _>>()?;
        reader.finish()?;
        Self::checked(tokens).map_err(|error| DecodeError::Invalid {
            what: "fingerprint",
            why: match error {
                FingerprintError::Size { .. } => "the number of tokens is a multiple of 8, from 8 to 40",
                FingerprintError::Order => "the tokens ascend, without repetition",
            },
        })
    }
}

/// What lies in a hospital's private collection: a random salt and the fingerprint, purged together, so that the hash
/// left on the ledger confirms no guess. Debug output shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateValue {
    salt: [u8; 32],
    fingerprint: Fingerprint,
}

impl std::fmt::Debug for PrivateValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PrivateValue(..)")
    }
}

impl PrivateValue {
    /// The longest encoding, in bytes.
    pub const BYTES_MAX: usize = 32 + 2 + 8 * FINGERPRINT_MAX;

    /// Salts a fingerprint. The salt is drawn anew for each publication.
    #[must_use]
    pub fn new(fingerprint: Fingerprint, random: &dyn RandomSource) -> Self {
        Self::with_salt(fingerprint, random.array())
    }

    /// Takes a salt that was drawn before.
    #[must_use]
    pub const fn with_salt(fingerprint: Fingerprint, salt: [u8; 32]) -> Self {
        Self { salt, fingerprint }
    }

    /// The fingerprint.
    #[must_use]
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// 32 bytes of salt, then the fingerprint's encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.salt.to_vec();
        bytes.extend(self.fingerprint.encode());
        bytes
    }

    /// Reads exactly what [`PrivateValue::encode`] writes.
    ///
    /// # Errors
    /// Anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some((salt, rest)) = bytes.split_first_chunk::<32>() else {
            return Err(DecodeError::Truncated { what: "salt", offset: bytes.len(), missing: 32 - bytes.len() });
        };
        Ok(Self { salt: *salt, fingerprint: Fingerprint::decode(rest)? })
    }

    /// The SHA-256 of its encoding, which stands on the ledger (SHA-256 because Fabric hashes private data with it).
    #[must_use]
    pub fn sha256(&self) -> Digest {
        Digest::from_bytes(Sha256::digest(self.encode()).into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = PrivateValue> {
        let size = prop::sample::select(vec![8_usize, 16, 24, 32, 40]);
        (any::<[u8; 32]>(), size.prop_flat_map(|size| btree_set(any::<u64>(), size))).prop_map(|(salt, tokens)| {
            let tokens = tokens.into_iter().map(Token).collect();
            PrivateValue::with_salt(Fingerprint::new(tokens).unwrap(), salt)
        })
    }

    proptest! {
        #[test]
        fn a_private_value_reads_back(value in values()) {
            prop_assert_eq!(PrivateValue::decode(&value.encode()).unwrap(), value);
        }

        #[test]
        fn a_damaged_value_is_refused_or_canonical(value in values(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut bytes = value.encode();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(value) = PrivateValue::decode(&bytes) {
                prop_assert_eq!(value.encode(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(bytes in vec(any::<u8>(), 0..400)) {
            if let Ok(value) = Fingerprint::decode(&bytes) {
                prop_assert_eq!(value.encode(), bytes);
            }
        }
    }

    #[test]
    fn debug_output_shows_nothing() {
        let value = PrivateValue::with_salt(Fingerprint::new(tokens(8)).unwrap(), [0xa7; 32]);
        assert_eq!(format!("{value:?}"), "PrivateValue(..)");
    }

    fn tokens(count: u64) -> Vec<Token> {
        (0..count).map(Token).collect()
    }

    #[test]
    fn only_padded_sets_are_fingerprints() {
        for found in [0, 1, 7, 9, 48] {
            assert_eq!(Fingerprint::new(tokens(found)), Err(FingerprintError::Size { found: found as usize }));
        }
        let mut twice = tokens(8);
        twice[0] = twice[1];
        assert_eq!(Fingerprint::new(twice), Err(FingerprintError::Order));
    }

    #[test]
    fn other_orders_and_lengths_are_refused() {
        let good = Fingerprint::new(tokens(8)).unwrap().encode();
        assert_eq!(good.len(), 66);
        let mut swapped = good.clone();
        swapped[9] = 9;
        assert!(matches!(Fingerprint::decode(&swapped), Err(DecodeError::Invalid { .. })));
        assert!(matches!(Fingerprint::decode(&good[..65]), Err(DecodeError::Truncated { .. })));
        assert!(matches!(
            Fingerprint::decode(&[good.as_slice(), &[0]].concat()),
            Err(DecodeError::Trailing { count: 1 })
        ));
        assert!(matches!(Fingerprint::decode(&[2, 0]), Err(DecodeError::Version { found: 2, .. })));
        assert!(matches!(Fingerprint::decode(&[1, 0]), Err(DecodeError::Invalid { .. })));
        assert!(matches!(Fingerprint::decode(&[1, 200]), Err(DecodeError::TooLong { .. })));
    }

    #[test]
    fn the_salt_changes_the_hash() {
        let fingerprint = Fingerprint::new(tokens(16)).unwrap();
        let one = PrivateValue::with_salt(fingerprint.clone(), [1; 32]);
        assert_ne!(one.sha256(), PrivateValue::with_salt(fingerprint, [2; 32]).sha256());
        assert!(one.encode().len() <= PrivateValue::BYTES_MAX);
    }
}
