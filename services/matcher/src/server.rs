//! The matcher's gRPC. A caller is the organisation whose root its certificate verifies against.

use std::sync::Arc;

use semblance_core::id::OrganisationId;
use semblance_core::limits::MESSAGE_BYTES_MAX;
use semblance_core::signature::{Signature, SignedBytes};
use semblance_ledger::tls::peer_identity;
use semblance_proto::v1;
use semblance_proto::v1::matcher_server::MatcherServer;
use tonic::{Code, Request, Response, Status};

use crate::error::SearchError;
use crate::matcher::covered;
use crate::request::IncomingSearch;
use crate::search::Search;

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
    fn caller<T>(&self, request: &Request<T>) -> Result<OrganisationId, Status> {
        let certificates = request.peer_certs().unwrap_or_default();
        let root = |id: &OrganisationId| Some(self.search.members.get(id)?.tls_root.der().to_vec());
        let peer = peer_identity(&certificates, root, self.search.clock.now())
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        Ok(peer.organisation)
    }
}

#[tonic::async_trait]
impl v1::matcher_server::Matcher for MatcherService {
    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
        let caller = self.caller(&request)?;
        let incoming = IncomingSearch::try_from(request.into_inner())?;
        // In a task of its own: a caller that goes away leaves nothing half-done.
        let search = Arc::clone(&self.search);
        let answered = tokio::spawn(async move { search.search(&caller, incoming).await })
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
        self.caller(&request)?;
        let covered = covered(&self.search.searchers, *self.search.progress.borrow())
            .ok_or_else(|| Status::unavailable("this matcher has not read the ledger yet"))?;
        Ok(Response::new(v1::CoverageResponse {
            block: covered.position.block,
            cases: covered.cases,
            hospitals: u32::try_from(covered.hospitals).unwrap_or(u32::MAX),
        }))
    }
}

impl TryFrom<v1::SearchRequest> for IncomingSearch {
    type Error = Status;

    fn try_from(message: v1::SearchRequest) -> Result<Self, Status> {
        let malformed = |what| Status::invalid_argument(format!("{what} has another length than it must"));
        let signature: [u8; 64] = message.signature.try_into().map_err(|_| malformed("the signature"))?;
        Ok(Self {
            request: SignedBytes::new(message.request, Signature::from_bytes(signature)),
            query: message.query,
            query_salt: message.query_salt.try_into().map_err(|_| malformed("the query's salt"))?,
        })
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
