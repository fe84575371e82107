//! Calling other hospitals' nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use semblance_core::id::OrganisationId;
use semblance_core::record::Record;
use semblance_proto::v1;
use semblance_proto::v1::channels_client::ChannelsClient;
use tonic::transport::Channel;

use crate::limits::CALL_BYTES_MAX;
use crate::node::Peers;
use crate::wire::{Answer, HubCall, Refusal};

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Connections to the other hospitals' nodes, each made when it is first used and again whenever it breaks.
pub type Connections = BTreeMap<OrganisationId, Channel>;

/// The other hospitals' nodes over gRPC.
pub struct RelayClient {
    connections: Connections,
}

impl RelayClient {
    /// Over connections that show this hospital's certificate and verify the other's.
    #[must_use]
    pub const fn new(connections: Connections) -> Self {
        Self { connections }
    }
}

#[async_trait]
impl Peers for RelayClient {
    async fn call(&self, hospital: &OrganisationId, call: HubCall) -> Result<Answer, Refusal> {
        let Some(connection) = self.connections.get(hospital) else {
            tracing::warn!(%hospital, "no address of this hospital's node is configured");
            return Err(Refusal::HubAway);
        };
        let mut client = ChannelsClient::new(connection.clone())
            .max_decoding_message_size(CALL_BYTES_MAX)
            .max_encoding_message_size(CALL_BYTES_MAX);
        let request = v1::ChannelCall { call: call.encode() };
        let answer = tokio::time::timeout(TIMEOUT, client.call(request)).await;
        let answer = match answer {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => {
                tracing::debug!(%hospital, %status, "a hospital's node cannot be reached");
                return Err(Refusal::HubAway);
            }
            Err(_) => return Err(Refusal::HubAway),
        };
        if answer.refusal.is_empty() {
            return Answer::decode(&answer.answer).map_err(|_| Refusal::Failed);
        }
        Err(Refusal::from_word(&answer.refusal).unwrap_or(Refusal::Failed))
    }
}
