//! How an organisation's keys are replaced.

use super::{Organisation, OrganisationError, SealingKey, TlsRoot};
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{NetworkId, OrganisationId};
use crate::record::{read_option, write_option};
use crate::sealing::SealingKeyId;
use crate::signature::{Statement, VerifyingKey};

/// The replacement of an organisation's keys or root, signed by its present signing key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRotation {
    network: NetworkId,
    organisation: OrganisationId,
    sequence: u32,
    verifying_key: Option<VerifyingKey>,
    sealing_key: Option<SealingKey>,
    tls_root: Option<TlsRoot>,
}

impl KeyRotation {
    /// Makes the rotation that takes an organisation from its present record to another one.
    ///
    /// # Errors
    /// Nothing would change.
    pub fn between(network: NetworkId, present: &Organisation, next: &Organisation) -> Result<Self, OrganisationError> {
        Self {
            network,
            organisation: present.id.clone(),
            sequence: present.rotations.saturating_add(1),
            verifying_key: Some(next.verifying_key).filter(|key| *key != present.verifying_key),
            sealing_key: Some(next.sealing_key).filter(|key| *key != present.sealing_key),
            tls_root: Some(next.tls_root.clone()).filter(|root| *root != present.tls_root),
        }
        .checked()
    }

    fn checked(self) -> Result<Self, OrganisationError> {
        if self.verifying_key.is_none() && self.sealing_key.is_none() && self.tls_root.is_none() {
            return Err(OrganisationError::NothingNew);
        }
        Ok(self)
    }

    /// Whose keys they are.
    #[must_use]
    pub const fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    /// The rotation's number, from 1.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The new signing key.
    #[must_use]
    pub const fn verifying_key(&self) -> Option<&VerifyingKey> {
        self.verifying_key.as_ref()
    }

    /// The new sealing key.
    #[must_use]
    pub const fn sealing_key(&self) -> Option<&SealingKey> {
        self.sealing_key.as_ref()
    }

    /// The new root certificate.
    #[must_use]
    pub const fn tls_root(&self) -> Option<&TlsRoot> {
        self.tls_root.as_ref()
    }
}

impl Statement for KeyRotation {
    const DOMAIN: &'static str = domain::KEY_ROTATION;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.organisation.write(writer);
        writer.u32(self.sequence);
        write_option(writer, self.verifying_key.as_ref(), VerifyingKey::write);
        write_option(writer, self.sealing_key.as_ref(), SealingKey::write);
        write_option(writer, self.tls_root.as_ref(), TlsRoot::write);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self {
            network,
            organisation: OrganisationId::read(reader)?,
            sequence: reader.u32("sequence")?,
            verifying_key: read_option(reader, "new signing key", |reader| {
                VerifyingKey::read(reader, "new signing key")
            })?,
            sealing_key: read_option(reader, "new sealing key", SealingKey::read)?,
            tls_root: read_option(reader, "new root certificate", TlsRoot::read)?,
        }
        .checked()
        .map_err(|_| DecodeError::Invalid { what: "key rotation", why: "names nothing new" })
    }
}

impl Organisation {
    /// The organisation after a rotation, whose signature by the present signing key has been verified.
    ///
    /// # Errors
    /// Another organisation's, not the next one, or a new key that is the present one.
    pub fn rotated(&self, rotation: &KeyRotation) -> Result<Self, OrganisationError> {
        if rotation.organisation != self.id {
            let (expected, found) = (self.id.clone(), rotation.organisation.clone());
            return Err(OrganisationError::OtherOrganisation { expected, found });
        }
        let expected = self.rotations.saturating_add(1);
        if rotation.sequence != expected {
            return Err(OrganisationError::Sequence { expected, found: rotation.sequence });
        }
        let mut next = Self { rotations: expected, ..self.clone() };
        if let Some(key) = rotation.verifying_key {
            next.verifying_key = key;
        }
        if let Some(key) = rotation.sealing_key {
            let expected = SealingKeyId(self.sealing_key.id.0.saturating_add(1));
            if key.id != expected {
                return Err(OrganisationError::SealingKeyId { expected, found: key.id });
            }
            next.sealing_key = key;
        }
        if let Some(root) = &rotation.tls_root {
            next.tls_root = root.clone();
        }
        let same_signing = rotation.verifying_key == Some(self.verifying_key);
        let same_sealing = rotation.sealing_key.is_some_and(|key| key.public == self.sealing_key.public);
        if same_signing || same_sealing { Err(OrganisationError::SameKey) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::tests::organisation;
    use crate::record::assert_strict;
    use crate::sealing::SealingSecret;
    use crate::signature::SigningKey;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    #[test]
    fn rotations_follow_one_another() {
        let first = organisation("north", 1);
        let mut wanted = first.clone();
        wanted.verifying_key = SigningKey::from_seed(&[9; 32]).verifying_key();
        wanted.sealing_key =
            SealingKey { id: SealingKeyId(2), public: *SealingSecret::from_bytes([9; 32]).unwrap().public() };
        let rotation = KeyRotation::between(NETWORK, &first, &wanted).unwrap();
        let second = first.rotated(&rotation).unwrap();
        assert_eq!(second, Organisation { rotations: 1, ..wanted });
        assert!(matches!(second.rotated(&rotation), Err(OrganisationError::Sequence { expected: 2, found: 1 })));
        assert!(matches!(
            organisation("south", 2).rotated(&rotation),
            Err(OrganisationError::OtherOrganisation { .. })
        ));
        let skipped = SealingKey { id: SealingKeyId(4), public: organisation("x", 3).sealing_key.public };
        let skipping =
            KeyRotation::between(NETWORK, &second, &Organisation { sealing_key: skipped, ..second.clone() }).unwrap();
        assert!(matches!(second.rotated(&skipping), Err(OrganisationError::SealingKeyId { .. })));
        assert_eq!(KeyRotation::between(NETWORK, &first, &first), Err(OrganisationError::NothingNew));
    }

    #[test]
    fn the_decoder_is_strict() {
        let mut next = organisation("north", 1);
        next.tls_root = TlsRoot::new(vec![0x30, 9]).unwrap();
        let rotation = KeyRotation::between(NETWORK, &organisation("north", 1), &next).unwrap();
        assert_strict(&rotation.encode(), |bytes| KeyRotation::decode(bytes, NETWORK), Statement::encode);
    }
}
