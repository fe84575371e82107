//! A hospital's sealing keys: the present one, and earlier ones that things are still sealed to.

use std::fmt;

use semblance_core::epoch::{Epoch, SealedEpochKey};
use semblance_core::id::NetworkId;
use semblance_core::organisation::SealingKey;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::token::EpochNumber;

use crate::EpochKey;

/// The sealing keys that this hospital holds, the newest first, without gaps: each was replaced by the one before it.
/// They wipe themselves; debug output shows how many there are.
#[derive(Clone)]
pub struct SealingKeys(Vec<SealingSecret>);

/// Why a sealed epoch key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpochKeyError {
    /// None of the sealing keys opens it.
    #[error(
        "the key of epoch {epoch} is sealed to this hospital's sealing key {key}, which is not configured or does not \
         open it: configure it among the earlier sealing keys"
    )]
    Sealed {
        /// The epoch.
        epoch: EpochNumber,
        /// The sealing key it names.
        key: SealingKeyId,
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

impl SealingKeys {
    /// Takes the keys, the newest first.
    #[must_use]
    pub const fn new(newest_first: Vec<SealingSecret>) -> Self {
        Self(newest_first)
    }

    /// All of them, to try on what names no key: the slots of an entry.
    #[must_use]
    pub fn all(&self) -> &[SealingSecret] {
        &self.0
    }

    /// Each key with its number; none where the member's present key is not among them. A key that is configured but
    /// not announced yet has a higher number than the present one.
    #[must_use]
    pub fn numbered(&self, present: &SealingKey) -> Vec<(SealingKeyId, &SealingSecret)> {
        let Some(at) = self.0.iter().position(|secret| *secret.public() == present.public) else { return Vec::new() };
        let first = present.id.0.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        (1..=first).rev().map(SealingKeyId).zip(&self.0).collect()
    }

    /// Opens an epoch's key with the sealing key it names, or with any that opens it, and compares it with the check
    /// value on the ledger.
    ///
    /// # Errors
    /// It does not open, or is another key than announced.
    pub fn open_epoch_key(
        &self,
        sealed: &SealedEpochKey,
        network: NetworkId,
        epoch: &Epoch,
        present: Option<&SealingKey>,
    ) -> Result<EpochKey, EpochKeyError> {
        let numbered = present.map(|present| self.numbered(present)).unwrap_or_default();
        let named = numbered.into_iter().filter(|(id, _)| *id == sealed.key).map(|(_, secret)| secret);
        let opened = named.chain(&self.0).find_map(|secret| sealed.open(network, epoch.number, secret).ok());
        let (epoch, check) = (epoch.number, epoch.key_check);
        let opened = opened.ok_or(EpochKeyError::Sealed { epoch, key: sealed.key })?;
        let key = EpochKey::from_bytes(*opened);
        if key.check_value(epoch) == check { Ok(key) } else { Err(EpochKeyError::Check { epoch }) }
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealingKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use semblance_core::epoch::{Profile, VocabularyRelease};
    use semblance_core::id::{Digest, OrganisationId};
    use semblance_core::time::Timestamp;

    use super::*;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn secret(byte: u8) -> SealingSecret {
        SealingSecret::from_bytes([byte; 32]).unwrap()
    }

    fn public(byte: u8, id: u32) -> SealingKey {
        SealingKey { id: SealingKeyId(id), public: *secret(byte).public() }
    }

    fn epoch(key: &EpochKey) -> Epoch {
        let number = EpochNumber(3);
        Epoch {
            number,
            opener: OrganisationId::new("north").unwrap(),
            vocabulary: VocabularyRelease::new("2026-02-16", Digest::from_bytes([1; 32])).unwrap(),
            profile: Profile::Terms8,
            key_check: key.check_value(number),
            opened: Timestamp::from_millis(3),
            closed: None,
        }
    }

    fn sealed(key: &EpochKey, to: &SealingKey) -> SealedEpochKey {
        let north = OrganisationId::new("north").unwrap();
        SealedEpochKey::seal(NETWORK, EpochNumber(3), &north, to, key.expose(), &[4; 32]).unwrap()
    }

    #[test]
    fn an_epoch_key_sealed_to_an_earlier_key_opens_after_a_rotation() {
        let key = EpochKey::from_bytes([5; 32]);
        let (epoch, sealed) = (epoch(&key), sealed(&key, &public(1, 1)));
        let open = |bytes: &[u8]| {
            let keys = SealingKeys::new(bytes.iter().map(|byte| secret(*byte)).collect());
            keys.open_epoch_key(&sealed, NETWORK, &epoch, Some(&public(2, 2)))
        };
        assert!(open(&[2, 1]).unwrap() == key);
        // Whoever lists them otherwise is helped all the same.
        assert!(open(&[1]).unwrap() == key && open(&[3, 1, 2]).unwrap() == key);
        let error = open(&[2]).unwrap_err();
        assert_eq!(error, EpochKeyError::Sealed { epoch: epoch.number, key: SealingKeyId(1) });
    }

    #[test]
    fn another_key_than_announced_is_refused() {
        let (key, other) = (EpochKey::from_bytes([5; 32]), EpochKey::from_bytes([6; 32]));
        let keys = SealingKeys::new(vec![secret(1)]);
        let error = keys.open_epoch_key(&sealed(&key, &public(1, 1)), NETWORK, &epoch(&other), None).unwrap_err();
        assert_eq!(error, EpochKeyError::Check { epoch: EpochNumber(3) });
    }

    #[test]
    fn keys_are_numbered_from_the_present_one() {
        let keys = SealingKeys::new(vec![secret(4), secret(3), secret(2), secret(1)]);
        let numbers = |present| keys.numbered(&present).iter().map(|(id, _)| id.0).collect::<Vec<_>>();
        // The newest is configured and not announced yet.
        assert_eq!(numbers(public(3, 3)), [4, 3, 2, 1]);
        // More than were ever announced have no number.
        assert_eq!(numbers(public(4, 2)), [2, 1]);
        assert!(numbers(public(9, 3)).is_empty());
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", SealingKeys::new(vec![secret(9)])), "SealingKeys(1)");
    }
}
