//! The matcher's gRPC. A caller is the organisation whose root its certificate verifies against.

use std::sync::Arc;

use semblance_core::encode::DecodeError;
use semblance_core::id::OrganisationId;
use semblance_core::limits::MESSAGE_BYTES_MAX;
use semblance_core::organisation::Role;
use semblance_core::signature::{Signature, SignedBytes};
use semblance_ledger::tls::{Peer, peer_identity};
use semblance_proto::v1;
use semblance_proto::v1::matcher_server::MatcherServer;
use tonic::{Code, Request, Response, Status};

use crate::error::SearchError;
use crate::matcher::covered;
use crate::request::IncomingSearch;
use crate::search::{NOBODY, Search};

/// The metadata key under which a refusal's stable word is sent.
pub const CODE_KEY: &str = "semblance-code";

/// Serves searches to hospitals.
pub struct MatcherService {
    search: Arc<Search>,
}

impl MatcherService {
    /// The service for a server that asks its clients for certificates.
    #[must_use]
    pub fn server(search: Arc<Search>) -> MatcherServer<Self> {
        MatcherServer::new(Self { search })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Who is at the other end.
    fn peer<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
        let certificates = request.peer_certs().unwrap_or_default();
        let root = |id: &OrganisationId| Some(self.search.members.get(id)?.tls_root.der().to_vec());
        peer_identity(&certificates, root, self.search.clock.now())
            .map_err(|error| Status::unauthenticated(error.to_string()))
    }
}

#[tonic::async_trait]
impl v1::matcher_server::Matcher for MatcherService {
    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
        let peer = self.peer(&request)?;
        let incoming = incoming(&peer, request.into_inner());
        // In a task of its own: a caller that goes away leaves nothing half-done.
        let search = Arc::clone(&self.search);
        let answer = async move {
            match incoming {
                Ok(incoming) => search.search(&peer.organisation, incoming).await,
                Err(error) => Err(search.refused(&peer.organisation, error, NOBODY, None)),
            }
        };
        let answered = tokio::spawn(answer)
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| status(&error))?;
        Ok(Response::new(v1::SearchResponse {
            answer: answered.answer,
            transaction: answered.transaction.as_bytes().to_vec(),
            block: answered.block,
        }))
    }

    async fn coverage(&self, request: Request<v1::CoverageRequest>) -> Result<Response<v1::CoverageResponse>, Status> {
        self.peer(&request)?;
        let covered = covered(&self.search.searchers, *self.search.progress.borrow())
            .ok_or_else(|| Status::unavailable("this matcher has not read the ledger yet"))?;
        Ok(Response::new(v1::CoverageResponse {
            block: covered.position.block,
            cases: covered.cases,
            hospitals: u32::try_from(covered.hospitals).unwrap_or(u32::MAX),
        }))
    }
}

/// What a node sent, if it is one and its fields have their lengths; nothing else is looked at.
fn incoming(peer: &Peer, message: v1::SearchRequest) -> Result<IncomingSearch, SearchError> {
    if peer.role != Role::Node {
        return Err(SearchError::WrongRole);
    }
    message.try_into()
}

impl TryFrom<v1::SearchRequest> for IncomingSearch {
    type Error = SearchError;

    fn try_from(message: v1::SearchRequest) -> Result<Self, SearchError> {
        let wrong = |what| DecodeError::Invalid { what, why: "another length than it must have" };
        let signature: [u8; 64] = message.signature.try_into().map_err(|_| wrong("signature"))?;
        let query_salt = message.query_salt.try_into().map_err(|_| wrong("the query's salt"))?;
        let request = SignedBytes::new(message.request, Signature::from_bytes(signature));
        Ok(Self { request, query: message.query, query_salt })
    }
}

/// The status of a refusal: its stable word in the metadata, its text as the message.
fn status(error: &SearchError) -> Status {
    let code = match error.word() {
        "malformed" | "oversized" | "query-mismatch" | "too-few-terms" | "wrong-recipient" | "not-own-case" => {
            Code::InvalidArgument
        }
        "not-authorised" | "bad-signature" => Code::PermissionDenied,
        "budget-clinician" | "budget-hospital" | "busy" => Code::ResourceExhausted,
        "replayed-request" | "slot-used" => Code::AlreadyExists,
        "index-behind" | "ledger-unavailable" | "under-way" => Code::Unavailable,
        "internal" => Code::Internal,
        _ => Code::FailedPrecondition,
    };
    let mut status = Status::new(code, error.to_string());
    if let Ok(word) = error.word().parse() {
        status.metadata_mut().insert(CODE_KEY, word);
    }
    status
}
