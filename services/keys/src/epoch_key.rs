//! The key of an epoch: what turns its terms into seeds.

use std::fmt;

use hmac::{Hmac, Mac};
use semblance_core::id::Digest;
use semblance_core::random::RandomSource;
use semblance_core::term::TermId;
use semblance_core::token::{EpochNumber, Seed, key_check, seed_input};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The 32 secret bytes that turn an epoch's terms into seeds. Whoever holds them and the fingerprints reads every term.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct EpochKey([u8; 32]);

impl EpochKey {
    /// Draws the key of a new epoch.
    #[must_use]
    pub fn random(source: &dyn RandomSource) -> Self {
        Self(source.array())
    }

    /// Takes one that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the hospital's store.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What stands on the ledger, so that every hospital sees that it was given the same key as the others.
    #[must_use]
    pub fn check_value(&self, epoch: EpochNumber) -> Digest {
        key_check(&self.0, epoch)
    }

    /// The seed of a term: HMAC-SHA256 under the key over [`seed_input`].
    #[must_use]
    pub fn seed(&self, epoch: EpochNumber, term: TermId) -> Seed {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes keys of any length; new_from_slice fails for other macs only"
        )]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        mac.update(&seed_input(epoch, term));
        Seed::from_bytes(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EpochKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", EpochKey::from_bytes([9; 32])), "EpochKey(..)");
    }
}
