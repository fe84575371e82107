//! A peer in this process, for tests: it speaks the gateway's and the deliver service's protocol over mutual TLS, keeps
//! a real chain (hashes, signatures, certificates), checks the signatures it is shown, and fails on demand.
//!
//! It endorses alone, orders by itself, and does not validate: a transaction takes effect unless a [`Fault::Code`] says
//! otherwise. What a chaincode does is a function of the test's own.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a panic is how it fails")]

mod chain;
mod deliver;
mod events;
mod fault;
mod gateway;
mod organisation;
mod stalled;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity as TlsIdentity, Server, ServerTlsConfig};

use crate::proto::gateway::gateway_server::GatewayServer;
use crate::proto::protos::deliver_server::DeliverServer;
use crate::{ChaincodeRefusal, Connection, Gateway, MESSAGE_BYTES_MAX, PeerEndpoint, Sources};
use chain::Chain;
pub use fault::Fault;
pub use organisation::{TestIdentity, TestOrganisation};

/// A call as a chaincode sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The chaincode.
    pub chaincode: String,
    /// Function and arguments.
    pub arguments: Vec<Vec<u8>>,
    /// Private input.
    pub transient: BTreeMap<String, Vec<u8>>,
}

/// What a chaincode did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What it returns.
    pub response: Vec<u8>,
    /// Its event: name and payload.
    pub event: Option<(String, Vec<u8>)>,
    /// Keys written.
    pub writes: BTreeMap<String, Vec<u8>>,
}

/// A chaincode.
pub type TestChaincode = Arc<dyn Fn(&Invocation) -> Result<Outcome, ChaincodeRefusal> + Send + Sync>;

/// What outlives a stop.
struct State {
    channel: String,
    peer: TestIdentity,
    chain: Chain,
    chaincode: TestChaincode,
    faults: Mutex<Vec<Fault>>,
    /// The members that the last call named.
    named: Mutex<Vec<String>>,
}

impl State {
    /// Takes the first fault of a kind.
    fn fault<T>(&self, kind: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut faults = self.faults.lock().unwrap();
        let (place, found) =
            faults.iter().enumerate().find_map(|(place, fault)| kind(fault).map(|found| (place, found)))?;
        faults.remove(place);
        Some(found)
    }

    /// Takes a fault that says nothing more than that it is one.
    fn has(&self, fault: &Fault) -> bool {
        self.fault(|set| (set == fault).then_some(())).is_some()
    }

    async fn delay(&self) {
        if let Some(delay) = self.fault(|fault| if let Fault::Slow(delay) = fault { Some(*delay) } else { None }) {
            tokio::time::sleep(delay).await;
        }
    }
}

/// A peer with a chain of its own.
pub struct TestPeer {
    state: Arc<State>,
    address: SocketAddr,
    tls: TestIdentity,
    root: String,
    /// Its own, so that a stop breaks every connection at once, as a crash does.
    runtime: Option<Runtime>,
}

impl TestPeer {
    /// Starts an organisation's peer on a channel, with its first block.
    #[must_use]
    pub fn start(organisation: &TestOrganisation, channel: &str, chaincode: TestChaincode) -> Self {
        let orderer = TestOrganisation::new("orderers").identity("orderer");
        let chain = Chain::new(channel, orderer);
        let peer = organisation.identity("peer");
        let (channel, faults, named) = (channel.to_owned(), Mutex::default(), Mutex::default());
        let state = State { channel, peer, chain, chaincode, faults, named };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, tls) = (listener.local_addr().unwrap(), organisation.identity("tls"));
        let mut started = Self { state: Arc::new(state), address, tls, root: organisation.root(), runtime: None };
        started.serve(listener);
        started
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> PeerEndpoint {
        let (address, server_name) = (self.address.to_string(), "localhost".to_owned());
        PeerEndpoint { address, server_name, tls_root: self.root.clone() }
    }

    /// A gateway through it for an identity, with the time standing still and nonces counted.
    #[must_use]
    pub fn gateway(&self, identity: &TestIdentity) -> Gateway {
        let connection = Connection::open(&self.endpoint(), &identity.tls()).unwrap();
        Gateway::new(connection, identity.identity(), identity.signer(), counted())
    }

    /// Lets something go wrong.
    pub fn fault(&self, fault: Fault) {
        self.state.faults.lock().unwrap().push(fault);
    }

    /// How many things are still to go wrong.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.state.faults.lock().unwrap().len()
    }

    /// The members whose peers the last call was to be endorsed or run by.
    #[must_use]
    pub fn named(&self) -> Vec<String> {
        self.state.named.lock().unwrap().clone()
    }

    /// How many blocks there are.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.state.chain.height()
    }

    /// Ends it as a crash does; its chain stays.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Starts it again at the same address.
    ///
    /// # Errors
    /// The address is still somebody's: it is free again a moment after a stop, and tried for ten seconds.
    pub async fn start_again(&mut self) -> std::io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => {
                    self.serve(listener);
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    fn serve(&mut self, listener: TcpListener) {
        listener.set_nonblocking(true).unwrap();
        let tls = self.tls.tls();
        let config = ServerTlsConfig::new()
            .identity(TlsIdentity::from_pem(&tls.certificate, tls.key.as_bytes()))
            .client_ca_root(Certificate::from_pem(&self.root));
        let gateway = GatewayServer::new(gateway::Service(self.state.clone()));
        let inner = gateway.max_decoding_message_size(MESSAGE_BYTES_MAX);
        let gateway = stalled::Stalled { inner, state: self.state.clone() };
        let router = Server::builder()
            .tls_config(config)
            .unwrap()
            .add_service(gateway)
            .add_service(DeliverServer::new(deliver::Service(self.state.clone())));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            router.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
        });
        self.runtime = Some(runtime);
    }
}

impl Drop for TestPeer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Time that stands still, and nonces that were never used before in this process.
#[must_use]
pub fn counted() -> Sources {
    static NONCES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let nonce = || {
        let mut nonce = [0; 24];
        let number = NONCES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        nonce.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        nonce
    };
    Sources { now: Arc::new(|| UNIX_EPOCH + Duration::from_secs(1_800_000_000)), nonce: Arc::new(nonce) }
}
