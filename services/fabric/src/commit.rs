//! What became of a submitted transaction.

use prost::Message;

use crate::error::{CallError, Stage};
use crate::gateway::{Gateway, Network};
use crate::identity::digest;
use crate::proto::gateway::gateway_client::GatewayClient;
use crate::proto::gateway::{CommitStatusRequest, SignedCommitStatusRequest};

/// The question what became of a transaction. Any gateway of the channel can be asked it.
#[derive(Clone)]
#[must_use]
pub struct Commit {
    network: Network,
    transaction_id: String,
    request: Vec<u8>,
    signature: Option<Vec<u8>>,
}

/// A transaction that stands in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its id.
    pub transaction_id: String,
    /// Its validation code ([`crate::proto::protos::TxValidationCode`]); 0 took effect.
    pub code: i32,
    /// The block.
    pub block: u64,
}

impl Commit {
    /// Asks about a transaction of one's own.
    pub fn new(network: &Network, transaction_id: &str) -> Self {
        let request = CommitStatusRequest {
            transaction_id: transaction_id.to_owned(),
            channel_id: network.channel().to_owned(),
            identity: network.gateway.identity().bytes().to_vec(),
        };
        let (network, request) = (network.clone(), request.encode_to_vec());
        Self { network, transaction_id: transaction_id.to_owned(), request, signature: None }
    }

    /// Takes up a question that was put together elsewhere.
    pub(crate) fn resume(gateway: &Gateway, request: Vec<u8>, signature: Vec<u8>) -> Result<Self, &'static str> {
        let asked = CommitStatusRequest::decode(request.as_slice()).map_err(|_| "the request")?;
        let network = gateway.network(&asked.channel_id);
        Ok(Self { network, transaction_id: asked.transaction_id, request, signature: Some(signature) })
    }

    /// The transaction's id.
    #[must_use]
    pub fn transaction_id(&self) -> &str {
        &self.transaction_id
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.request
    }

    /// What is signed of them.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.request)
    }

    /// Takes a signature that was made elsewhere.
    pub fn signed_by(self, signature: Vec<u8>) -> Self {
        Self { signature: Some(signature), ..self }
    }

    /// Waits until the transaction stands in a block of the gateway's peer.
    ///
    /// # Errors
    /// The peer cannot be reached, or no such transaction was committed in time; it may be later.
    pub async fn status(&self) -> Result<Status, CallError> {
        let gateway = &self.network.gateway;
        let unsigned = |error| CallError::unsigned(Stage::CommitStatus, &self.transaction_id, &error);
        let signature = match &self.signature {
            Some(signature) => signature.clone(),
            None => gateway.sign(&self.request).map_err(unsigned)?,
        };
        let request = SignedCommitStatusRequest { request: self.request.clone(), signature };
        let about = (Stage::CommitStatus, self.transaction_id());
        let call = async |mut client: GatewayClient<_>, request| client.commit_status(request).await;
        let answer = gateway.ask(about, gateway.inner.deadlines.commit, request, call).await?;
        Ok(Status { transaction_id: self.transaction_id.clone(), code: answer.result, block: answer.block_number })
    }
}
