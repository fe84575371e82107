//! Connections to other parties: mutual TLS with this organisation's certificate. The other side must show a
//! certificate of exactly the organisation that is called, whatever other members there are.
//!
//! Which root that organisation has is asked with every handshake and not when the connection is set up, so that a
//! member's new root needs no restart of those that call it. tonic's own TLS settings are fixed once; hence the
//! connector here.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use semblance_core::id::OrganisationId;
use semblance_core::organisation::Genesis;
use semblance_ledger::listen::MemberRoots;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::config::TlsFiles;
use crate::failure::Failure;
use crate::members::KnownMembers;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an idle connection is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The roots of a network's members.
#[derive(Clone)]
pub struct Trust {
    members: Arc<KnownMembers>,
}

impl Trust {
    /// The roots in a genesis, and no others.
    #[must_use]
    pub fn of(genesis: &Genesis) -> Self {
        Self::in_members(Arc::new(KnownMembers::of(genesis)))
    }

    /// The present roots of the members that are known.
    pub(crate) const fn in_members(members: Arc<KnownMembers>) -> Self {
        Self { members }
    }

    /// A connection to an organisation's node, made when it is first used and again whenever it breaks.
    ///
    /// # Errors
    /// The organisation is no member, or the address or a certificate is none.
    pub fn channel(&self, own: &TlsFiles, organisation: &OrganisationId, address: &str) -> anyhow::Result<Channel> {
        if self.members.get(organisation).is_none() {
            let failure = Failure::usage(format!("organisation `{organisation}` is no member of the network"));
            return Err(failure.hint("check the organisation's name under [ledger] and [[matchers]]").into());
        }
        let connector = Connector { tls: TlsConnector::from(Arc::new(self.config(own, organisation)?)) };
        // TLS is the connector's business: tonic would refuse https without settings of its own.
        let plain = address.replacen("https://", "http://", 1);
        let endpoint = Endpoint::from_shared(plain)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        Ok(endpoint.connect_with_connector_lazy(connector))
    }

    fn config(&self, own: &TlsFiles, organisation: &OrganisationId) -> anyhow::Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificates: Vec<_> =
            CertificateDer::pem_slice_iter(own.certificate.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes())?;
        let verifier = Callee {
            organisation: organisation.clone(),
            members: Arc::clone(&self.members),
            provider: Arc::clone(&provider),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(certificates, key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

/// Opens connections to one organisation's node.
#[derive(Clone)]
struct Connector {
    tls: TlsConnector,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let tls = self.tls.clone();
        Box::pin(async move {
            let missing = || io::Error::new(io::ErrorKind::InvalidInput, "the address needs a host and a port");
            let host = address.host().ok_or_else(missing)?.trim_matches(['[', ']']).to_owned();
            let port = address.port_u16().ok_or_else(missing)?;
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let connection = TcpStream::connect((host, port)).await?;
            connection.set_nodelay(true)?;
            Ok(TokioIo::new(tls.connect(name, connection).await?))
        })
    }
}

/// Verifies a server's certificate against the present root of the one organisation that is called.
struct Callee {
    organisation: OrganisationId,
    members: Arc<KnownMembers>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Callee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Callee({})", self.organisation)
    }
}

impl Callee {
    /// What verifies with the root of this moment.
    fn present(&self) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let root = self.members.root(&self.organisation).ok_or(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root))?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))
    }
}

type Checked = Result<HandshakeSignatureValid, rustls::Error>;

impl ServerCertVerifier for Callee {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.present()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(&self, bytes: &[u8], by: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Checked {
        self.present()?.verify_tls12_signature(bytes, by, signed)
    }

    fn verify_tls13_signature(&self, bytes: &[u8], by: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Checked {
        self.present()?.verify_tls13_signature(bytes, by, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
