//! The connection to one peer, over mutual TLS.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity};
use zeroize::Zeroizing;

/// The largest message either way, in bytes: as large as Fabric's peers take by default.
pub const MESSAGE_BYTES_MAX: usize = 100 << 20;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long the answer may take.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(20);

/// Where a peer is, and what its certificate verifies against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerEndpoint {
    /// `host:port`.
    pub address: String,
    /// The name its certificate must hold for.
    pub server_name: String,
    /// The root of its organisation's TLS certificates, in PEM.
    pub tls_root: String,
}

/// The certificate and key that the connection itself shows.
#[derive(Clone)]
pub struct ClientTls {
    /// The certificate, in PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub key: Zeroizing<String>,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// Why there can be no connection: the configuration is wrong. A peer that is down is found when it is called.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The address is none.
    #[error("{address:?} is no address of a peer, as in peer0.example.org:7051: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate or key cannot be used.
    #[error("the TLS certificates for {address} cannot be used: {reason}")]
    Tls {
        /// The peer.
        address: String,
        /// What is wrong.
        reason: String,
    },
}

/// A connection to one peer; made when it is first used, and made again when it breaks. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
    address: String,
    certificate_digest: [u8; 32],
}

impl Connection {
    /// Prepares a connection.
    ///
    /// # Errors
    /// The address, a certificate or the key is malformed.
    pub fn open(peer: &PeerEndpoint, tls: &ClientTls) -> Result<Self, ConnectionError> {
        let address = peer.address.clone();
        let unusable = |reason: String| ConnectionError::Tls { address: address.clone(), reason };
        let certificate = CertificateDer::from_pem_slice(tls.certificate.as_bytes())
            .map_err(|error| unusable(format!("the client's certificate is no PEM: {error}")))?;
        let config = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&peer.tls_root))
            .identity(TlsIdentity::from_pem(&tls.certificate, tls.key.as_bytes()))
            .domain_name(&peer.server_name);
        let endpoint = Endpoint::from_shared(format!("https://{address}"))
            .map_err(|error| ConnectionError::Address { address: address.clone(), reason: error.to_string() })?
            .tls_config(config)
            .map_err(|error| unusable(described(&error)))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_ANSWER)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        let certificate_digest = Sha256::digest(&certificate).into();
        Ok(Self { channel: endpoint.connect_lazy(), address, certificate_digest })
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// SHA-256 of the certificate (DER) that this connection shows; a stream of blocks is bound to it.
    #[must_use]
    pub const fn certificate_digest(&self) -> &[u8; 32] {
        &self.certificate_digest
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// An error with its causes.
fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
