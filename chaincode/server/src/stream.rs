//! One peer's connection: register, become ready, then transactions side by side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prost::Message;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::{ChaincodeAdditionalParams, ChaincodeId, ChaincodeMessage};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

use crate::metrics::Outcome;
use crate::peer::{Offers, Peer};
use crate::run::{Reply, run};
use crate::server::Shared;
use crate::transaction::{Call, Refusal};

/// Answers of the peer that a transaction has not read yet: it asks one thing at a time.
const ANSWERS: usize = 4;
/// The most that is read or written with one message, whatever a peer offers.
const BATCH_MAX: u32 = 10_000;

/// What identifies a transaction on a connection.
type Id = (String, String);

/// A connection.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<ChaincodeMessage>,
    waiting: Arc<Mutex<HashMap<Id, mpsc::Sender<ChaincodeMessage>>>>,
    /// None until the peer said that it is ready.
    offers: Option<Offers>,
    under_way: TaskTracker,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, outgoing: mpsc::Sender<ChaincodeMessage>) -> Self {
        Self { shared, outgoing, waiting: Arc::default(), offers: None, under_way: TaskTracker::new() }
    }

    /// Speaks with the peer until it hangs up or the server stops; then finishes what is under way.
    pub(crate) async fn serve(mut self, mut incoming: Streaming<ChaincodeMessage>) {
        if self.register().await.is_ok() {
            let stop = self.shared.stop.clone();
            loop {
                let message = tokio::select! {
                    message = incoming.message() => message,
                    () = stop.cancelled(), if self.under_way.is_empty() => break,
                };
                match message {
                    Ok(Some(message)) => {
                        if let Err(reason) = self.take(message).await {
                            tracing::warn!(reason, "the peer's connection is ended");
                            break;
                        }
                    }
                    Ok(None) => break,
                    Err(status) => {
                        tracing::info!(code = ?status.code(), "the peer's connection broke");
                        break;
                    }
                }
                if stop.is_cancelled() && self.under_way.is_empty() {
                    break;
                }
            }
        }
        if self.offers.is_some() {
            self.shared.metrics.peer_is_ready(false);
        }
        // Whoever waits for an answer of the peer learns that there will be none.
        lock(&self.waiting).clear();
        self.under_way.close();
        self.under_way.wait().await;
    }

    async fn register(&self) -> Result<(), &'static str> {
        let name = ChaincodeId { name: self.shared.package_id.clone(), ..ChaincodeId::default() };
        self.send(ChaincodeMessage { payload: name.encode_to_vec(), ..of(Type::Register) }).await
    }

    async fn take(&mut self, message: ChaincodeMessage) -> Result<(), &'static str> {
        match Type::try_from(message.r#type) {
            Ok(Type::Registered) => Ok(()),
            Ok(Type::Ready) => self.ready(&message),
            Ok(Type::Keepalive) => self.send(message).await,
            Ok(Type::Transaction) => self.begin(message).await,
            Ok(Type::Response | Type::Error) => self.answer(message),
            Ok(Type::Init) => {
                self.refuse(&message, "this chaincode has no Init: define it without --init-required").await
            }
            _ => Err("it sent a message that no peer sends"),
        }
    }

    fn ready(&mut self, message: &ChaincodeMessage) -> Result<(), &'static str> {
        let params = ChaincodeAdditionalParams::decode(message.payload.as_slice());
        let params = params.map_err(|_| "what it offers is malformed")?;
        let batch = |offered: bool, most: u32| {
            let most = usize::try_from(most.min(BATCH_MAX)).unwrap_or_default();
            (offered && most > 0).then_some(most)
        };
        let offers = Offers {
            write_batch: batch(params.use_write_batch, params.max_size_write_batch),
            read_batch: batch(params.use_get_multiple_keys, params.max_size_get_multiple_keys),
        };
        if self.offers.replace(offers).is_none() {
            self.shared.metrics.peer_is_ready(true);
        }
        tracing::info!(?offers, "a peer is ready");
        Ok(())
    }

    /// Hands an answer to the transaction that asked.
    fn answer(&self, message: ChaincodeMessage) -> Result<(), &'static str> {
        let id = (message.channel_id.clone(), message.txid.clone());
        let waiting = lock(&self.waiting).get(&id).cloned();
        match waiting {
            // Nobody waits any more, or it asked for nothing: a late answer harms nobody.
            None => Ok(()),
            Some(waiting) => waiting.try_send(message).map_err(|_| "it answered what was not asked"),
        }
    }

    async fn begin(&mut self, message: ChaincodeMessage) -> Result<(), &'static str> {
        let Some(offers) = self.offers else { return Err("it sent a transaction before it was ready") };
        if self.shared.stop.is_cancelled() {
            return self.refuse(&message, "this chaincode server is stopping").await;
        }
        let id = (message.channel_id.clone(), message.txid.clone());
        let (to_transaction, answers) = mpsc::channel(ANSWERS);
        if lock(&self.waiting).contains_key(&id) {
            tracing::warn!("a transaction came twice; the first one goes on");
            return Ok(());
        }
        lock(&self.waiting).insert(id.clone(), to_transaction);
        let peer = Peer {
            channel: message.channel_id.clone(),
            txid: message.txid.clone(),
            offers,
            requests: self.outgoing.clone(),
            answers,
            runtime: Handle::current(),
            patience: self.shared.patience,
        };
        let (shared, outgoing, waiting) = (self.shared.clone(), self.outgoing.clone(), self.waiting.clone());
        self.under_way.spawn(async move {
            let reply = execute(&shared, message, peer).await;
            lock(&waiting).remove(&id);
            // The peer may have gone; it will ask again.
            let _ = outgoing.send(reply).await;
        });
        Ok(())
    }

    async fn refuse(&self, message: &ChaincodeMessage, why: &str) -> Result<(), &'static str> {
        let (txid, channel_id) = (message.txid.clone(), message.channel_id.clone());
        self.send(ChaincodeMessage { payload: why.as_bytes().to_vec(), txid, channel_id, ..of(Type::Error) }).await
    }

    async fn send(&self, message: ChaincodeMessage) -> Result<(), &'static str> {
        self.outgoing.send(message).await.map_err(|_| "it takes no messages any more")
    }
}

/// Runs a transaction on a thread of its own, once one is free.
async fn execute(shared: &Arc<Shared>, message: ChaincodeMessage, peer: Peer) -> ChaincodeMessage {
    shared.metrics.begun();
    let begun = Instant::now();
    let (function, Reply { message, outcome }) = match Call::read(&message, shared.clock.now()) {
        Err(refusal) => (String::new(), Reply::refused(&message, &refusal)),
        Ok(call) => match shared.contracts.find(&message.channel_id, &call.chaincode) {
            None => (call.function, Reply::refused(&message, &Refusal::Chaincode)),
            Some(contract) => {
                let _permit = shared.threads.acquire().await;
                let (endorser, function) = (shared.endorser.clone(), call.function.clone());
                let failed = message.clone();
                let ran = tokio::task::spawn_blocking(move || run(&message, &call, &contract, &endorser, peer)).await;
                (function, ran.unwrap_or_else(|_| Reply::panicked(&failed)))
            }
        },
    };
    shared.metrics.ended(&function, outcome, begun.elapsed());
    if outcome == Outcome::Broken {
        tracing::warn!(function, "the peer could not serve the state");
    }
    message
}

fn of(kind: Type) -> ChaincodeMessage {
    ChaincodeMessage { r#type: kind.into(), ..ChaincodeMessage::default() }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a peer gets that asks for a second stream while the server stops.
pub(crate) fn stopping() -> Status {
    Status::unavailable("this chaincode server is stopping")
}
