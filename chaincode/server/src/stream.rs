//! One peer's connection: register, become ready, then transactions side by side.

use std::sync::Arc;
use std::time::Instant;

use prost::Message;
use semblance_contract::error::wire::Refusal;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::{ChaincodeAdditionalParams, ChaincodeId, ChaincodeMessage};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

use crate::metrics::Outcome;
use crate::peer::{Offers, Peer};
use crate::run::{Reply, run};
use crate::server::Shared;
use crate::transaction::Call;
use crate::under_way::UnderWay;

/// The most that is read or written with one message, whatever a peer offers.
const BATCH_MAX: u32 = 10_000;

/// A connection.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<ChaincodeMessage>,
    under_way: UnderWay,
    /// None until the peer said that it is ready.
    offers: Option<Offers>,
    tasks: TaskTracker,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, outgoing: mpsc::Sender<ChaincodeMessage>) -> Self {
        Self { shared, outgoing, under_way: UnderWay::default(), offers: None, tasks: TaskTracker::new() }
    }

    /// Speaks with the peer until it hangs up or the server stops; then finishes what is under way.
    pub(crate) async fn serve(mut self, mut incoming: Streaming<ChaincodeMessage>) {
        if self.register().await.is_ok() {
            tokio::select! {
                () = stopped(self.shared.stop.clone(), self.tasks.clone()) => {}
                () = self.listen(&mut incoming) => {}
            }
        }
        if self.offers.is_some() {
            self.shared.metrics.peer_is_ready(false);
        }
        self.under_way.hang_up();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn listen(&mut self, incoming: &mut Streaming<ChaincodeMessage>) {
        loop {
            match incoming.message().await {
                Ok(Some(message)) => {
                    if let Err(reason) = self.take(message).await {
                        tracing::warn!(reason, "the peer's connection is ended");
                        return;
                    }
                }
                Ok(None) => return,
                Err(status) => {
                    tracing::info!(code = ?status.code(), "the peer's connection broke");
                    return;
                }
            }
        }
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
            Ok(Type::Response | Type::Error) => {
                // A late answer, or one to nothing, harms nobody.
                if !self.under_way.answer(message) {
                    tracing::debug!("the peer answered what nobody asks any more");
                }
                Ok(())
            }
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

    async fn begin(&mut self, message: ChaincodeMessage) -> Result<(), &'static str> {
        let Some(offers) = self.offers else { return Err("it sent a transaction before it was ready") };
        if self.shared.stop.is_cancelled() {
            return self.refuse(&message, "this chaincode server is stopping").await;
        }
        let Some(place) = self.under_way.begin(&message) else {
            tracing::warn!("a transaction came twice; the first one goes on");
            return Ok(());
        };
        let peer = Peer {
            channel: message.channel_id.clone(),
            txid: message.txid.clone(),
            offers,
            requests: self.outgoing.clone(),
            place,
            runtime: Handle::current(),
            deadline: tokio::time::Instant::now() + self.shared.patience,
        };
        let (shared, outgoing) = (self.shared.clone(), self.outgoing.clone());
        self.tasks.spawn(async move {
            let reply = execute(&shared, message, peer).await;
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
            None => (call.function, Reply::refused(&message, &unknown())),
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

fn unknown() -> Refusal {
    Refusal::other("unknown-chaincode", "this server runs no chaincode of that name")
}

fn of(kind: Type) -> ChaincodeMessage {
    ChaincodeMessage { r#type: kind.into(), ..ChaincodeMessage::default() }
}

/// Waits until the server was told to stop and no transaction is under way: none begins after the first.
async fn stopped(stop: CancellationToken, tasks: TaskTracker) {
    stop.cancelled().await;
    tasks.close();
    tasks.wait().await;
}

/// What a peer gets that asks for a second stream while the server stops.
pub(crate) fn stopping() -> Status {
    Status::unavailable("this chaincode server is stopping")
}
