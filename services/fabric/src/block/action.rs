//! What a transaction called, and what came of it on its endorsers' peers.

use prost::Message;
use sha2::{Digest, Sha256};

use super::BlockError;
use super::rwset::Namespace;
use super::signed::{Creator, SignatureError};
use crate::proto::protos::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEvent, ChaincodeInvocationSpec, ChaincodeProposalPayload,
    ProposalResponsePayload, Transaction,
};
use crate::proto::rwset::TxReadWriteSet;

/// Most endorsements that are read.
const ENDORSEMENTS_MAX: usize = 256;
/// Most namespaces that are read.
const NAMESPACES_MAX: usize = 256;

/// A call with its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The chaincode.
    pub chaincode: String,
    /// The function and its arguments.
    pub arguments: Vec<Vec<u8>>,
    /// What the chaincode returned.
    pub response: Vec<u8>,
    /// The response's status.
    pub status: i32,
    /// Its event.
    pub event: Option<Event>,
    /// What was read and written.
    pub namespaces: Vec<Namespace>,
    /// Who endorsed it.
    pub endorsements: Vec<Endorsement>,
    /// The hash of the proposal that the endorsers answered.
    pub proposal_hash: Vec<u8>,
    /// Whether it is that of the proposal in this very transaction.
    pub of_proposal: bool,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// An endorser's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// Who endorsed.
    pub endorser: Creator,
    /// What was signed.
    pub bytes: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Endorsement {
    /// Checks the signature.
    ///
    /// # Errors
    /// It is not by the endorser.
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.endorser.certificate()?.verify(&self.bytes, &self.signature)
    }
}

impl Action {
    pub(crate) fn read(data: &[u8], (channel, signature): (&[u8], &[u8])) -> Result<Self, BlockError> {
        let malformed = |what| move |_: prost::DecodeError| BlockError::Malformed(what);
        let transaction = Transaction::decode(data).map_err(malformed("transaction"))?;
        let [action] = <[_; 1]>::try_from(transaction.actions).map_err(|_| BlockError::Malformed("list of actions"))?;
        let payload = ChaincodeActionPayload::decode(action.payload.as_slice()).map_err(malformed("action"))?;
        let endorsed = payload.action.ok_or(BlockError::Missing("endorsed action"))?;
        let response = ProposalResponsePayload::decode(endorsed.proposal_response_payload.as_slice())
            .map_err(malformed("proposal response"))?;
        let result = ChaincodeAction::decode(response.extension.as_slice()).map_err(malformed("chaincode action"))?;
        // The payload here is already without private input, as it was when the endorser hashed it.
        let proposal = proposal_hash(channel, signature, &payload.chaincode_proposal_payload);
        if endorsed.endorsements.len() > ENDORSEMENTS_MAX {
            return Err(BlockError::TooMany("endorsements", endorsed.endorsements.len()));
        }
        let endorsements = endorsed.endorsements.into_iter().map(|one| Endorsement {
            endorser: Creator::read(&one.endorser),
            bytes: [endorsed.proposal_response_payload.as_slice(), &one.endorser].concat(),
            signature: one.signature,
        });
        let (status, returned) =
            result.response.map_or((0, Vec::new()), |response| (response.status, response.payload));
        let (chaincode, arguments) = call(&payload.chaincode_proposal_payload)?;
        Ok(Self {
            chaincode,
            arguments,
            response: returned,
            status,
            event: event(&result.events)?,
            namespaces: namespaces(&result.results)?,
            endorsements: endorsements.collect(),
            of_proposal: response.proposal_hash == proposal,
            proposal_hash: response.proposal_hash,
        })
    }
}

/// What endorsers answer to: the proposal's headers and its payload without private input.
pub(crate) fn proposal_hash(channel_header: &[u8], signature_header: &[u8], payload: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(channel_header).chain_update(signature_header);
    hash.chain_update(payload).finalize().into()
}

fn call(payload: &[u8]) -> Result<(String, Vec<Vec<u8>>), BlockError> {
    let malformed = |_| BlockError::Malformed("proposal");
    let payload = ChaincodeProposalPayload::decode(payload).map_err(malformed)?;
    let spec = ChaincodeInvocationSpec::decode(payload.input.as_slice()).map_err(malformed)?;
    let spec = spec.chaincode_spec.unwrap_or_default();
    Ok((spec.chaincode_id.unwrap_or_default().name, spec.input.unwrap_or_default().args))
}

fn event(bytes: &[u8]) -> Result<Option<Event>, BlockError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let event = ChaincodeEvent::decode(bytes).map_err(|_| BlockError::Malformed("event"))?;
    Ok(Some(Event { name: event.event_name, payload: event.payload }).filter(|event| !event.name.is_empty()))
}

fn namespaces(results: &[u8]) -> Result<Vec<Namespace>, BlockError> {
    let set = TxReadWriteSet::decode(results).map_err(|_| BlockError::Malformed("read-write set"))?;
    // None is left out: a write that an auditor does not see would be one that nobody checks.
    if set.ns_rwset.len() > NAMESPACES_MAX {
        return Err(BlockError::TooMany("namespaces", set.ns_rwset.len()));
    }
    set.ns_rwset.into_iter().map(Namespace::read).collect()
}
