//! Listening for HTTP, with TLS wherever others than this machine can reach it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes under way at a time.
const HANDSHAKES: usize = 64;

/// A certificate with its key, both PEM.
pub struct Tls<'a> {
    /// The certificate and what vouches for it.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Tokens would go over the network in the clear.
    #[error("{0} can be reached from other machines, and there is no certificate to encrypt with")]
    Plain(SocketAddr),
    /// The certificate or its key cannot be used.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(String),
    /// The listener failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves routes until `stop`; connections that are open then may finish what they do.
///
/// # Errors
/// See [`ListenError`].
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls<'_>>,
    routes: Router,
    stop: CancellationToken,
) -> Result<(), ListenError> {
    let address = listener.local_addr()?;
    match tls {
        Some(tls) => {
            let listener = TlsListener::start(listener, address, acceptor(&tls)?, stop.clone());
            axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await?;
        }
        None if address.ip().is_loopback() => {
            axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await?;
        }
        None => return Err(ListenError::Plain(address)),
    }
    Ok(())
}

fn acceptor(tls: &Tls<'_>) -> Result<TlsAcceptor, ListenError> {
    let wrong = |error: String| ListenError::Certificate(error);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(tls.certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Connections whose handshakes are done; one that is slow keeps nobody waiting.
struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    fn start(listener: TcpListener, address: SocketAddr, acceptor: TlsAcceptor, stop: CancellationToken) -> Self {
        let (sender, ready) = mpsc::channel(HANDSHAKES);
        let free = Arc::new(tokio::sync::Semaphore::new(HANDSHAKES));
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = stop.cancelled() => return,
                };
                let Ok((stream, peer)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        let _ = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Self { address, ready }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The listener has stopped; nothing comes any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
