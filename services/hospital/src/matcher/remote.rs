//! A matcher reached through its gRPC.

use std::time::Duration;

use async_trait::async_trait;
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::limits::MESSAGE_BYTES_MAX;
use semblance_proto::v1;
use semblance_proto::v1::matcher_client::MatcherClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::{Found, MatcherError, MatcherPort, Search};
use crate::rpc::CODE_KEY;

/// How long one search may take, the ledger's commit included.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a matcher that says "in a moment" is asked again with the same request. One that waits for its index by
/// itself has waited longer than that when it says so.
const PATIENCE: Duration = Duration::from_secs(2);
/// The wait before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// A matcher behind a channel with mutual TLS, which the program opens and may still be unconnected.
#[derive(Clone)]
pub struct RemoteMatcher {
    organisation: OrganisationId,
    client: MatcherClient<Channel>,
}

impl RemoteMatcher {
    /// Speaks to this organisation's matcher. The channel must accept no certificate but that organisation's.
    #[must_use]
    pub fn new(organisation: OrganisationId, channel: Channel) -> Self {
        let client = MatcherClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Self { organisation, client }
    }
}

#[async_trait]
impl MatcherPort for RemoteMatcher {
    fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    async fn search(&self, search: Search) -> Result<Found, MatcherError> {
        let message = v1::SearchRequest {
            request: search.request.bytes().to_vec(),
            signature: search.request.signature().as_bytes().to_vec(),
            query: search.query,
            query_salt: search.salt.to_vec(),
        };
        let begun = tokio::time::Instant::now();
        loop {
            let mut request = Request::new(message.clone());
            request.set_timeout(DEADLINE);
            match self.client.clone().search(request).await {
                Ok(response) => return response.into_inner().try_into(),
                Err(status) if begun.elapsed() < PATIENCE && in_a_moment(&status) => tokio::time::sleep(PAUSE).await,
                Err(status) => return Err(error(&status)),
            }
        }
    }
}

impl TryFrom<v1::SearchResponse> for Found {
    type Error = MatcherError;

    fn try_from(response: v1::SearchResponse) -> Result<Self, MatcherError> {
        let transaction: [u8; 32] = response
            .transaction
            .try_into()
            .map_err(|_| MatcherError::Malformed("the transaction's id has not 32 bytes".to_owned()))?;
        let transaction = TransactionId::from_bytes(transaction);
        Ok(Self { answer: response.answer, transaction, block: response.block })
    }
}

fn word(status: &Status) -> Option<&str> {
    status.metadata().get(CODE_KEY)?.to_str().ok()
}

fn in_a_moment(status: &Status) -> bool {
    matches!(word(status), Some("index-behind" | "under-way"))
}

/// A refusal carries a stable word and ends the request; everything else may pass.
fn error(status: &Status) -> MatcherError {
    let message: String = status.message().chars().take(400).collect();
    let refused = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::Unauthenticated
    );
    match word(status) {
        Some(code) if refused && code != "busy" => MatcherError::Refused { code: code.to_owned(), message },
        _ => MatcherError::Unavailable(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: Code, word: &'static str) -> Status {
        let mut status = Status::new(code, "why");
        status.metadata_mut().insert(CODE_KEY, word.parse().unwrap());
        status
    }

    #[test]
    fn only_a_coded_refusal_ends_a_request() {
        let refused = error(&status(Code::AlreadyExists, "slot-used"));
        assert_eq!(refused.code(), "slot-used");
        for passing in [
            status(Code::Unavailable, "ledger-unavailable"),
            status(Code::ResourceExhausted, "busy"),
            status(Code::Internal, "internal"),
            Status::unavailable("no connection"),
            Status::invalid_argument("from a proxy, without a word"),
        ] {
            assert!(matches!(error(&passing), MatcherError::Unavailable(_)), "{passing:?}");
        }
        assert!(in_a_moment(&status(Code::Unavailable, "index-behind")));
        let short = v1::SearchResponse { transaction: vec![0; 31], ..Default::default() };
        assert!(Found::try_from(short).is_err());
    }
}
