//! A call that peers endorsed, ready for the orderers.

use prost::Message;
use tonic::Request;

use crate::commit::Commit;
use crate::error::{CallError, Stage};
use crate::gateway::Network;
use crate::identity::{SignError, digest};
use crate::proposal::Proposal;
use crate::proto::common::{ChannelHeader, Envelope, Payload, SignatureHeader};
use crate::proto::gateway::SubmitRequest;
use crate::proto::msp::SerializedIdentity;
use crate::proto::protos::{
    ChaincodeAction, ChaincodeActionPayload, ProposalResponsePayload, Transaction as TransactionMessage,
};

/// An endorsed transaction. It is the proposal's own: channel, id and creator were compared.
#[derive(Clone)]
#[must_use]
pub struct Transaction {
    network: Network,
    transaction_id: String,
    envelope: Envelope,
    result: Vec<u8>,
    endorsers: Vec<String>,
}

impl Transaction {
    /// Reads what the gateway prepared, and checks that it is what was asked for.
    pub(crate) fn read(proposal: &Proposal, envelope: Envelope) -> Result<Self, &'static str> {
        let contract = proposal.contract();
        let payload = Payload::decode(envelope.payload.as_slice()).map_err(|_| "the payload")?;
        let header = payload.header.ok_or("the header is missing")?;
        let channel = ChannelHeader::decode(header.channel_header.as_slice()).map_err(|_| "the channel header")?;
        let signature = SignatureHeader::decode(header.signature_header.as_slice()).map_err(|_| "the creator")?;
        if channel.channel_id != contract.network.channel() || channel.tx_id != proposal.transaction_id() {
            return Err("it is of another transaction");
        }
        if signature.creator != proposal.gateway().identity().bytes() {
            return Err("it is of another creator");
        }
        let (result, endorsers) = endorsed(&payload.data).ok_or("the endorsed action")?;
        Ok(Self {
            network: contract.network.clone(),
            transaction_id: proposal.transaction_id().to_owned(),
            envelope,
            result,
            endorsers,
        })
    }

    /// The transaction's id.
    #[must_use]
    pub fn transaction_id(&self) -> &str {
        &self.transaction_id
    }

    /// What the chaincode returned.
    #[must_use]
    pub fn result(&self) -> &[u8] {
        &self.result
    }

    /// The members whose peers endorsed.
    #[must_use]
    pub fn endorsers(&self) -> &[String] {
        &self.endorsers
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.envelope.payload
    }

    /// What is signed of them.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.envelope.payload)
    }

    /// Takes a signature that was made elsewhere.
    pub fn signed_by(mut self, signature: Vec<u8>) -> Self {
        self.envelope.signature = signature;
        self
    }

    /// Signs it with the gateway's own identity.
    ///
    /// # Errors
    /// The signer refuses.
    pub fn sign(&mut self) -> Result<(), SignError> {
        self.envelope.signature = self.network.gateway.sign(&self.envelope.payload)?;
        Ok(())
    }

    /// Hands it to the orderers. Where they are Byzantine fault tolerant the gateway sends it to each of them; one that
    /// has it from another already refuses it as known, which is success.
    ///
    /// # Errors
    /// No orderer confirmed it. It may have been taken all the same: ask [`Transaction::commit`] for its status.
    pub async fn submit(&self) -> Result<Commit, CallError> {
        let gateway = &self.network.gateway;
        let mut request = Request::new(SubmitRequest {
            transaction_id: self.transaction_id.clone(),
            channel_id: self.network.channel().to_owned(),
            prepared_transaction: Some(self.envelope.clone()),
        });
        request.set_timeout(gateway.inner.deadlines.submit);
        match gateway.client().submit(request).await {
            Ok(_) => Ok(self.commit()),
            Err(status) => match CallError::new(Stage::Submit, &self.transaction_id, &status) {
                error if error.is_known_to_orderers() => Ok(self.commit()),
                error => Err(error),
            },
        }
    }

    /// What may have become of it, whether or not its submission was confirmed.
    pub fn commit(&self) -> Commit {
        Commit::new(&self.network, &self.transaction_id)
    }
}

/// What the chaincode returned, and who endorsed it.
fn endorsed(data: &[u8]) -> Option<(Vec<u8>, Vec<String>)> {
    let action = TransactionMessage::decode(data).ok()?.actions.into_iter().next()?;
    let action = ChaincodeActionPayload::decode(action.payload.as_slice()).ok()?.action?;
    let response = ProposalResponsePayload::decode(action.proposal_response_payload.as_slice()).ok()?;
    let response = ChaincodeAction::decode(response.extension.as_slice()).ok()?.response?;
    let identities = action.endorsements.iter();
    let identities = identities.map(|one| SerializedIdentity::decode(one.endorser.as_slice()).ok());
    let endorsers = identities.map(|identity| identity.map(|identity| identity.mspid)).collect::<Option<_>>()?;
    Some((response.payload, endorsers))
}
