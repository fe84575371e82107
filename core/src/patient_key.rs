//! The registration of the key that speaks for one patient's case.

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{Digest, NetworkId, OrganisationId};
use crate::record::{Record, read_option, write_option};
use crate::signature::{
    Signature, SignatureError, Signed, SignedBytes, SigningKey, Statement, Unverified, VerifyingKey,
};

coded! {
    /// Where a patient's key was made.
    KeyOrigin, "key origin", {
        /// By the hospital: consent is hospital-attested, nothing more.
        Hospital = 1 "hospital",
        /// On the patient's own device.
        Device = 2 "device",
    }
}

/// How a patient's key came to speak for its case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyStanding {
    /// It is the case's first.
    First,
    /// The key before it agreed.
    Rotated,
    /// The hospital replaced the key before it, which did not sign: shown wherever consent is shown.
    Recovered,
}

/// A hospital's word that a key speaks for the patient of one case; signed by the hospital's node. One key per case,
/// so that a patient's cases cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PatientKeyRegistration {
    /// The network.
    pub network: NetworkId,
    /// Who registers it.
    pub hospital: OrganisationId,
    /// The patient's key.
    pub key: VerifyingKey,
    /// The salted commitment to the case, see [`crate::case::case_commitment`].
    pub case: Digest,
    /// Where the key was made.
    pub origin: KeyOrigin,
    /// The key it replaces.
    pub previous: Option<VerifyingKey>,
}

impl Statement for PatientKeyRegistration {
    const DOMAIN: &'static str = domain::PATIENT_KEY;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.key.write(writer);
        self.case.write(writer);
        self.origin.write(writer);
        write_option(writer, self.previous.as_ref(), VerifyingKey::write);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let registration = Self {
            network,
            hospital: OrganisationId::read(reader)?,
            key: VerifyingKey::read(reader, "patient key")?,
            case: Digest::read(reader)?,
            origin: KeyOrigin::read(reader)?,
            previous: read_option(reader, "previous patient key", |reader| {
                VerifyingKey::read(reader, "previous patient key")
            })?,
        };
        if registration.previous == Some(registration.key) {
            return Err(DecodeError::Invalid { what: "previous patient key", why: "is the new one" });
        }
        Ok(registration)
    }
}

/// A registration as it travels and is stored: the hospital's signature and, where the previous key agrees, its
/// signature over the same bytes. Nothing about either is verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PatientKeyEntry {
    /// The hospital's signed registration.
    pub registration: SignedBytes,
    /// The previous key's signature over the same bytes.
    pub countersignature: Option<Signature>,
}

impl PatientKeyEntry {
    /// Signs a registration as the hospital and, where it is at hand, as the key that is replaced.
    #[must_use]
    pub fn sign(registration: PatientKeyRegistration, hospital: &SigningKey, previous: Option<&SigningKey>) -> Self {
        let (_, source) = registration.sign(hospital).into_parts();
        let countersignature = previous.map(|key| key.sign(source.bytes()));
        Self { registration: source, countersignature }
    }

    /// Decodes the registration, not looking at signatures yet.
    ///
    /// # Errors
    /// Not the exact bytes of a registration of this network.
    pub fn claim(&self, network: NetworkId) -> Result<Unverified<PatientKeyRegistration>, DecodeError> {
        self.registration.clone().claim(network)
    }

    /// Verifies both signatures and says how the key came to speak for its case.
    ///
    /// # Errors
    /// Malformed, not signed by the hospital, a countersignature that is not by the previous key, or one where no key
    /// is replaced.
    pub fn verify(
        &self,
        network: NetworkId,
        hospital: &VerifyingKey,
    ) -> Result<(Signed<PatientKeyRegistration>, KeyStanding), PatientKeyError> {
        let signed = self.claim(network)?.verify(hospital)?;
        let standing = match (&signed.statement().previous, &self.countersignature) {
            (None, None) => KeyStanding::First,
            (Some(_), None) => KeyStanding::Recovered,
            (Some(previous), Some(countersignature)) => {
                previous
                    .verify(self.registration.bytes(), countersignature)
                    .map_err(|_| PatientKeyError::Countersignature)?;
                KeyStanding::Rotated
            }
            (None, Some(_)) => return Err(PatientKeyError::Countersignature),
        };
        Ok((signed, standing))
    }
}

impl Record for PatientKeyEntry {
    const NAME: &'static str = "patient key";

    fn write(&self, writer: &mut Writer) {
        self.registration.write(writer);
        write_option(writer, self.countersignature.as_ref(), Signature::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            registration: SignedBytes::read(reader)?,
            countersignature: read_option(reader, "countersignature", Signature::read)?,
        })
    }
}

/// Why a patient's key is not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatientKeyError {
    /// The bytes are no registration.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The hospital did not sign it.
    #[error("the registration is not signed by the hospital: {0}")]
    Signature(#[from] SignatureError),
    /// The previous key did not sign it.
    #[error("the countersignature is not by the previous key")]
    Countersignature,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32])
    }

    fn registration(previous: Option<u8>) -> PatientKeyRegistration {
        PatientKeyRegistration {
            network: NETWORK,
            hospital: OrganisationId::new("north").unwrap(),
            key: key(2).verifying_key(),
            case: Digest::from_bytes([5; 32]),
            origin: KeyOrigin::Hospital,
            previous: previous.map(|byte| key(byte).verifying_key()),
        }
    }

    #[test]
    fn signatures_decide_the_standing() {
        let standing = |previous, countersigner: Option<u8>| {
            PatientKeyEntry::sign(registration(previous), &key(1), countersigner.map(key).as_ref())
                .verify(NETWORK, &key(1).verifying_key())
                .map(|(_, standing)| standing)
        };
        assert_eq!(standing(None, None), Ok(KeyStanding::First));
        assert_eq!(standing(Some(3), Some(3)), Ok(KeyStanding::Rotated));
        assert_eq!(standing(Some(3), None), Ok(KeyStanding::Recovered));
        assert_eq!(standing(Some(3), Some(4)), Err(PatientKeyError::Countersignature));
        assert_eq!(standing(None, Some(3)), Err(PatientKeyError::Countersignature));
        let entry = PatientKeyEntry::sign(registration(None), &key(1), None);
        assert!(matches!(entry.verify(NETWORK, &key(9).verifying_key()), Err(PatientKeyError::Signature(_))));
    }

    #[test]
    fn decoders_are_strict() {
        let decode = |bytes: &[u8]| PatientKeyRegistration::decode(bytes, NETWORK);
        assert_strict(&registration(Some(3)).encode(), decode, Statement::encode);
        assert!(decode(&registration(Some(2)).encode()).is_err(), "a key cannot replace itself");
        let entry = PatientKeyEntry::sign(registration(Some(3)), &key(1), Some(&key(3)));
        assert_strict(&Record::encode(&entry), PatientKeyEntry::decode, Record::encode);
    }
}
