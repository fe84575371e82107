//! What remains of a member's earlier keys.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, VerifyingKey};
use semblance_core::time::Timestamp;

/// `rotation/<organisation>/<sequence>`: one replacement of a member's keys, for those who verify old signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRecord {
    /// The time of the proposal.
    pub at: Timestamp,
    /// The signing key until then, which signed the rotation.
    pub previous: VerifyingKey,
    /// The signed [`KeyRotation`](semblance_core::organisation::KeyRotation).
    pub source: SignedBytes,
}

impl Record for RotationRecord {
    const NAME: &'static str = "key rotation";

    fn write(&self, writer: &mut Writer) {
        self.at.write(writer);
        self.previous.write(writer);
        self.source.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            at: Timestamp::read(reader, "rotated")?,
            previous: VerifyingKey::read(reader, "previous signing key")?,
            source: SignedBytes::read(reader)?,
        })
    }
}
