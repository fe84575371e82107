//! Listening for HTTP, with TLS wherever others than this machine can reach it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::{Extension, Router};
use futures::StreamExt;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use semblance_ledger::listen;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;

use crate::bounds::Bounds;
use crate::connections;

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

/// Says to whoever answers without end that the server stops.
#[derive(Clone)]
pub(crate) struct Stop(pub(crate) CancellationToken);

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
    serve_within(listener, tls, routes, stop, Bounds::default()).await
}

/// As [`serve`], within other bounds.
pub(crate) async fn serve_within(
    listener: TcpListener,
    tls: Option<Tls<'_>>,
    routes: Router,
    stop: CancellationToken,
    bounds: Bounds,
) -> Result<(), ListenError> {
    let address = listener.local_addr()?;
    let routes = routes.layer(Extension(Stop(stop.clone())));
    match tls {
        Some(tls) => {
            let from = |stream: TlsStream<TcpStream>| Ok((stream.get_ref().0.peer_addr()?.ip(), stream));
            let incoming = listen::connections(listener, acceptor(&tls)?);
            connections::serve(incoming.map(|stream| stream.and_then(from)), routes, stop, bounds).await;
        }
        None if address.ip().is_loopback() => {
            let from = |stream: TcpStream| Ok((stream.peer_addr()?.ip(), stream));
            let incoming = TcpListenerStream::new(listener);
            connections::serve(incoming.map(|stream| stream.and_then(from)), routes, stop, bounds).await;
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
