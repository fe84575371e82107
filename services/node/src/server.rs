//! One listening address with mutual TLS: the services of a node's roles, health and reflection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use semblance_core::time::Clock;
use semblance_ledger::listen::{MemberRoots, members};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::config::TlsFiles;

/// How long accepted work may take after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(10);
/// Requests that one connection may have open at a time.
const REQUESTS_A_CONNECTION: u32 = 256;

/// Who gets in: the own certificate that is shown, and the members whose clients are let in.
pub(crate) struct Door<'a> {
    pub(crate) own: &'a TlsFiles,
    pub(crate) roots: Arc<dyn MemberRoots>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A server that runs.
pub(crate) struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    health: HealthReporter,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Server {
    /// Serves what `add` adds, on a bound listener.
    ///
    /// # Errors
    /// The certificate is none, or the listener cannot be used.
    pub(crate) fn start(
        listener: TcpListener,
        door: Door<'_>,
        add: impl FnOnce(&mut RoutesBuilder),
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("the listener has no address")?;
        let (health, health_service) = tonic_health::server::health_reporter();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(semblance_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .context("the service descriptors cannot be read")?;
        let mut routes = RoutesBuilder::default();
        routes.add_service(health_service).add_service(reflection);
        add(&mut routes);
        let router = tonic::transport::Server::builder()
            .max_concurrent_streams(REQUESTS_A_CONNECTION)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .add_routes(routes.routes());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let incoming = members(listener, &door.own.certificate, &door.own.key, door.roots, door.clock)
            .context("the node's certificate or key cannot be used")?;
        let task = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped));
        Ok(Self { address, stop, health, task })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more and tells so to whoever asks for the node's health.
    pub(crate) async fn refuse(&self) {
        self.health.set_service_status("", ServingStatus::NotServing).await;
        self.stop.cancel();
    }

    /// Waits until what was accepted is done, for a bounded time.
    pub(crate) async fn drain(mut self) {
        self.refuse().await;
        match tokio::time::timeout(DRAIN, &mut self.task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the server ended with an error"),
            Ok(Err(error)) => tracing::error!(%error, "the server's task failed"),
            Err(_) => {
                tracing::debug!(seconds = DRAIN.as_secs(), "connections still open after the drain are closed");
                self.task.abort();
            }
        }
    }
}
