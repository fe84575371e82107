//! Connections from members alone, whoever is one at the moment: a client's certificate is verified against the root
//! that the ledger holds for its organisation now, so that a new member or a new root needs no restart.

mod handshakes;

use std::fmt;
use std::io;
use std::sync::Arc;

use futures::Stream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use semblance_core::id::OrganisationId;
use semblance_core::time::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use handshakes::{connections, source};

use crate::tls::peer_identity;

/// Knows the members' present roots. Asked during a handshake, it must answer within about a millisecond.
pub trait MemberRoots: Send + Sync {
    /// The root (DER) that an organisation's certificates are checked against; none for a stranger.
    fn root(&self, organisation: &OrganisationId) -> Option<Vec<u8>>;
}

/// Why a server cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The server's own certificate or key is no PEM.
    #[error("the server's certificate or key cannot be read: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// TLS refuses them.
    #[error("the server's certificate and key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// Accepts TLS connections of members, for a server's `serve_with_incoming_shutdown`. Who a client is must still be
/// asked request by request with [`peer_identity`], because keys may change while a connection lasts.
///
/// # Errors
/// The server's own certificate or key is unusable.
pub fn members(
    listener: TcpListener,
    certificate_pem: &str,
    key_pem: &str,
    roots: Arc<dyn MemberRoots>,
    clock: Arc<dyn Clock>,
) -> Result<impl Stream<Item = io::Result<TlsStream<TcpStream>>> + use<>, ListenError> {
    let acceptor = TlsAcceptor::from(Arc::new(config(certificate_pem, key_pem, roots, clock)?));
    Ok(connections(listener, acceptor))
}

fn config(
    certificate_pem: &str,
    key_pem: &str,
    roots: Arc<dyn MemberRoots>,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, ListenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(certificate_pem.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?;
    let verifier = Arc::new(MemberVerifier { roots, clock, provider: Arc::clone(&provider) });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Verifies clients against the roots of the present members.
struct MemberVerifier {
    roots: Arc<dyn MemberRoots>,
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for MemberVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MemberVerifier")
    }
}

impl ClientCertVerifier for MemberVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Members come and go; clients know whose they are.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let mut certificates = vec![end_entity.clone().into_owned()];
        certificates.extend(intermediates.iter().map(|certificate| certificate.clone().into_owned()));
        match peer_identity(&certificates, |organisation| self.roots.root(organisation), self.clock.now()) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                tracing::info!(%error, "client refused");
                Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
