//! A ledger proposal: what an organisation's node signs to have the contract called.

use std::collections::BTreeMap;

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{Digest, NetworkId, OrganisationId, TransactionId};
use crate::limits::{
    ARGUMENTS_MAX, FUNCTION_NAME_MAX, ORGANISATIONS_MAX, PROPOSAL_BYTES_MAX, TRANSIENT_NAME_MAX, TRANSIENTS_MAX,
};
use crate::organisation::Role;
use crate::signature::{Signature, SignatureError, SigningKey, Statement, VerifyingKey};
use crate::time::Timestamp;

/// Private input of a proposal, by name; a block holds its hash alone.
pub type Transient = BTreeMap<String, Vec<u8>>;

/// Why a proposal is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// The function's name is empty, too long or not made of a-z and '_'.
    #[error("a function's name has 1 to {limit} characters from a-z and '_'")]
    Function {
        /// The longest name.
        limit: usize,
    },
    /// Arguments and transient data are too large together.
    #[error("the proposal has {bytes} bytes with its transient data, {limit} are allowed: send less at once")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Too many arguments.
    #[error("the proposal has {count} arguments, {limit} are allowed")]
    Arguments {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Too many transient values, or a name that is empty or too long.
    #[error("transient data has at most {values} values with names of 1 to {name} bytes")]
    Transient {
        /// How many there may be.
        values: usize,
        /// The longest name.
        name: usize,
    },
    /// Too many endorsers, or one twice.
    #[error("a proposal names at most {limit} endorsers, each once")]
    Endorsers {
        /// How many there may be.
        limit: usize,
    },
    /// The transient data that came along are not those that were signed.
    #[error("the transient data are not those of the signed proposal")]
    TransientHash,
    /// The bytes are no proposal.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The signature is not by the organisation's key.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// What is asked of the contract, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalParts {
    /// The network.
    pub network: NetworkId,
    /// Random bytes, fresh for every proposal, so that no two have one id.
    pub nonce: [u8; 24],
    /// Who submits.
    pub organisation: OrganisationId,
    /// In which role.
    pub role: Role,
    /// SHA-256 of the certificate (DER) that the submitter's connections show.
    pub certificate: [u8; 32],
    /// When, by the submitter's clock.
    pub timestamp: Timestamp,
    /// The contract's function.
    pub function: String,
    /// Its arguments, visible to every member.
    pub arguments: Vec<Vec<u8>>,
    /// [`transient_hash`] of the private input.
    pub transient: Digest,
    /// Whose peers shall endorse, in ascending order.
    pub endorsers: Vec<OrganisationId>,
}

/// A checked proposal; reads like its [`ProposalParts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal(ProposalParts);

impl Proposal {
    /// Checks the parts and puts the endorsers in order.
    ///
    /// # Errors
    /// A limit is exceeded, an endorser stands twice, or the function's name is none.
    pub fn new(mut parts: ProposalParts) -> Result<Self, ProposalError> {
        parts.endorsers.sort();
        let proposal = Self(parts).checked()?;
        check_size(proposal.encode().len())?;
        Ok(proposal)
    }

    fn checked(self) -> Result<Self, ProposalError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let length = self.function.len();
        if length == 0 || length > FUNCTION_NAME_MAX || !self.function.bytes().all(allowed) {
            return Err(ProposalError::Function { limit: FUNCTION_NAME_MAX });
        }
        if self.arguments.len() > ARGUMENTS_MAX {
            return Err(ProposalError::Arguments { count: self.arguments.len(), limit: ARGUMENTS_MAX });
        }
        let ascending = self.endorsers.is_sorted_by(|left, right| left < right);
        if self.endorsers.len() > ORGANISATIONS_MAX || !ascending {
            return Err(ProposalError::Endorsers { limit: ORGANISATIONS_MAX });
        }
        Ok(self)
    }

    /// Signs it with the submitting organisation's key.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedProposal {
        let bytes = self.encode();
        let signature = key.sign(&bytes);
        SignedProposal { id: id_of(&bytes), proposal: self, bytes, signature }
    }
}

impl std::ops::Deref for Proposal {
    type Target = ProposalParts;

    fn deref(&self) -> &ProposalParts {
        &self.0
    }
}

impl Statement for Proposal {
    const DOMAIN: &'static str = domain::PROPOSAL;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.nonce);
        self.organisation.write(writer);
        self.role.write(writer);
        writer.raw(&self.certificate);
        self.timestamp.write(writer);
        writer.text(&self.function);
        writer.count(self.arguments.len());
        for argument in &self.arguments {
            writer.bytes(argument);
        }
        self.transient.write(writer);
        writer.count(self.endorsers.len());
        for endorser in &self.endorsers {
            endorser.write(writer);
        }
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let parts = ProposalParts {
            network,
            nonce: reader.array("nonce")?,
            organisation: OrganisationId::read(reader)?,
            role: Role::read(reader)?,
            certificate: reader.array("certificate digest")?,
            timestamp: Timestamp::read(reader, "timestamp")?,
            function: reader.text("function", FUNCTION_NAME_MAX)?.to_owned(),
            arguments: (0..reader.count("arguments", ARGUMENTS_MAX)?)
                .map(|_| reader.bytes("argument", PROPOSAL_BYTES_MAX).map(<[u8]>::to_vec))
                .collect::<Result<_, _>>()?,
            transient: Digest::read(reader)?,
            endorsers: (0..reader.count("endorsers", ORGANISATIONS_MAX)?)
                .map(|_| OrganisationId::read(reader))
                .collect::<Result<_, _>>()?,
        };
        Self(parts).checked().map_err(|_| DecodeError::Invalid {
            what: "proposal",
            why: "no function's name, or endorsers out of order",
        })
    }
}

/// A proposal with its exact bytes and a signature that has been verified or was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedProposal {
    id: TransactionId,
    proposal: Proposal,
    bytes: Vec<u8>,
    signature: Signature,
}

/// A well-formed proposal whose signature has not been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedProposal(SignedProposal);

impl UnverifiedProposal {
    /// Decodes a proposal of this network, not looking at the signature yet.
    ///
    /// # Errors
    /// Too large, or not the exact bytes of a proposal of this network.
    pub fn decode(bytes: Vec<u8>, signature: Signature, network: NetworkId) -> Result<Self, ProposalError> {
        check_size(bytes.len())?;
        let proposal = Proposal::decode(&bytes, network)?;
        Ok(Self(SignedProposal { id: id_of(&bytes), proposal, bytes, signature }))
    }

    /// What it claims, to find out whose key to verify it with.
    #[must_use]
    pub const fn claims(&self) -> &Proposal {
        &self.0.proposal
    }

    /// Verifies the signature with the key of the organisation that it names.
    ///
    /// # Errors
    /// The signature is not by this key.
    pub fn verify(self, key: &VerifyingKey) -> Result<SignedProposal, ProposalError> {
        key.verify(&self.0.bytes, &self.0.signature)?;
        Ok(self.0)
    }
}

impl SignedProposal {
    /// The transaction's id: BLAKE3 of the proposal's bytes.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// What is asked.
    #[must_use]
    pub const fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// The exact bytes that were signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Checks the private input that came along against the signed hash, and the size of both together.
    ///
    /// # Errors
    /// Other data than were signed, or too much.
    pub fn check_transient(&self, transient: &Transient) -> Result<(), ProposalError> {
        if transient_hash(transient)? != self.proposal.transient {
            return Err(ProposalError::TransientHash);
        }
        let values = transient.iter().map(|(name, value)| name.len().saturating_add(value.len()));
        check_size(values.fold(self.bytes.len(), usize::saturating_add))
    }
}

/// The transaction's id of a proposal's bytes.
fn id_of(bytes: &[u8]) -> TransactionId {
    TransactionId::from_bytes(*blake3::hash(bytes).as_bytes())
}

fn check_size(bytes: usize) -> Result<(), ProposalError> {
    if bytes > PROPOSAL_BYTES_MAX {
        return Err(ProposalError::TooLarge { bytes, limit: PROPOSAL_BYTES_MAX });
    }
    Ok(())
}

/// The hash of private input: BLAKE3 of version 1, the number of values, and for each in order of name the name and
/// the value. It confirms a guess of the data, which therefore must hold a random salt.
///
/// # Errors
/// Too many values, or a name that is empty or too long.
pub fn transient_hash(transient: &Transient) -> Result<Digest, ProposalError> {
    let named = transient.keys().all(|name| !name.is_empty() && name.len() <= TRANSIENT_NAME_MAX);
    if !named || transient.len() > TRANSIENTS_MAX {
        return Err(ProposalError::Transient { values: TRANSIENTS_MAX, name: TRANSIENT_NAME_MAX });
    }
    let mut writer = Writer::record(1);
    writer.count(transient.len());
    for (name, value) in transient {
        writer.text(name).bytes(value);
    }
    Ok(Digest::of(&writer.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn parts() -> ProposalParts {
        ProposalParts {
            network: NETWORK,
            nonce: [1; 24],
            organisation: OrganisationId::new("north").unwrap(),
            role: Role::Node,
            certificate: [2; 32],
            timestamp: Timestamp::from_millis(1_700_000_000_000),
            function: "publish_cases".into(),
            arguments: vec![b"one".to_vec(), vec![]],
            transient: transient_hash(&Transient::new()).unwrap(),
            endorsers: ["north", "matcher"].map(|name| OrganisationId::new(name).unwrap()).into(),
        }
    }

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    #[test]
    fn a_signed_proposal_passes_to_the_other_side() {
        let signed = Proposal::new(parts()).unwrap().sign(&key());
        let arrived = UnverifiedProposal::decode(signed.bytes().to_vec(), *signed.signature(), NETWORK).unwrap();
        assert_eq!(arrived.claims().organisation.as_str(), "north");
        assert_eq!(arrived.claims().endorsers[0].as_str(), "matcher");
        let other = SigningKey::from_seed(&[2; 32]).verifying_key();
        assert_eq!(arrived.clone().verify(&other), Err(ProposalError::Signature(SignatureError::Signature)));
        assert_eq!(arrived.verify(&key().verifying_key()).unwrap(), signed);
    }

    #[test]
    fn transient_data_are_bound() {
        let transient = Transient::from([("fingerprints".to_owned(), vec![1, 2])]);
        let signed = Proposal::new(ProposalParts { transient: transient_hash(&transient).unwrap(), ..parts() })
            .unwrap()
            .sign(&key());
        signed.check_transient(&transient).unwrap();
        let others = [
            Transient::new(),
            Transient::from([("fingerprints".to_owned(), vec![1, 3])]),
            Transient::from([("fingerprint".to_owned(), vec![b's', 1, 2])]),
        ];
        for other in others {
            assert_eq!(signed.check_transient(&other), Err(ProposalError::TransientHash));
        }
        let large = Transient::from([("large".to_owned(), vec![0; PROPOSAL_BYTES_MAX])]);
        let signed = Proposal::new(ProposalParts { transient: transient_hash(&large).unwrap(), ..parts() })
            .unwrap()
            .sign(&key());
        assert!(matches!(signed.check_transient(&large), Err(ProposalError::TooLarge { .. })));
        assert!(transient_hash(&Transient::from([(String::new(), vec![])])).is_err());
    }

    #[test]
    fn limits_hold() {
        let refused = |change: fn(&mut ProposalParts)| {
            let mut parts = parts();
            change(&mut parts);
            Proposal::new(parts).unwrap_err()
        };
        assert!(matches!(refused(|parts| parts.function.clear()), ProposalError::Function { .. }));
        assert!(matches!(refused(|parts| parts.function = "a/b".into()), ProposalError::Function { .. }));
        assert!(matches!(
            refused(|parts| parts.arguments = vec![vec![0; PROPOSAL_BYTES_MAX]]),
            ProposalError::TooLarge { .. }
        ));
        assert!(matches!(
            refused(|parts| parts.arguments = vec![vec![]; ARGUMENTS_MAX + 1]),
            ProposalError::Arguments { .. }
        ));
        assert!(matches!(
            refused(|parts| parts.endorsers = vec![parts.organisation.clone(); 2]),
            ProposalError::Endorsers { .. }
        ));
        let large = vec![0; PROPOSAL_BYTES_MAX + 1];
        let signature = key().sign(&large);
        assert!(matches!(UnverifiedProposal::decode(large, signature, NETWORK), Err(ProposalError::TooLarge { .. })));
    }

    #[test]
    fn the_decoder_is_strict() {
        let bytes = Proposal::new(parts()).unwrap().encode();
        assert_strict(&bytes, |bytes| Proposal::decode(bytes, NETWORK), Statement::encode);
    }
}
