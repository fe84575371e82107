//! A call that peers endorsed, ready for the orderers.

use prost::Message;

use crate::block::{Action, proposal_hash};
use crate::commit::Commit;
use crate::error::{CallError, Stage};
use crate::gateway::{Gateway, Network};
use crate::identity::{SignError, digest};
use crate::proposal::Proposal;
use crate::proto::common::{ChannelHeader, Envelope, Payload};
use crate::proto::gateway::SubmitRequest;
use crate::proto::gateway::gateway_client::GatewayClient;

/// An endorsed transaction. It is the proposal's own: its headers were compared, and what the endorsers answered to.
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
    /// Reads what the gateway prepared, and checks that it is what was asked for: whoever signs it must not be made to
    /// sign something else.
    pub(crate) fn read(proposal: &Proposal, envelope: Envelope) -> Result<Self, &'static str> {
        let (header, payload) = proposal.parts().ok_or("the proposal itself")?;
        let prepared = Payload::decode(envelope.payload.as_slice()).map_err(|_| "the payload")?;
        if prepared.header.as_ref() != Some(&header) {
            return Err("it is of another transaction, or of another creator");
        }
        let action = action(&prepared)?;
        let asked = proposal_hash(&header.channel_header, &header.signature_header, &payload);
        if !action.of_proposal || action.proposal_hash != asked {
            return Err("the endorsers answered to another proposal");
        }
        Self::of(&proposal.contract().network, proposal.transaction_id(), envelope, action)
    }

    /// Takes up a transaction that was prepared elsewhere.
    pub(crate) fn resume(gateway: &Gateway, envelope: Envelope) -> Result<Self, &'static str> {
        let payload = Payload::decode(envelope.payload.as_slice()).map_err(|_| "the payload")?;
        let header = payload.header.as_ref().ok_or("the header")?;
        let channel = ChannelHeader::decode(header.channel_header.as_slice()).map_err(|_| "the channel header")?;
        let action = action(&payload)?;
        Self::of(&gateway.network(&channel.channel_id), &channel.tx_id, envelope, action)
    }

    fn of(network: &Network, id: &str, envelope: Envelope, action: Action) -> Result<Self, &'static str> {
        let endorsers: Vec<String> = action.endorsements.into_iter().map(|one| one.endorser.msp_id).collect();
        if endorsers.is_empty() || endorsers.iter().any(String::is_empty) {
            return Err("the list of endorsers");
        }
        let (network, transaction_id) = (network.clone(), id.to_owned());
        Ok(Self { network, transaction_id, envelope, result: action.response, endorsers })
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
        let request = SubmitRequest {
            transaction_id: self.transaction_id.clone(),
            channel_id: self.network.channel().to_owned(),
            prepared_transaction: Some(self.envelope.clone()),
        };
        let about = (Stage::Submit, self.transaction_id());
        let call = async |mut client: GatewayClient<_>, request| client.submit(request).await;
        match gateway.ask(about, gateway.inner.deadlines.submit, request, call).await {
            Ok(_) => Ok(self.commit()),
            Err(error) if error.is_known_to_orderers() => Ok(self.commit()),
            Err(error) => Err(error),
        }
    }

    /// What may have become of it, whether or not its submission was confirmed.
    pub fn commit(&self) -> Commit {
        Commit::new(&self.network, &self.transaction_id)
    }
}

fn action(payload: &Payload) -> Result<Action, &'static str> {
    let header = payload.header.as_ref().ok_or("the header")?;
    Action::read(&payload.data, (&header.channel_header, &header.signature_header)).map_err(|_| "the endorsed action")
}
