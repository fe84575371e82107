//! Opening and closing epochs.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::epoch::{Profile, SealedEpochKey, VocabularyRelease};
use semblance_core::id::{Digest, OrganisationId};
use semblance_core::limits::ORGANISATIONS_MAX;
use semblance_core::record::Record;
use semblance_core::token::EpochNumber;

use super::{List, read_epoch};

/// The argument of `open_epoch`: number (u32), vocabulary (release's name, digest), profile (u8), key check (32), and
/// the epoch's key sealed to each hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenEpoch {
    /// One more than the newest epoch's.
    pub number: EpochNumber,
    /// The vocabulary.
    pub vocabulary: VocabularyRelease,
    /// How fingerprints and queries are made.
    pub profile: Profile,
    /// Confirms the epoch key.
    pub key_check: Digest,
    /// One for each hospital.
    pub keys: List<SealedEpochKey, ORGANISATIONS_MAX>,
}

impl Record for OpenEpoch {
    const NAME: &'static str = "open_epoch";

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.number.0);
        self.vocabulary.write(writer);
        self.profile.write(writer);
        self.key_check.write(writer);
        self.keys.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            number: read_epoch(reader)?,
            vocabulary: VocabularyRelease::read(reader)?,
            profile: Profile::read(reader)?,
            key_check: Digest::read(reader)?,
            keys: List::read(reader)?,
        })
    }
}

/// The argument of `close_epoch` and of the query `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochArgument(pub EpochNumber);

impl Record for EpochArgument {
    const NAME: &'static str = "epoch number";

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.0.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_epoch(reader).map(Self)
    }
}

/// The argument of the query `epoch_key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochKeyArgument {
    /// The epoch.
    pub epoch: EpochNumber,
    /// The hospital to which the key was sealed.
    pub hospital: OrganisationId,
}

impl Record for EpochKeyArgument {
    const NAME: &'static str = "epoch key";

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.epoch.0);
        self.hospital.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { epoch: read_epoch(reader)?, hospital: OrganisationId::read(reader)? })
    }
}
