//! The server that the peer dials.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use semblance_contract::Contract;
use semblance_core::id::OrganisationId;
use semblance_core::time::Clock;
use semblance_fabric::MESSAGE_BYTES_MAX;
use semblance_fabric::proto::protos::ChaincodeMessage;
use semblance_fabric::proto::protos::chaincode_server::{Chaincode, ChaincodeServer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::Metrics;
use crate::stream::{Connection, stopping};

/// Transactions that run at the same time; more wait.
const THREADS: usize = 128;
/// Messages on their way to the peer.
const OUTGOING: usize = 1024;
/// How long a transaction may take unless it is said otherwise: longer than a peer waits (30 s by default), so that this
/// only ends what a peer has forgotten.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a silent connection is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long transactions under way may take once the server was told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// Which contract goes by which name: one package may be committed under several names.
pub trait Contracts: Send + Sync {
    /// The contract of a chaincode's name on a channel.
    fn find(&self, channel: &str, chaincode: &str) -> Option<Arc<dyn Contract>>;
}

/// The same contract under every name.
#[derive(Clone)]
pub struct OneContract(pub Arc<dyn Contract>);

impl Contracts for OneContract {
    fn find(&self, _: &str, _: &str) -> Option<Arc<dyn Contract>> {
        Some(self.0.clone())
    }
}

/// The server's certificate and key, and the root that its peer's certificate must verify against, all in PEM.
#[derive(Clone)]
pub struct ServerTls {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// The root of the organisation's own TLS certificates.
    pub client_root: String,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The certificates cannot be used, or serving failed.
    #[error("cannot serve: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) package_id: String,
    pub(crate) endorser: OrganisationId,
    pub(crate) contracts: Arc<dyn Contracts>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: CancellationToken,
    pub(crate) threads: Semaphore,
    pub(crate) patience: Duration,
}

/// A server before it starts.
pub struct Server {
    package_id: String,
    endorser: OrganisationId,
    contracts: Arc<dyn Contracts>,
    clock: Arc<dyn Clock>,
    tls: Option<ServerTls>,
    patience: Duration,
}

impl Server {
    /// Runs contracts for the peer of one organisation, under the id of the package that its members installed.
    #[must_use]
    pub fn new(
        package_id: &str,
        endorser: OrganisationId,
        contracts: Arc<dyn Contracts>,
        clock: Arc<dyn Clock>,
        tls: Option<ServerTls>,
    ) -> Self {
        Self { package_id: package_id.to_owned(), endorser, contracts, clock, tls, patience: PATIENCE }
    }

    /// Lets a transaction wait so long for the peer, in all.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Starts to serve.
    ///
    /// # Errors
    /// The address is taken, or the certificates cannot be used.
    pub async fn start(self, address: SocketAddr) -> Result<Running, ServerError> {
        let listener = TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| ServerError::Listen { address, source })?;
        let (metrics, stop) = (Arc::new(Metrics::default()), CancellationToken::new());
        let shared = Arc::new(Shared {
            package_id: self.package_id,
            endorser: self.endorser,
            contracts: self.contracts,
            clock: self.clock,
            metrics: metrics.clone(),
            stop: stop.clone(),
            threads: Semaphore::new(THREADS),
            patience: self.patience,
        });
        let mut builder = tonic::transport::Server::builder().http2_keepalive_interval(Some(KEEPALIVE));
        if let Some(tls) = self.tls {
            let config = ServerTlsConfig::new()
                .identity(Identity::from_pem(tls.certificate, tls.key))
                .client_ca_root(Certificate::from_pem(tls.client_root));
            builder = builder.tls_config(config)?;
        }
        let service = ChaincodeServer::new(Service(shared))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let stopped = stop.clone().cancelled_owned();
        let serving = builder.add_service(service);
        // A transaction is a dialogue of small messages: each would wait for the acknowledgement of the one before.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let task = tokio::spawn(serving.serve_with_incoming_shutdown(incoming, stopped));
        Ok(Running { address, metrics, stop, task })
    }
}

/// A server that runs.
pub struct Running {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Takes no new transactions, finishes those under way, and ends. Says whether all could be finished.
    pub async fn stop(mut self) -> bool {
        self.stop.cancel();
        let drained = tokio::time::timeout(DRAIN, &mut self.task).await.is_ok();
        self.task.abort();
        drained
    }

    /// Waits until it ends by itself, which it does only with a failure.
    pub async fn failed(&mut self) -> String {
        match (&mut self.task).await {
            Ok(Ok(())) => "the server ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

struct Service(Arc<Shared>);

#[tonic::async_trait]
impl Chaincode for Service {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<ChaincodeMessage, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        if self.0.stop.is_cancelled() {
            return Err(stopping());
        }
        let (outgoing, messages) = mpsc::channel(OUTGOING);
        tokio::spawn(Connection::new(self.0.clone(), outgoing).serve(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(messages).map(Ok).boxed()))
    }
}
