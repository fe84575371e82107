//! Who stands behind a leaf of a channel: the word of its hospital and, for a patient's device, of the consent key.
//!
//! A leaf of the MLS group (RFC 9420 section 7.2) carries a pseudonym alone. What makes it trustworthy travels beside
//! it: hub and members each check it by themselves, so that no hub can invent a member.

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{ChannelId, ConsentId, NetworkId, OrganisationId, ParticipantId};
use crate::record::{Record, read_option, write_option};
use crate::signature::{SignatureError, SignedBytes, Statement, VerifyingKey};
use crate::time::Timestamp;

coded! {
    /// As whom a person takes part in a channel.
    PersonRole, "person's role", {
        /// A clinician of the hospital.
        Clinician = 1 "clinician",
        /// The patient, or whoever acts for them.
        Patient = 2 "patient",
    }
}

/// A hospital's word that a leaf belongs to a person of its own who may be in this channel, signed by its node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeafAttestation {
    /// The network.
    pub network: NetworkId,
    /// The only channel it holds for.
    pub channel: ChannelId,
    /// Whose person it is, and who signs.
    pub hospital: OrganisationId,
    /// The pseudonym in the leaf's credential.
    pub participant: ParticipantId,
    /// The leaf's signature key.
    pub leaf_key: VerifyingKey,
    /// As whom the person takes part.
    pub role: PersonRole,
    /// The consent that the leaf rests on, and ends with.
    pub consent: ConsentId,
    /// Until when it holds, exclusive.
    pub expires: Timestamp,
}

impl Statement for LeafAttestation {
    const DOMAIN: &'static str = domain::LEAF_ATTESTATION;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.channel.write(writer);
        self.hospital.write(writer);
        self.participant.write(writer);
        self.leaf_key.write(writer);
        self.role.write(writer);
        self.consent.write(writer);
        self.expires.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            channel: ChannelId::read(reader)?,
            hospital: OrganisationId::read(reader)?,
            participant: ParticipantId::read(reader)?,
            leaf_key: VerifyingKey::read(reader, "leaf key")?,
            role: PersonRole::read(reader)?,
            consent: ConsentId::read(reader)?,
            expires: Timestamp::read(reader, "expires")?,
        })
    }
}

/// A patient's word that a leaf is a device of theirs, signed by the consent key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeafPledge {
    /// The network.
    pub network: NetworkId,
    /// The consent whose key signs.
    pub consent: ConsentId,
    /// The leaf's signature key.
    pub leaf_key: VerifyingKey,
}

impl Statement for LeafPledge {
    const DOMAIN: &'static str = domain::LEAF_PLEDGE;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.consent.write(writer);
        self.leaf_key.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let consent = ConsentId::read(reader)?;
        Ok(Self { network, consent, leaf_key: VerifyingKey::read(reader, "leaf key")? })
    }
}

/// A hospital's word that a device of its own no longer takes part, as when a phone is lost; signed by its node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeafRevocation {
    /// The network.
    pub network: NetworkId,
    /// The channel.
    pub channel: ChannelId,
    /// Whose device it was, and who signs.
    pub hospital: OrganisationId,
    /// The device's pseudonym.
    pub participant: ParticipantId,
    /// When.
    pub time: Timestamp,
}

impl Statement for LeafRevocation {
    const DOMAIN: &'static str = domain::LEAF_REVOCATION;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.channel.write(writer);
        self.hospital.write(writer);
        self.participant.write(writer);
        self.time.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            channel: ChannelId::read(reader)?,
            hospital: OrganisationId::read(reader)?,
            participant: ParticipantId::read(reader)?,
            time: Timestamp::read(reader, "time")?,
        })
    }
}

/// What came with a leaf; nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeafProof {
    /// A [`LeafAttestation`] and the hospital's signature.
    pub attestation: SignedBytes,
    /// A [`LeafPledge`] and the consent key's signature; patients' leaves have one.
    pub pledge: Option<SignedBytes>,
}

/// Why a leaf's proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not signed by the hospital, or by the consent key.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A patient's leaf that the consent key did not sign for, or a clinician's that it did.
    #[error("a patient's leaf, and no other, carries the consent key's signature")]
    Pledge,
    /// The pledge is for another leaf or consent.
    #[error("the consent key signed for another leaf")]
    OtherLeaf,
}

impl LeafProof {
    /// Reads what the attestation claims, to find out whose keys to verify with.
    ///
    /// # Errors
    /// Not an attestation of this network.
    pub fn claims(&self, network: NetworkId) -> Result<LeafAttestation, DecodeError> {
        LeafAttestation::decode(self.attestation.bytes(), network)
    }

    /// Reads the proof, to be verified.
    ///
    /// # Errors
    /// As [`LeafProof::claims`].
    pub fn claim(&self, network: NetworkId) -> Result<LeafClaim<'_>, DecodeError> {
        Ok(LeafClaim { leaf: self.claims(network)?, proof: self })
    }
}

/// A well-formed proof whose signatures have not been verified. What it says is a claim.
#[derive(Debug, Clone)]
pub struct LeafClaim<'a> {
    leaf: LeafAttestation,
    proof: &'a LeafProof,
}

impl<'a> LeafClaim<'a> {
    /// What it claims, to find out whose keys to verify it with.
    #[must_use]
    pub const fn leaf(&self) -> &LeafAttestation {
        &self.leaf
    }

    /// The proof as it came.
    #[must_use]
    pub const fn proof(&self) -> &'a LeafProof {
        self.proof
    }

    /// Verifies both signatures: under the hospital's key and, for a patient, under the consent's.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn verify(&self, hospital: &VerifyingKey, consent: &VerifyingKey) -> Result<LeafAttestation, ProofError> {
        self.to_check(*hospital, *consent)?
            .try_for_each(|(key, signed)| key.verify(signed.bytes(), signed.signature()))?;
        Ok(self.leaf.clone())
    }

    /// The signatures that prove it, each with the key under which it has to verify.
    ///
    /// # Errors
    /// [`ProofError::Pledge`] and [`ProofError::OtherLeaf`].
    pub fn to_check(
        &self,
        hospital: VerifyingKey,
        consent_key: VerifyingKey,
    ) -> Result<impl Iterator<Item = (VerifyingKey, &'a SignedBytes)>, ProofError> {
        let pledge = match (self.leaf.role, &self.proof.pledge) {
            (PersonRole::Clinician, None) => None,
            (PersonRole::Patient, Some(signed)) => {
                let LeafAttestation { network, consent, leaf_key, .. } = self.leaf;
                let pledged = LeafPledge { network, consent, leaf_key };
                if pledged.encode() != signed.bytes() {
                    return Err(ProofError::OtherLeaf);
                }
                Some((consent_key, signed))
            }
            _ => return Err(ProofError::Pledge),
        };
        Ok(std::iter::once((hospital, &self.proof.attestation)).chain(pledge))
    }
}

impl Record for LeafProof {
    const NAME: &'static str = "leaf proof";

    fn write(&self, writer: &mut Writer) {
        self.attestation.write(writer);
        write_option(writer, self.pledge.as_ref(), SignedBytes::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let attestation = SignedBytes::read(reader)?;
        Ok(Self { attestation, pledge: read_option(reader, "pledge", SignedBytes::read)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;
    use crate::signature::SigningKey;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32])
    }

    fn attestation(role: PersonRole) -> LeafAttestation {
        LeafAttestation {
            network: NETWORK,
            channel: ChannelId::from_bytes([1; 16]),
            hospital: OrganisationId::new("north").unwrap(),
            participant: ParticipantId::from_bytes([2; 16]),
            leaf_key: key(3).verifying_key(),
            role,
            consent: ConsentId::from_bytes([4; 16]),
            expires: Timestamp::from_millis(5),
        }
    }

    fn proof(role: PersonRole, leaf: u8, signer: Option<u8>) -> LeafProof {
        let consent = ConsentId::from_bytes([4; 16]);
        let pledge = |by| LeafPledge { network: NETWORK, consent, leaf_key: key(leaf).verifying_key() }.sign(&key(by));
        LeafProof {
            attestation: attestation(role).sign(&key(8)).into_parts().1,
            pledge: signer.map(|by| pledge(by).into_parts().1),
        }
    }

    #[test]
    fn a_patients_leaf_needs_the_consent_key() {
        let (hospital, consent) = (key(8).verifying_key(), key(9).verifying_key());
        let verify = |proof: LeafProof| proof.claim(NETWORK).unwrap().verify(&hospital, &consent);
        assert!(verify(proof(PersonRole::Patient, 3, Some(9))).is_ok());
        assert!(verify(proof(PersonRole::Clinician, 3, None)).is_ok());
        assert_eq!(verify(proof(PersonRole::Patient, 3, None)), Err(ProofError::Pledge));
        assert_eq!(verify(proof(PersonRole::Clinician, 3, Some(9))), Err(ProofError::Pledge));
        assert_eq!(verify(proof(PersonRole::Patient, 6, Some(9))), Err(ProofError::OtherLeaf));
        assert!(matches!(verify(proof(PersonRole::Patient, 3, Some(8))), Err(ProofError::Signature(_))));
        let stranger = proof(PersonRole::Clinician, 3, None).claim(NETWORK).unwrap().verify(&consent, &consent);
        assert!(matches!(stranger, Err(ProofError::Signature(_))));
    }

    #[test]
    fn the_decoders_are_strict() {
        let leaf = attestation(PersonRole::Patient);
        assert_strict(&leaf.encode(), |bytes| LeafAttestation::decode(bytes, NETWORK), Statement::encode);
        assert_strict(&Record::encode(&proof(PersonRole::Patient, 3, Some(9))), LeafProof::decode, Record::encode);
        let revocation = LeafRevocation {
            network: NETWORK,
            channel: leaf.channel,
            hospital: leaf.hospital,
            participant: leaf.participant,
            time: Timestamp::from_millis(6),
        };
        assert_strict(&revocation.encode(), |bytes| LeafRevocation::decode(bytes, NETWORK), Statement::encode);
    }
}
