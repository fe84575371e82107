//! A peer in the test's own process: it dials a chaincode server, gives it transactions, and serves state, well or with
//! faults.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod invocation;
mod state;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use prost::Message;
use semblance_core::time::Timestamp;
use semblance_fabric::MESSAGE_BYTES_MAX;
use semblance_fabric::proto::protos::chaincode_client::ChaincodeClient;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::{ChaincodeAdditionalParams, ChaincodeId, ChaincodeMessage, Response};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{ClientTlsConfig, Endpoint};
use tonic::{Status, Streaming};

pub use invocation::{Invocation, certificate};
pub use state::State;

use crate::transaction::Call;

/// Reads bytes as a peer's message and the transaction in it, as the server does; says whether it would run.
#[must_use]
pub fn would_run(bytes: &[u8], now: Timestamp) -> bool {
    ChaincodeMessage::decode(bytes).is_ok_and(|message| Call::read(&message, now).is_ok())
}

/// What the peer does with one request of the chaincode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers it.
    Answer,
    /// Answers it after a while.
    Slow(Duration),
    /// Keeps the answer back until [`FakePeer::release`].
    Hold,
    /// Never answers it.
    Silent,
    /// Answers it twice.
    Twice,
    /// Answers that it cannot be served.
    Fail(String),
    /// Answers with these bytes, whatever was asked.
    Bytes(Vec<u8>),
    /// Sends a message of another kind in the answer's place.
    Kind(Type),
    /// Ends the stream.
    HangUp,
}

/// Chooses for each request of the chaincode what the peer does with it.
pub type Faults = Box<dyn FnMut(&ChaincodeMessage) -> Behaviour + Send>;

/// How a peer dials.
#[derive(Default)]
pub struct Dialing {
    /// Its certificate and whom it trusts; none without TLS.
    pub tls: Option<ClientTlsConfig>,
    /// Writes that it takes in one message; none one by one.
    pub write_batch: Option<u32>,
    /// Keys that it reads with one message; likewise.
    pub read_batch: Option<u32>,
    /// What it does wrong; none nothing.
    pub faults: Option<Faults>,
}

/// What peer and driver share.
#[derive(Default)]
struct Inner {
    state: State,
    waiting: HashMap<String, oneshot::Sender<ChaincodeMessage>>,
    received: Vec<ChaincodeMessage>,
    held: Vec<ChaincodeMessage>,
    faults: Option<Faults>,
}

/// A peer that is connected.
pub struct FakePeer {
    outgoing: mpsc::Sender<ChaincodeMessage>,
    inner: Arc<Mutex<Inner>>,
    package: String,
}

impl FakePeer {
    /// Dials a chaincode server, takes its registration, and tells it that it is ready.
    ///
    /// # Errors
    /// It does not answer, or does not take this peer's certificate.
    pub async fn dial(address: SocketAddr, dialing: Dialing) -> Result<Self, Status> {
        let unreachable = |error: tonic::transport::Error| Status::unavailable(format!("{error:?}"));
        let endpoint = match dialing.tls {
            Some(tls) => Endpoint::from_shared(format!("https://localhost:{}", address.port()))
                .and_then(|endpoint| endpoint.tls_config(tls)),
            None => Endpoint::from_shared(format!("http://{address}")),
        };
        let channel = endpoint.map_err(unreachable)?.connect().await.map_err(unreachable)?;
        let mut client = ChaincodeClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let (outgoing, messages) = mpsc::channel(1024);
        let mut incoming = client.connect(ReceiverStream::new(messages)).await?.into_inner();
        let register = incoming.message().await?.ok_or_else(|| Status::unavailable("no registration"))?;
        assert_eq!(register.r#type(), Type::Register, "a chaincode registers first");
        let package = ChaincodeId::decode(register.payload.as_slice()).unwrap().name;
        let inner = Arc::new(Mutex::new(Inner { faults: dialing.faults, ..Inner::default() }));
        let peer = Self { outgoing, inner: inner.clone(), package };
        let offers = ChaincodeAdditionalParams {
            use_write_batch: dialing.write_batch.is_some(),
            max_size_write_batch: dialing.write_batch.unwrap_or_default(),
            use_get_multiple_keys: dialing.read_batch.is_some(),
            max_size_get_multiple_keys: dialing.read_batch.unwrap_or_default(),
        };
        peer.send(message(Type::Registered, Vec::new(), "")).await;
        peer.send(message(Type::Ready, offers.encode_to_vec(), "")).await;
        tokio::spawn(serve(incoming, peer.outgoing.downgrade(), inner));
        Ok(peer)
    }

    /// The package id that the chaincode registered with.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.package
    }

    /// Sends any message at all.
    pub async fn send(&self, message: ChaincodeMessage) {
        self.outgoing.send(message).await.unwrap();
    }

    /// Gives the chaincode a transaction and waits for its end; none if the connection ended before.
    pub async fn invoke(&self, invocation: &Invocation) -> Option<Ended> {
        let message = invocation.message();
        let (waiting, ended) = oneshot::channel();
        self.lock().waiting.insert(message.txid.clone(), waiting);
        self.outgoing.send(message).await.ok()?;
        ended.await.ok().map(Ended)
    }

    /// Sends the answers that were held back, the last one first.
    pub async fn release(&self) {
        let held = std::mem::take(&mut self.lock().held);
        for message in held.into_iter().rev() {
            self.send(message).await;
        }
    }

    /// How many answers are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// The committed state.
    pub fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.lock().state)
    }

    /// The kinds of all messages that the chaincode sent since it was ready.
    #[must_use]
    pub fn received(&self) -> Vec<Type> {
        self.lock().received.iter().map(ChaincodeMessage::r#type).collect()
    }

    /// Every message that the chaincode sent since it was ready.
    #[must_use]
    pub fn messages(&self) -> Vec<ChaincodeMessage> {
        self.lock().received.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

/// How a transaction ended.
pub struct Ended(pub ChaincodeMessage);

impl Ended {
    /// The contract's response; none if the transaction ended with an error.
    #[must_use]
    pub fn response(&self) -> Option<Response> {
        (self.0.r#type() == Type::Completed).then(|| Response::decode(self.0.payload.as_slice()).unwrap())
    }

    /// The text of an error or of a refusal; empty where the contract agreed.
    #[must_use]
    pub fn text(&self) -> String {
        let error = || String::from_utf8(self.0.payload.clone()).unwrap();
        self.response().map_or_else(error, |response| response.message)
    }
}

/// A message of a transaction on the only channel.
#[must_use]
pub fn message(kind: Type, payload: Vec<u8>, txid: &str) -> ChaincodeMessage {
    let (txid, channel_id) = (txid.to_owned(), invocation::CHANNEL.to_owned());
    ChaincodeMessage { r#type: kind.into(), payload, txid, channel_id, ..ChaincodeMessage::default() }
}

/// Answers the chaincode until either side hangs up.
async fn serve(
    mut incoming: Streaming<ChaincodeMessage>,
    outgoing: mpsc::WeakSender<ChaincodeMessage>,
    inner: Arc<Mutex<Inner>>,
) {
    while let Ok(Some(request)) = incoming.message().await {
        let Some(outgoing) = outgoing.upgrade() else { break };
        let behaviour = inner.lock().unwrap().take(&request);
        let Some((answer, behaviour)) = behaviour else { continue };
        let garbage = |payload| message(Type::Response, payload, &request.txid);
        let answers = match behaviour {
            Behaviour::Answer => vec![answer],
            Behaviour::Twice => vec![answer.clone(), answer],
            Behaviour::Fail(text) => vec![message(Type::Error, text.into_bytes(), &request.txid)],
            Behaviour::Bytes(bytes) => vec![garbage(bytes)],
            Behaviour::Kind(kind) => vec![ChaincodeMessage { r#type: kind.into(), ..answer }],
            Behaviour::Silent => Vec::new(),
            Behaviour::HangUp => break,
            Behaviour::Hold => {
                inner.lock().unwrap().held.push(answer);
                Vec::new()
            }
            Behaviour::Slow(while_) => {
                tokio::spawn(async move {
                    tokio::time::sleep(while_).await;
                    let _ = outgoing.send(answer).await;
                });
                continue;
            }
        };
        for answer in answers {
            let _ = outgoing.send(answer).await;
        }
    }
    // Whoever waits for a transaction's end learns that there will be none.
    inner.lock().unwrap().waiting.clear();
}

impl Inner {
    /// Takes one message of the chaincode: an end goes to whoever waits for it, a request gets an answer.
    fn take(&mut self, received: &ChaincodeMessage) -> Option<(ChaincodeMessage, Behaviour)> {
        self.received.push(received.clone());
        match received.r#type() {
            Type::Keepalive => None,
            Type::Completed | Type::Error => {
                let agreed = received.r#type() == Type::Completed
                    && Response::decode(received.payload.as_slice()).unwrap().status < 400;
                self.state.end(&received.txid, agreed);
                if let Some(waiting) = self.waiting.remove(&received.txid) {
                    let _ = waiting.send(received.clone());
                }
                None
            }
            kind => {
                let behaviour = self.faults.as_mut().map_or(Behaviour::Answer, |faults| faults(received));
                let answer = match self.state.answer(kind, &received.payload, &received.txid) {
                    Ok(payload) => message(Type::Response, payload, &received.txid),
                    Err(text) => message(Type::Error, text.into_bytes(), &received.txid),
                };
                Some((answer, behaviour))
            }
        }
    }
}
