//! The members of a network, their keys, and how keys are replaced.

mod genesis;
mod rotation;

pub use genesis::{Genesis, Network, Separation};
pub use rotation::KeyRotation;

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer};
use crate::id::OrganisationId;
use crate::limits::TLS_ROOT_BYTES_MAX;
use crate::record::Record;
use crate::sealing::{SealingKeyId, SealingPublicKey};
use crate::signature::VerifyingKey;

coded! {
    /// Who acts for an organisation.
    Role, "role", {
        /// The organisation's node, in daily work.
        Node = 1 "node",
        /// Its administrator: genesis, members, keys.
        Admin = 2 "admin",
    }
}

coded! {
    /// What an organisation does in the network.
    OrganisationKind, "organisation kind", {
        /// Cares for patients, publishes their cases and asks.
        Hospital = 1 "hospital",
        /// Holds the fingerprints and searches them.
        Matcher = 2 "matcher",
    }
}

/// Why organisations or their keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganisationError {
    /// The network's name is empty, too long or has control characters.
    #[error("a network's name has 1 to {limit} bytes without control characters")]
    Name {
        /// The longest name, in bytes.
        limit: usize,
    },
    /// A root certificate is empty or too large.
    #[error("a root certificate (DER) has 1 to {limit} bytes, not {bytes}")]
    TlsRoot {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// No organisation, or too many.
    #[error("a network has 1 to {limit} organisations, not {count}")]
    Count {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two organisations share a name or a key, or their order is another one.
    #[error("organisations must stand in ascending order of name, each name and each key once: see {0}")]
    NotUnique(OrganisationId),
    /// A rotation replaces nothing.
    #[error("a rotation names at least one new key or root")]
    NothingNew,
    /// A rotation is of another organisation.
    #[error("the rotation is of {found}, not of {expected}")]
    OtherOrganisation {
        /// Whose record it was applied to.
        expected: OrganisationId,
        /// Whose rotation it is.
        found: OrganisationId,
    },
    /// A rotation is not the next one.
    #[error("the rotation has sequence number {found}, the next one is {expected}")]
    Sequence {
        /// The number that would follow.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// The new sealing key's id does not follow the present one.
    #[error("the new sealing key has id {found}, the next one is {expected}")]
    SealingKeyId {
        /// The id that would follow.
        expected: SealingKeyId,
        /// The id found.
        found: SealingKeyId,
    },
    /// A new key is the present one.
    #[error("the new key is the present one")]
    SameKey,
}

/// The certificate (X.509, DER) that an organisation's node certificates are checked against, and no other.
/// Its size is checked here, its content by whoever opens connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsRoot(Vec<u8>);

impl TlsRoot {
    /// Takes the certificate's DER bytes.
    ///
    /// # Errors
    /// Empty or larger than 4 KiB.
    pub fn new(der: Vec<u8>) -> Result<Self, OrganisationError> {
        if der.is_empty() || der.len() > TLS_ROOT_BYTES_MAX {
            return Err(OrganisationError::TlsRoot { bytes: der.len(), limit: TLS_ROOT_BYTES_MAX });
        }
        Ok(Self(der))
    }

    /// The certificate's DER bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(reader.bytes("root certificate", TLS_ROOT_BYTES_MAX)?.to_vec())
            .map_err(|_| DecodeError::Invalid { what: "root certificate", why: "empty" })
    }

    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }
}

/// A sealing key with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SealingKey {
    /// Its number.
    pub id: SealingKeyId,
    /// The public half.
    pub public: SealingPublicKey,
}

impl SealingKey {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id: SealingKeyId::read(reader)?, public: SealingPublicKey::read(reader)? })
    }

    fn write(&self, writer: &mut Writer) {
        self.id.write(writer);
        self.public.write(writer);
    }
}

/// A member with its present keys, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Organisation {
    /// Its name.
    pub id: OrganisationId,
    /// What it does.
    pub kind: OrganisationKind,
    /// Its node's signing key.
    pub verifying_key: VerifyingKey,
    /// What receipts and epoch keys are sealed to.
    pub sealing_key: SealingKey,
    /// What its certificates are checked against.
    pub tls_root: TlsRoot,
    /// How often its keys were rotated.
    pub rotations: u32,
}

impl Record for Organisation {
    const NAME: &'static str = "organisation";

    fn write(&self, writer: &mut Writer) {
        self.id.write(writer);
        self.kind.write(writer);
        self.verifying_key.write(writer);
        self.sealing_key.write(writer);
        self.tls_root.write(writer);
        writer.u32(self.rotations);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: OrganisationId::read(reader)?,
            kind: OrganisationKind::read(reader)?,
            verifying_key: VerifyingKey::read(reader, "signing key")?,
            sealing_key: SealingKey::read(reader)?,
            tls_root: TlsRoot::read(reader)?,
            rotations: reader.u32("rotations")?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::assert_strict;
    use crate::sealing::SealingSecret;
    use crate::signature::SigningKey;

    pub(crate) fn organisation(name: &str, seed: u8) -> Organisation {
        Organisation {
            id: OrganisationId::new(name).unwrap(),
            kind: OrganisationKind::Hospital,
            verifying_key: SigningKey::from_seed(&[seed; 32]).verifying_key(),
            sealing_key: SealingKey {
                id: SealingKeyId(1),
                public: *SealingSecret::from_bytes([seed; 32]).unwrap().public(),
            },
            tls_root: TlsRoot::new(vec![0x30, seed]).unwrap(),
            rotations: 0,
        }
    }

    #[test]
    fn root_certificates_are_bounded() {
        assert!(TlsRoot::new(vec![]).is_err());
        assert!(TlsRoot::new(vec![0; TLS_ROOT_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn the_decoder_is_strict() {
        assert_strict(&organisation("north", 1).encode(), Organisation::decode, Record::encode);
    }
}
