//! A call of a chaincode, before anybody endorsed it.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use prost_types::Timestamp;
use sha2::{Digest, Sha256};

use crate::commit::Status;
use crate::error::{CallError, CommitError, Stage, SubmitError};
use crate::gateway::{Contract, Gateway};
use crate::identity::{SignError, digest};
use crate::proto::common::{ChannelHeader, Header, HeaderType, SignatureHeader};
use crate::proto::gateway::gateway_client::GatewayClient;
use crate::proto::gateway::{EndorseRequest, EvaluateRequest};
use crate::proto::protos::chaincode_spec::Type;
use crate::proto::protos::{
    ChaincodeHeaderExtension, ChaincodeId, ChaincodeInput, ChaincodeInvocationSpec, ChaincodeProposalPayload,
    ChaincodeSpec, Proposal as ProposalMessage, SignedProposal,
};
use crate::transaction::Transaction;

/// The id of a transaction: the hexadecimal SHA-256 of nonce and creator.
#[must_use]
pub fn transaction_id(nonce: &[u8], creator: &[u8]) -> String {
    hex::encode(Sha256::new().chain_update(nonce).chain_update(creator).finalize())
}

/// A call that is being put together.
#[must_use]
pub struct ProposalBuilder {
    contract: Contract,
    arguments: Vec<Vec<u8>>,
    transient: HashMap<String, Vec<u8>>,
    organisations: Vec<String>,
}

impl ProposalBuilder {
    pub(crate) fn new(contract: Contract, function: &str) -> Self {
        let arguments = vec![function.as_bytes().to_vec()];
        Self { contract, arguments, transient: HashMap::new(), organisations: Vec::new() }
    }

    /// Adds arguments, which every member of the channel will see.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// Adds private input, which goes to the endorsing peers and into no block.
    pub fn transient(mut self, transient: BTreeMap<String, Vec<u8>>) -> Self {
        self.transient.extend(transient);
        self
    }

    /// Names the members whose peers endorse, or run the query; none leaves the choice to the gateway.
    pub fn organisations(mut self, organisations: impl IntoIterator<Item = String>) -> Self {
        self.organisations.extend(organisations);
        self
    }

    /// Makes the proposal, under a new transaction id.
    ///
    /// # Errors
    /// The signer refuses.
    pub fn build(self) -> Result<Proposal, SignError> {
        let mut proposal = self.unsigned();
        proposal.signature = proposal.gateway().sign(&proposal.bytes)?;
        Ok(proposal)
    }

    /// Makes the proposal for a signature that is made elsewhere; see [`Proposal::signed_by`].
    pub fn unsigned(self) -> Proposal {
        let network = &self.contract.network;
        let inner = &network.gateway.inner;
        let (nonce, creator) = ((inner.sources.nonce)(), inner.identity.bytes());
        let transaction_id = transaction_id(&nonce, creator);
        let chaincode_id = ChaincodeId { name: self.contract.chaincode.to_string(), ..ChaincodeId::default() };
        let extension = ChaincodeHeaderExtension { chaincode_id: Some(chaincode_id.clone()) };
        let channel_header = ChannelHeader {
            r#type: HeaderType::EndorserTransaction.into(),
            timestamp: Some(Timestamp::from((inner.sources.now)())),
            channel_id: network.channel.to_string(),
            tx_id: transaction_id.clone(),
            extension: extension.encode_to_vec(),
            ..ChannelHeader::default()
        };
        let signature_header = SignatureHeader { creator: creator.to_vec(), nonce: nonce.to_vec() };
        let header = Header {
            channel_header: channel_header.encode_to_vec(),
            signature_header: signature_header.encode_to_vec(),
        };
        let input = ChaincodeInput { args: self.arguments, ..ChaincodeInput::default() };
        let spec = ChaincodeSpec {
            r#type: Type::Undefined.into(),
            chaincode_id: Some(chaincode_id),
            input: Some(input),
            timeout: 0,
        };
        let input = ChaincodeInvocationSpec { chaincode_spec: Some(spec) }.encode_to_vec();
        let payload = ChaincodeProposalPayload { input, transient_map: self.transient }.encode_to_vec();
        let bytes = ProposalMessage { header: header.encode_to_vec(), payload, extension: Vec::new() }.encode_to_vec();
        Proposal {
            contract: self.contract,
            transaction_id,
            bytes,
            signature: Vec::new(),
            organisations: self.organisations,
        }
    }
}

/// A call with its transaction id, signed.
#[derive(Clone)]
#[must_use]
pub struct Proposal {
    contract: Contract,
    transaction_id: String,
    bytes: Vec<u8>,
    signature: Vec<u8>,
    organisations: Vec<String>,
}

/// A transaction that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub transaction_id: String,
    /// The block that holds it.
    pub block: u64,
    /// What the chaincode returned.
    pub result: Vec<u8>,
}

impl Proposal {
    /// The transaction's id.
    #[must_use]
    pub fn transaction_id(&self) -> &str {
        &self.transaction_id
    }

    /// The bytes that are signed. They hold the private input.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is signed of them.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.bytes)
    }

    /// Takes a signature that was made elsewhere.
    pub fn signed_by(self, signature: Vec<u8>) -> Self {
        Self { signature, ..self }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.contract.network.gateway
    }

    pub(crate) fn contract(&self) -> &Contract {
        &self.contract
    }

    /// The header, and the payload without private input: what its endorsers answer to.
    pub(crate) fn parts(&self) -> Option<(Header, Vec<u8>)> {
        let proposal = ProposalMessage::decode(self.bytes.as_slice()).ok()?;
        let payload = ChaincodeProposalPayload::decode(proposal.payload.as_slice()).ok()?;
        let public = ChaincodeProposalPayload { input: payload.input, transient_map: HashMap::new() };
        Some((Header::decode(proposal.header.as_slice()).ok()?, public.encode_to_vec()))
    }

    /// Takes up a proposal that was made elsewhere.
    pub(crate) fn resume(gateway: &Gateway, bytes: Vec<u8>, signature: Vec<u8>) -> Result<Self, &'static str> {
        let proposal = ProposalMessage::decode(bytes.as_slice()).map_err(|_| "the proposal")?;
        let header = Header::decode(proposal.header.as_slice()).map_err(|_| "the header")?;
        let channel = ChannelHeader::decode(header.channel_header.as_slice()).map_err(|_| "the channel header")?;
        let extension = ChaincodeHeaderExtension::decode(channel.extension.as_slice()).map_err(|_| "the extension")?;
        let chaincode = extension.chaincode_id.ok_or("the name of the chaincode")?.name;
        let contract = gateway.network(&channel.channel_id).contract(&chaincode);
        Ok(Self { contract, transaction_id: channel.tx_id, bytes, signature, organisations: Vec::new() })
    }

    /// Names the members whose peers endorse, or run the query; it is not part of what is signed.
    pub fn organisations(self, organisations: impl IntoIterator<Item = String>) -> Self {
        Self { organisations: organisations.into_iter().collect(), ..self }
    }

    fn message(&self) -> SignedProposal {
        SignedProposal { proposal_bytes: self.bytes.clone(), signature: self.signature.clone() }
    }

    /// Runs it as a query on one peer; nothing is written.
    ///
    /// # Errors
    /// No peer answers, or the chaincode refuses.
    pub async fn evaluate(&self) -> Result<Vec<u8>, CallError> {
        let request = EvaluateRequest {
            transaction_id: self.transaction_id.clone(),
            channel_id: self.contract.network.channel.to_string(),
            proposed_transaction: Some(self.message()),
            target_organizations: self.organisations.clone(),
        };
        let (about, gateway) = ((Stage::Evaluate, self.transaction_id()), self.gateway());
        let call = async |mut client: GatewayClient<_>, request| client.evaluate(request).await;
        let answer = gateway.ask(about, gateway.inner.deadlines.evaluate, request, call).await?;
        let result = answer.result.ok_or_else(|| self.malformed(Stage::Evaluate, "there is no result"))?;
        Ok(result.payload)
    }

    /// Has it endorsed.
    ///
    /// # Errors
    /// Not enough peers answer, one refuses, or they disagree. Nothing was sent to the orderers.
    pub async fn endorse(&self) -> Result<Transaction, CallError> {
        let request = EndorseRequest {
            transaction_id: self.transaction_id.clone(),
            channel_id: self.contract.network.channel.to_string(),
            proposed_transaction: Some(self.message()),
            endorsing_organizations: self.organisations.clone(),
        };
        let (about, gateway) = ((Stage::Endorse, self.transaction_id()), self.gateway());
        let call = async |mut client: GatewayClient<_>, request| client.endorse(request).await;
        let answer = gateway.ask(about, gateway.inner.deadlines.endorse, request, call).await?;
        let envelope =
            answer.prepared_transaction.ok_or_else(|| self.malformed(Stage::Endorse, "there is no transaction"))?;
        Transaction::read(self, envelope).map_err(|what| self.malformed(Stage::Endorse, what))
    }

    /// Endorses, submits, and waits until it stands in a block and took effect.
    ///
    /// # Errors
    /// A stage fails, or it did not take effect.
    pub async fn submit(&self) -> Result<Submitted, SubmitError> {
        let mut transaction = self.endorse().await?;
        transaction.sign().map_err(|error| CallError::unsigned(Stage::Submit, &self.transaction_id, &error))?;
        let result = transaction.result().to_vec();
        let Status { transaction_id, code, block } = transaction.submit().await?.status().await?;
        if code != 0 {
            return Err(CommitError { transaction_id, code, block }.into());
        }
        Ok(Submitted { transaction_id, block, result })
    }

    fn malformed(&self, stage: Stage, what: &str) -> CallError {
        CallError::malformed(stage, &self.transaction_id, what)
    }
}
