//! One transaction's conversation with the peer: a request, then its answer, never two at once.

use prost::Message;
use semblance_contract::stub::StubError;
use semblance_fabric::proto::protos::ChaincodeMessage;
use semblance_fabric::proto::protos::chaincode_message::Type;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::under_way::Place;

/// What the peer offers beyond the oldest protocol, as it says when it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Offers {
    /// Writes that may go in one message; none where they go one by one.
    pub(crate) write_batch: Option<usize>,
    /// Keys that may be read with one message; likewise.
    pub(crate) read_batch: Option<usize>,
}

/// The way to the peer, on the thread that runs the contract.
pub(crate) struct Peer {
    pub(crate) channel: String,
    pub(crate) txid: String,
    pub(crate) offers: Offers,
    pub(crate) requests: mpsc::Sender<ChaincodeMessage>,
    pub(crate) place: Place,
    pub(crate) runtime: Handle,
    /// When the transaction must have heard everything.
    pub(crate) deadline: Instant,
}

impl Peer {
    /// Asks and waits for the answer's payload.
    pub(crate) fn ask(&mut self, kind: Type, request: &impl Message) -> Result<Vec<u8>, StubError> {
        let message = ChaincodeMessage {
            r#type: kind.into(),
            payload: request.encode_to_vec(),
            txid: self.txid.clone(),
            channel_id: self.channel.clone(),
            ..ChaincodeMessage::default()
        };
        let gone = || StubError("the connection to the peer ended".to_owned());
        let answer = self.place.ask().ok_or_else(gone)?;
        let asking = async {
            self.requests.send(message).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())
        };
        let answer = self.runtime.block_on(async { timeout_at(self.deadline, asking).await });
        let answer = answer.map_err(|_| {
            self.place.give_up();
            StubError("the peer did not answer in time".to_owned())
        })??;
        match answer.r#type() {
            Type::Response => Ok(answer.payload),
            Type::Error => Err(StubError(String::from_utf8_lossy(&answer.payload).chars().take(500).collect())),
            _ => Err(StubError("the peer answered with another kind of message".to_owned())),
        }
    }

    /// The same, with a decoded answer.
    pub(crate) fn ask_for<A: Message + Default>(&mut self, kind: Type, request: &impl Message) -> Result<A, StubError> {
        A::decode(self.ask(kind, request)?.as_slice())
            .map_err(|_| StubError("the peer's answer is malformed".to_owned()))
    }
}
