//! The gRPC of the process that owns the ledger. Nobody speaks without a certificate of a member, and a proposal is
//! taken only over a connection of its own organisation, role and certificate.

use futures::StreamExt;
use futures::stream::BoxStream;
use semblance_core::limits::MESSAGE_BYTES_MAX;
use semblance_core::proposal::Proposal;
use semblance_core::signature::Statement;
use semblance_proto::v1;
use semblance_proto::v1::ledger_server::LedgerServer;
use tonic::{Request, Response, Status};

use super::EmbeddedLedger;
use super::wire::{block_message, incoming, status};
use crate::LedgerError;
use crate::identity::IncomingProposal;
use crate::tls::{ClaimedPeer, Peer};

/// Serves a ledger to the other processes.
pub struct LedgerService {
    ledger: EmbeddedLedger,
}

impl LedgerService {
    /// The service for a server that asks its clients for certificates.
    #[must_use]
    pub fn server(ledger: EmbeddedLedger) -> LedgerServer<Self> {
        LedgerServer::new(Self { ledger })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Who is at the other end, by its certificate and its organisation's present root.
    async fn peer<T>(&self, request: &Request<T>) -> Result<Peer, LedgerError> {
        let certificates = request.peer_certs().unwrap_or_default();
        let refused = |error: crate::tls::PeerError| LedgerError::Identity(error.to_string());
        let claimed = ClaimedPeer::read(&certificates).map_err(refused)?;
        let organisation = claimed.organisation().clone();
        let Some(member) = self.ledger.member(organisation.clone()).await? else {
            return Err(LedgerError::Identity(crate::tls::PeerError::NoMember(organisation).to_string()));
        };
        claimed.verify(&member.tls_root, self.ledger.now()).map_err(refused)
    }

    /// A proposal from its own submitter.
    async fn proposal(&self, request: Request<v1::SignedProposal>) -> Result<IncomingProposal, LedgerError> {
        let peer = self.peer(&request).await?;
        let proposal = incoming(request.into_inner())?;
        let network = self.ledger.head().map(|head| head.network);
        let network = network.ok_or_else(|| LedgerError::Unavailable("this ledger has no genesis yet".into()))?;
        let claims = Proposal::decode(&proposal.bytes, network)
            .map_err(|error| LedgerError::Refused { code: "invalid-proposal".into(), message: error.to_string() })?;
        let said =
            Peer { organisation: claims.organisation.clone(), role: claims.role, certificate: claims.certificate };
        if said != peer {
            return Err(LedgerError::Identity(format!(
                "the proposal is of {} ({}), the connection of {} ({}) or under another certificate",
                said.organisation, said.role, peer.organisation, peer.role
            )));
        }
        Ok(proposal)
    }
}

#[tonic::async_trait]
impl v1::ledger_server::Ledger for LedgerService {
    async fn submit(&self, request: Request<v1::SignedProposal>) -> Result<Response<v1::SubmitResponse>, Status> {
        let proposal = self.proposal(request).await.map_err(status)?;
        let network = self.ledger.head().map(|head| head.network);
        let Some(network) = network else { return Err(Status::unavailable("this ledger has no genesis yet")) };
        // In a task of its own: a caller that goes away does not stop what was ordered.
        let ledger = self.ledger.clone();
        let submitted = tokio::spawn(async move { ledger.submit(proposal, network).await });
        let committed = submitted.await.map_err(|error| Status::internal(error.to_string()))?.map_err(status)?;
        Ok(Response::new(v1::SubmitResponse {
            transaction: committed.transaction.as_bytes().to_vec(),
            block: committed.block,
            response: committed.response,
        }))
    }

    async fn evaluate(&self, request: Request<v1::SignedProposal>) -> Result<Response<v1::EvaluateResponse>, Status> {
        let proposal = self.proposal(request).await.map_err(status)?;
        let response = self.ledger.evaluate(proposal).await.map_err(status)?;
        Ok(Response::new(v1::EvaluateResponse { response }))
    }

    type BlocksStream = BoxStream<'static, Result<v1::Block, Status>>;

    async fn blocks(&self, request: Request<v1::BlocksRequest>) -> Result<Response<Self::BlocksStream>, Status> {
        self.peer(&request).await.map_err(status)?;
        let blocks = self.ledger.blocks(request.get_ref().from);
        Ok(Response::new(blocks.map(|block| block.map(block_message).map_err(status)).boxed()))
    }

    async fn head(&self, request: Request<v1::HeadRequest>) -> Result<Response<v1::HeadResponse>, Status> {
        self.peer(&request).await.map_err(status)?;
        let head = self.ledger.head();
        Ok(Response::new(v1::HeadResponse {
            network: head.map(|head| head.network.as_bytes().to_vec()).unwrap_or_default(),
            height: head.map_or(0, |head| head.height),
            hash: head.map(|head| head.hash.as_bytes().to_vec()).unwrap_or_default(),
        }))
    }
}
