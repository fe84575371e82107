//! The events of one chaincode, those of valid transactions alone.

use std::collections::VecDeque;
use std::pin::Pin;

use futures::{Stream, StreamExt};
use prost::Message;
use tonic::Streaming;

use crate::checkpoint::{Checkpoint, Seen};
use crate::error::{CallError, Stage};
use crate::gateway::Network;
use crate::proto::gateway::{ChaincodeEventsRequest, ChaincodeEventsResponse, SignedChaincodeEventsRequest};
use crate::proto::orderer::seek_position::Type as Position;
use crate::proto::orderer::{SeekNextCommit, SeekPosition, SeekSpecified};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChaincodeEvent {
    /// The block it stands in.
    pub block: u64,
    /// Its transaction.
    pub transaction_id: String,
    /// Its name.
    pub name: String,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl ChaincodeEvent {
    /// The place to go on at once this event was handled.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { block: self.block, transaction_id: Some(self.transaction_id.clone()) }
    }
}

/// Events in order, each once; ends with an error when the connection breaks.
pub type ChaincodeEvents = Pin<Box<dyn Stream<Item = Result<ChaincodeEvent, CallError>> + Send>>;

impl Network {
    /// Follows a chaincode's events: from a checkpoint, or those yet to come. The connection is made when the stream is
    /// first read, because a gateway answers with the first event only.
    #[must_use]
    pub fn chaincode_events(&self, chaincode: &str, from: Option<&Checkpoint>) -> ChaincodeEvents {
        let request = self.events_request(chaincode, from);
        self.chaincode_events_signed(request, None)
    }

    /// The bytes of such a request, to sign elsewhere; SHA-256 of them is signed.
    #[must_use]
    pub fn events_request(&self, chaincode: &str, from: Option<&Checkpoint>) -> Vec<u8> {
        let start = match from {
            Some(checkpoint) => Position::Specified(SeekSpecified { number: checkpoint.block }),
            None => Position::NextCommit(SeekNextCommit {}),
        };
        ChaincodeEventsRequest {
            channel_id: self.channel.to_string(),
            chaincode_id: chaincode.to_owned(),
            identity: self.gateway.identity().bytes().to_vec(),
            start_position: Some(SeekPosition { r#type: Some(start) }),
            after_transaction_id: from.and_then(|from| from.transaction_id.clone()).unwrap_or_default(),
        }
        .encode_to_vec()
    }

    /// Follows events with a request that was signed elsewhere, or by the gateway's own identity.
    #[must_use]
    pub fn chaincode_events_signed(&self, request: Vec<u8>, signature: Option<Vec<u8>>) -> ChaincodeEvents {
        let (chaincode, from) = begun(&request);
        let seen = Seen::from(&from);
        let (network, waiting) = (self.clone(), VecDeque::new());
        let follower = Follower { network, chaincode, from, request, signature, stream: None, waiting };
        let events = futures::stream::unfold((Some(follower), seen), |(follower, mut seen)| async move {
            let mut follower = follower?;
            loop {
                match follower.next().await {
                    Ok(Some(event)) if seen.is_new(event.block, &event.transaction_id) => {
                        return Some((Ok(event), (Some(follower), seen)));
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => return Some((Err(error), (None, seen))),
                }
            }
        });
        events.boxed()
    }
}

/// What a request asks for, and what lies behind it already.
fn begun(request: &[u8]) -> (String, Checkpoint) {
    let request = ChaincodeEventsRequest::decode(request).unwrap_or_default();
    let from = match request.start_position.and_then(|position| position.r#type) {
        Some(Position::Specified(SeekSpecified { number })) => {
            let transaction_id = Some(request.after_transaction_id).filter(|id| !id.is_empty());
            Checkpoint { block: number, transaction_id }
        }
        _ => Checkpoint::default(),
    };
    (request.chaincode_id, from)
}

struct Follower {
    network: Network,
    chaincode: String,
    from: Checkpoint,
    request: Vec<u8>,
    signature: Option<Vec<u8>>,
    stream: Option<Streaming<ChaincodeEventsResponse>>,
    waiting: VecDeque<ChaincodeEvent>,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<ChaincodeEvent>, CallError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some(event));
            }
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => self.open().await?,
            };
            let answer = stream.message().await.map_err(|status| self.failed(&status))?;
            self.stream = Some(stream);
            let Some(answer) = answer else { return Ok(None) };
            if answer.events.iter().any(|event| event.chaincode_id != self.chaincode) {
                return Err(CallError::malformed(Stage::Events, &self.chaincode, "an event of another chaincode"));
            }
            let block = answer.block_number;
            // One answer holds all events of its block.
            let handled = self.from.handled(block, answer.events.iter().map(|event| event.tx_id.as_str()));
            self.waiting.extend(answer.events.into_iter().skip(handled).map(|event| ChaincodeEvent {
                block,
                transaction_id: event.tx_id,
                name: event.event_name,
                payload: event.payload,
            }));
        }
    }

    async fn open(&mut self) -> Result<Streaming<ChaincodeEventsResponse>, CallError> {
        let gateway = &self.network.gateway;
        let unsigned = |error| CallError::unsigned(Stage::Events, &self.chaincode, &error);
        let signature = match self.signature.take() {
            Some(signature) => signature,
            None => gateway.sign(&self.request).map_err(unsigned)?,
        };
        let request = SignedChaincodeEventsRequest { request: self.request.clone(), signature };
        let opened = gateway.client().chaincode_events(request).await;
        Ok(opened.map_err(|status| self.failed(&status))?.into_inner())
    }

    fn failed(&self, status: &tonic::Status) -> CallError {
        CallError::new(Stage::Events, &self.chaincode, status)
    }
}
