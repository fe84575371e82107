//! Epochs: key periods, as the ledger keeps them, and the sealed epoch keys.

use zeroize::Zeroizing;

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{Digest, NetworkId, OrganisationId};
use crate::limits::VOCABULARY_RELEASE_MAX;
use crate::organisation::SealingKey;
use crate::record::{Record, read_option, write_option};
use crate::sealing::{SEALING_OVERHEAD, SealingError, SealingKeyId, SealingSecret};
use crate::time::Timestamp;
use crate::token::EpochNumber;

coded! {
    /// How fingerprints and queries are made.
    Profile, "profile", {
        /// Observed terms alone, padded with real tokens of other terms to a multiple of eight.
        Terms8 = 1 "terms-8",
    }
}

/// Which vocabulary an epoch uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VocabularyRelease {
    name: String,
    digest: Digest,
}

/// The name is no vocabulary release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a vocabulary release has 1 to {VOCABULARY_RELEASE_MAX} characters from a-z, 0-9, '-' and '.', as in 2026-02-16"
)]
pub struct VocabularyReleaseError;

impl VocabularyRelease {
    /// Checks the release's name, usually its date; `digest` is that of the vocabulary file.
    ///
    /// # Errors
    /// Empty, too long, or other characters than a–z, 0–9, '-' and '.'.
    pub fn new(name: &str, digest: Digest) -> Result<Self, VocabularyReleaseError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        if name.is_empty() || name.len() > VOCABULARY_RELEASE_MAX || !name.bytes().all(allowed) {
            return Err(VocabularyReleaseError);
        }
        Ok(Self { name: name.to_owned(), digest })
    }

    /// The release's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The BLAKE3 digest of the vocabulary.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Not a release's name, or too few bytes left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = reader.text("vocabulary release", VOCABULARY_RELEASE_MAX)?;
        Self::new(name, Digest::read(reader)?)
            .map_err(|_| DecodeError::Invalid { what: "vocabulary release", why: "no release's name" })
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        writer.text(&self.name);
        self.digest.write(writer);
    }
}

/// An epoch, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: EpochNumber,
    /// The hospital that drew the epoch key.
    pub opener: OrganisationId,
    /// The vocabulary.
    pub vocabulary: VocabularyRelease,
    /// How fingerprints and queries are made.
    pub profile: Profile,
    /// Confirms the epoch key, see [`crate::token::key_check`].
    pub key_check: Digest,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

impl Epoch {
    /// Whether cases can be published in it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.closed.is_none()
    }
}

impl Record for Epoch {
    const NAME: &'static str = "epoch";

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.number.0);
        self.opener.write(writer);
        self.vocabulary.write(writer);
        self.profile.write(writer);
        self.key_check.write(writer);
        self.opened.write(writer);
        write_option(writer, self.closed.as_ref(), |moment, writer| moment.write(writer));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            number: EpochNumber(reader.u32("epoch")?),
            opener: OrganisationId::read(reader)?,
            vocabulary: VocabularyRelease::read(reader)?,
            profile: Profile::read(reader)?,
            key_check: Digest::read(reader)?,
            opened: Timestamp::read(reader, "opened")?,
            closed: read_option(reader, "closed", |reader| Timestamp::read(reader, "closed"))?,
        })
    }
}

/// Bytes of a sealed epoch key.
pub const SEALED_EPOCH_KEY_BYTES: usize = 32 + SEALING_OVERHEAD;

/// An epoch key, sealed to one hospital.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealedEpochKey {
    /// Who can open it.
    pub hospital: OrganisationId,
    /// With which of its sealing keys.
    pub key: SealingKeyId,
    /// The HPKE message.
    pub sealed: [u8; SEALED_EPOCH_KEY_BYTES],
}

impl SealedEpochKey {
    /// Seals an epoch key to a hospital. `randomness` is fresh for every message.
    ///
    /// # Errors
    /// The hospital's key cannot be sealed to.
    pub fn seal(
        network: NetworkId,
        epoch: EpochNumber,
        hospital: &OrganisationId,
        recipient: &SealingKey,
        epoch_key: &[u8; 32],
        randomness: &[u8; 32],
    ) -> Result<Self, SealingError> {
        let sealed = recipient.public.seal(&epoch_key_info(network, epoch, hospital), &[], epoch_key, randomness)?;
        let sealed = sealed.try_into().map_err(|_| SealingError::Seal)?;
        Ok(Self { hospital: hospital.clone(), key: recipient.id, sealed })
    }

    /// Opens it. Compare with the epoch's key check before use.
    ///
    /// # Errors
    /// Not sealed to this secret for this network, epoch and hospital.
    pub fn open(
        &self,
        network: NetworkId,
        epoch: EpochNumber,
        secret: &SealingSecret,
    ) -> Result<Zeroizing<[u8; 32]>, SealingError> {
        let plaintext = secret.open(&epoch_key_info(network, epoch, &self.hospital), &[], &self.sealed)?;
        let mut epoch_key = Zeroizing::new([0; 32]);
        epoch_key.copy_from_slice(plaintext.get(..32).ok_or(SealingError::Open)?);
        Ok(epoch_key)
    }
}

impl Record for SealedEpochKey {
    const NAME: &'static str = "sealed epoch key";

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.key.write(writer);
        writer.raw(&self.sealed);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hospital: OrganisationId::read(reader)?,
            key: SealingKeyId::read(reader)?,
            sealed: reader.array("sealed epoch key")?,
        })
    }
}

/// The info of a sealed epoch key's HPKE message: the statement `semblance/epoch-key` version 1 (network), epoch,
/// hospital.
#[must_use]
pub fn epoch_key_info(network: NetworkId, epoch: EpochNumber, hospital: &OrganisationId) -> Vec<u8> {
    let mut writer = Writer::statement(domain::EPOCH_KEY, 1, network);
    writer.u32(epoch.0);
    hospital.write(&mut writer);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn epoch(closed: Option<Timestamp>) -> Epoch {
        Epoch {
            number: EpochNumber(1),
            opener: OrganisationId::new("north").unwrap(),
            vocabulary: VocabularyRelease::new("2026-02-16", Digest::from_bytes([1; 32])).unwrap(),
            profile: Profile::Terms8,
            key_check: Digest::from_bytes([2; 32]),
            opened: Timestamp::from_millis(3),
            closed,
        }
    }

    #[test]
    fn a_sealed_epoch_key_opens_for_its_hospital_and_epoch_only() {
        let secret = SealingSecret::from_bytes([1; 32]).unwrap();
        let recipient = SealingKey { id: SealingKeyId(1), public: *secret.public() };
        let north = OrganisationId::new("north").unwrap();
        let sealed = SealedEpochKey::seal(NETWORK, EpochNumber(1), &north, &recipient, &[9; 32], &[4; 32]).unwrap();
        assert_eq!(*sealed.open(NETWORK, EpochNumber(1), &secret).unwrap(), [9; 32]);
        assert!(sealed.open(NETWORK, EpochNumber(2), &secret).is_err());
        let south = SealedEpochKey { hospital: OrganisationId::new("south").unwrap(), ..sealed.clone() };
        assert!(south.open(NETWORK, EpochNumber(1), &secret).is_err());
        assert!(sealed.open(NETWORK, EpochNumber(1), &SealingSecret::from_bytes([2; 32]).unwrap()).is_err());
        assert_strict(&sealed.encode(), SealedEpochKey::decode, Record::encode);
    }

    #[test]
    fn releases_have_plain_names() {
        for bad in ["", "2026 02", "A", &"1".repeat(VOCABULARY_RELEASE_MAX + 1)] {
            assert!(VocabularyRelease::new(bad, Digest::from_bytes([0; 32])).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_decoder_is_strict() {
        for closed in [None, Some(Timestamp::from_millis(4))] {
            assert_eq!(epoch(closed).is_open(), closed.is_none());
            assert_strict(&epoch(closed).encode(), Epoch::decode, Record::encode);
        }
    }
}
