//! The key of an epoch, and how its opener hands it to each hospital: sealed, on the ledger.

use std::fmt;

use hmac::{Hmac, Mac};
use semblance_core::encode::{Writer, domain};
use semblance_core::id::{Digest, NetworkId, OrganisationId};
use semblance_core::random::RandomSource;
use semblance_core::sealing::{SealingError, SealingPublicKey, SealingSecret};
use semblance_core::term::TermId;
use semblance_core::token::{EpochNumber, Seed, key_check, seed_input};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

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

/// To whom a sealed epoch key belongs: the HPKE info is the statement `semblance/epoch-key` version 1 (network), epoch,
/// hospital, so that a sealed key opens for its own purpose only.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The network.
    pub network: NetworkId,
    /// The epoch of the key.
    pub epoch: EpochNumber,
    /// The hospital that is to open it.
    pub hospital: &'a OrganisationId,
}

impl Recipient<'_> {
    fn info(&self) -> Vec<u8> {
        let mut writer = Writer::statement(domain::EPOCH_KEY, 1, self.network);
        writer.u32(self.epoch.0);
        self.hospital.write(&mut writer);
        writer.finish()
    }
}

/// Why a sealed epoch key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpochKeyError {
    /// It does not open.
    #[error("the sealed key of epoch {epoch} does not open with this hospital's sealing key: {source}")]
    Sealed {
        /// The epoch.
        epoch: EpochNumber,
        /// Why.
        source: SealingError,
    },
    /// What was sealed is no key.
    #[error("what was sealed for epoch {epoch} is no 32-byte key")]
    Length {
        /// The epoch.
        epoch: EpochNumber,
    },
    /// It is another key than the one the epoch's opener announced to all.
    #[error(
        "the key of epoch {epoch} is not the one announced on the ledger: tell the epoch's opener, and publish nothing"
    )]
    Check {
        /// The epoch.
        epoch: EpochNumber,
    },
}

/// Seals an epoch key to a hospital.
///
/// # Errors
/// The hospital's sealing key is unusable.
pub fn seal_epoch_key(
    key: &EpochKey,
    recipient: Recipient<'_>,
    sealing: &SealingPublicKey,
    random: &dyn RandomSource,
) -> Result<Vec<u8>, SealingError> {
    let randomness = Zeroizing::new(random.array());
    sealing.seal(&recipient.info(), &[], &key.0, &randomness)
}

/// Opens an epoch key that was sealed to this hospital, and compares it with the check value on the ledger.
///
/// # Errors
/// It does not open, or is another key than announced.
pub fn open_epoch_key(
    sealed: &[u8],
    recipient: Recipient<'_>,
    sealing: &SealingSecret,
    check: Digest,
) -> Result<EpochKey, EpochKeyError> {
    let epoch = recipient.epoch;
    let opened =
        sealing.open(&recipient.info(), &[], sealed).map_err(|source| EpochKeyError::Sealed { epoch, source })?;
    let key = <[u8; 32]>::try_from(opened.as_slice()).map(EpochKey).map_err(|_| EpochKeyError::Length { epoch })?;
    if key.check_value(epoch) == check { Ok(key) } else { Err(EpochKeyError::Check { epoch }) }
}

#[cfg(test)]
mod tests {
    use semblance_core::random::SeededSource;

    use super::*;

    const EPOCH: EpochNumber = EpochNumber(3);

    fn sealing(byte: u8) -> SealingSecret {
        SealingSecret::from_bytes([byte; 32]).unwrap()
    }

    fn hospital(name: &str) -> OrganisationId {
        OrganisationId::new(name).unwrap()
    }

    fn recipient(hospital: &OrganisationId, epoch: u32, network: u8) -> Recipient<'_> {
        Recipient { network: NetworkId::from_bytes([network; 16]), epoch: EpochNumber(epoch), hospital }
    }

    #[test]
    fn a_sealed_key_opens_for_its_hospital_epoch_and_network_only() {
        let (key, source) = (EpochKey::from_bytes([5; 32]), SeededSource::new([1; 32]));
        let (north, south) = (hospital("north"), hospital("south"));
        let sealed = seal_epoch_key(&key, recipient(&north, 3, 7), sealing(1).public(), &source).unwrap();
        let check = key.check_value(EPOCH);
        let open = |recipient, secret| open_epoch_key(&sealed, recipient, &sealing(secret), check);
        assert!(open(recipient(&north, 3, 7), 1).unwrap() == key);
        for failed in [
            open(recipient(&south, 3, 7), 1),
            open(recipient(&north, 4, 7), 1),
            open(recipient(&north, 3, 8), 1),
            open(recipient(&north, 3, 7), 2),
        ] {
            assert!(matches!(failed, Err(EpochKeyError::Sealed { .. })));
        }
    }

    #[test]
    fn another_key_than_announced_is_refused() {
        let (key, source, north) = (EpochKey::from_bytes([5; 32]), SeededSource::new([1; 32]), hospital("north"));
        let sealed = seal_epoch_key(&key, recipient(&north, 3, 7), sealing(1).public(), &source).unwrap();
        let other = EpochKey::from_bytes([6; 32]).check_value(EPOCH);
        let error = open_epoch_key(&sealed, recipient(&north, 3, 7), &sealing(1), other).unwrap_err();
        assert_eq!(error, EpochKeyError::Check { epoch: EPOCH });
        let info = recipient(&north, 3, 7).info();
        let short = sealing(1).public().seal(&info, &[], &[5; 31], &[1; 32]).unwrap();
        let error = open_epoch_key(&short, recipient(&north, 3, 7), &sealing(1), key.check_value(EPOCH)).unwrap_err();
        assert_eq!(error, EpochKeyError::Length { epoch: EPOCH });
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", EpochKey::from_bytes([9; 32])), "EpochKey(..)");
    }
}
