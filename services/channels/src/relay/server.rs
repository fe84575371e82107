//! Serving other hospitals' nodes. A caller is the hospital whose root its certificate verifies against.

use std::sync::Arc;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::Role;
use semblance_core::record::Record;
use semblance_core::time::Clock;
use semblance_ledger::listen::MemberRoots;
use semblance_ledger::tls::{Peer, peer_identity};
use semblance_proto::v1;
use semblance_proto::v1::channels_server::ChannelsServer;
use tonic::{Request, Response, Status};

use crate::limits::CALL_BYTES_MAX;
use crate::node::ChannelService;
use crate::wire::{HubCall, Refusal};

/// Serves other hospitals' nodes.
pub struct RelayService {
    channels: ChannelService,
    roots: Arc<dyn MemberRoots>,
    clock: Arc<dyn Clock>,
}

impl RelayService {
    /// The service for a server that asks its clients for certificates.
    #[must_use]
    pub fn server(
        channels: ChannelService,
        roots: Arc<dyn MemberRoots>,
        clock: Arc<dyn Clock>,
    ) -> ChannelsServer<Self> {
        ChannelsServer::new(Self { channels, roots, clock })
            .max_decoding_message_size(CALL_BYTES_MAX)
            .max_encoding_message_size(CALL_BYTES_MAX)
    }

    fn peer<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
        let certificates = request.peer_certs().unwrap_or_default();
        let root = |id: &OrganisationId| self.roots.root(id);
        peer_identity(&certificates, root, self.clock.now()).map_err(|error| Status::unauthenticated(error.to_string()))
    }
}

#[tonic::async_trait]
impl v1::channels_server::Channels for RelayService {
    async fn call(&self, request: Request<v1::ChannelCall>) -> Result<Response<v1::ChannelAnswer>, Status> {
        let peer = self.peer(&request)?;
        if peer.role != Role::Node {
            self.channels.deny_call(&peer.organisation, Refusal::NotAuthorised).await;
            return Err(Status::permission_denied("channels are between hospitals' nodes: use the node certificate"));
        }
        let call = HubCall::decode(&request.into_inner().call);
        let channels = self.channels.clone();
        // In a task of its own: a caller that goes away leaves nothing half-done.
        let answered = tokio::spawn(async move {
            match call {
                Ok(call) => channels.serve(&peer.organisation, call).await,
                Err(_) => {
                    channels.deny_call(&peer.organisation, Refusal::Malformed).await;
                    Err(Refusal::Malformed)
                }
            }
        });
        let answered = answered.await.map_err(|error| {
            tracing::error!(%error, "a hospital's call broke off");
            Status::internal("the node failed at this call; its own log says why")
        })?;
        let answer = match answered {
            Ok(answer) => v1::ChannelAnswer { answer: answer.encode(), refusal: String::new() },
            Err(refusal) => v1::ChannelAnswer { answer: Vec::new(), refusal: refusal.word().to_owned() },
        };
        Ok(Response::new(answer))
    }
}
