//! A ledger that another process owns, reached through its gRPC.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::limits::MESSAGE_BYTES_MAX;
use semblance_core::random::RandomSource;
use semblance_core::time::Clock;
use semblance_proto::v1;
use semblance_proto::v1::ledger_client::LedgerClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use super::wire::{block, fault, proposal_message, transaction};
use crate::follow::{self, Reopened};
use crate::identity::{Identity, IncomingProposal};
use crate::{BlockEvents, Call, Committed, EventStream, Ledger, LedgerError};

/// How long a call may take unless it is said otherwise.
const DEADLINE: Duration = Duration::from_secs(30);

/// The ledger as one identity sees it from another process. The channel must show the certificate that the identity
/// names.
#[derive(Clone)]
pub struct RemoteLedger {
    client: LedgerClient<Channel>,
    identity: Arc<Identity>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
    deadline: Duration,
}

impl RemoteLedger {
    /// Speaks for an identity over a channel, which may still be unconnected.
    #[must_use]
    pub fn new(channel: Channel, identity: Identity, clock: Arc<dyn Clock>, random: Arc<dyn RandomSource>) -> Self {
        let client = LedgerClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Self { client, identity: Arc::new(identity), clock, random, deadline: DEADLINE }
    }

    /// Gives up a call after so long.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The newest block: how many there are, and the hash of the last one.
    ///
    /// # Errors
    /// The ledger cannot be reached or answers nonsense.
    pub async fn head(&self) -> Result<(u64, Option<semblance_core::id::Digest>), LedgerError> {
        let mut client = self.client.clone();
        let head = client.head(self.request(v1::HeadRequest {})).await.map_err(read_error)?.into_inner();
        if head.hash.is_empty() {
            return Ok((head.height, None));
        }
        let hash = transaction(head.hash).map_err(|_| LedgerError::Malformed("a hash has 32 bytes".into()))?;
        Ok((head.height, Some(semblance_core::id::Digest::from_bytes(*hash.as_bytes()))))
    }

    /// Sends a proposal that was signed already.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn submit_signed(&self, proposal: IncomingProposal) -> Result<Committed, LedgerError> {
        let id = TransactionId::from_bytes(*semblance_core::id::Digest::of(&proposal.bytes).as_bytes());
        let mut client = self.client.clone();
        let response =
            client.submit(self.request(proposal_message(proposal))).await.map_err(|status| write_error(&status, id))?;
        let response = response.into_inner();
        Ok(Committed {
            transaction: transaction(response.transaction)?,
            block: response.block,
            response: response.response,
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        request
    }

    fn propose(&self, call: Call) -> Result<IncomingProposal, LedgerError> {
        let signed = self.identity.propose(&call, self.clock.as_ref(), self.random.as_ref())?;
        Ok(IncomingProposal::new(&signed, call.transient))
    }

    async fn open_stream(&self, from: u64) -> Result<Streaming<v1::Block>, LedgerError> {
        let mut client = self.client.clone();
        // No deadline on the stream itself, which has no end; on its opening there is one.
        let opening = client.blocks(v1::BlocksRequest { from });
        match tokio::time::timeout(self.deadline, opening).await {
            Ok(opened) => opened.map(tonic::Response::into_inner).map_err(read_error),
            Err(_) => Err(LedgerError::Unavailable("no answer in time".into())),
        }
    }
}

#[async_trait]
impl Ledger for RemoteLedger {
    fn organisation(&self) -> &OrganisationId {
        &self.identity.organisation
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        self.submit_signed(self.propose(call)?).await
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        let request = self.request(proposal_message(self.propose(call)?));
        let mut client = self.client.clone();
        Ok(client.evaluate(request).await.map_err(read_error)?.into_inner().response)
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        Ok(self.head().await?.0)
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        let stream = self.open_stream(from).await?;
        Ok(follow::reopened(Follower { ledger: self.clone(), stream: Some(stream), next: from }))
    }
}

/// Follows across broken connections: each time from the block after the last one that was handed on.
struct Follower {
    ledger: RemoteLedger,
    stream: Option<Streaming<v1::Block>>,
    next: u64,
}

#[async_trait]
impl Reopened for Follower {
    async fn try_next(&mut self) -> Result<BlockEvents, LedgerError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.ledger.open_stream(self.next).await?),
        };
        let message = stream.message().await.map_err(read_error)?;
        let message = message.ok_or_else(|| LedgerError::Unavailable("the stream ended".into()))?;
        let block = block(message)?;
        if block.number != self.next {
            return Err(LedgerError::Malformed(format!("block {} came, not {}", block.number, self.next)));
        }
        self.next = self.next.saturating_add(1);
        Ok(block)
    }

    fn close(&mut self) {
        self.stream = None;
    }
}

/// What a failed reading means: nothing was to be written, so that trying again does no harm.
fn read_error(status: Status) -> LedgerError {
    if let Some(error) = fault(&status) {
        return error;
    }
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => LedgerError::Identity(status.message().to_owned()),
        Code::OutOfRange | Code::InvalidArgument | Code::Unimplemented => {
            LedgerError::Malformed(status.message().to_owned())
        }
        _ => LedgerError::Unavailable(described(&status)),
    }
}

/// What a failed writing means: unless the ledger itself answered or was never reached, the outcome is not known.
fn write_error(status: &Status, transaction: TransactionId) -> LedgerError {
    if let Some(error) = fault(status) {
        return error;
    }
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => LedgerError::Identity(status.message().to_owned()),
        // The message exceeded what either side takes, before anything was done with it.
        Code::OutOfRange => LedgerError::Malformed(status.message().to_owned()),
        Code::Unavailable if never_sent(status) => LedgerError::Unavailable(described(status)),
        _ => LedgerError::OutcomeUnknown { transaction, reason: described(status) },
    }
}

/// Whether the connection could not even be made.
fn never_sent(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn described(status: &Status) -> String {
    format!("{}: {}", status.code(), status.message())
}
