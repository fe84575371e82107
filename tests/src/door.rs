//! The way from hospitals to a matcher: the matcher's own gRPC over mutual TLS, as between machines.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use semblance_core::id::OrganisationId;
use semblance_hospital::matcher::{Found, MatcherError, MatcherPort, RemoteMatcher, Search};
use semblance_ledger::listen;
use semblance_ledger::tls::pem;
use semblance_matcher::{Matcher, MatcherService};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Server};

use crate::network::{Member, TestNetwork};

/// A member's root, and the certificate of its node.
pub struct Certificates {
    /// The root, DER.
    pub root: Vec<u8>,
    certificate: String,
    key: String,
}

impl Certificates {
    /// Makes an authority and lets it issue its node's certificate. Tests seed nothing of it.
    #[must_use]
    pub fn issue(id: &OrganisationId) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let root = authority.self_signed(&authority_key).unwrap().der().to_vec();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, id.as_str());
        params.distinguished_name.push(DnType::OrganizationalUnitName, "node");
        let key = KeyPair::generate().unwrap();
        let issued = params.signed_by(&key, &Issuer::from_params(&authority, &authority_key)).unwrap();
        Self { root, certificate: issued.pem(), key: key.serialize_pem() }
    }
}

/// A matcher that is served.
pub(crate) struct Served {
    /// Where.
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    /// Serves a matcher, again at the address where it was before.
    pub(crate) async fn start(
        network: &TestNetwork,
        name: &str,
        matcher: &Matcher,
        before: Option<SocketAddr>,
    ) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(before.unwrap_or(anywhere)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let own = Arc::clone(&network.member(name).tls);
        let roots = Arc::new(network.ledger.clone());
        let incoming = listen::members(listener, &own.certificate, &own.key, roots, network.clock.clone()).unwrap();
        let server = Server::builder().add_service(MatcherService::server(matcher.search()));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            // A world that is gone without a word stops its server too.
            let stopped = async { drop(stopped.await) };
            server.serve_with_incoming_shutdown(incoming, stopped).await.unwrap();
        });
        Self { address, stop, task }
    }

    /// Serves nobody any more.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// One hospital's way to one matcher.
pub(crate) struct Door {
    remote: RemoteMatcher,
    /// What went through, so that a test can send it again.
    sent: Arc<Mutex<Vec<Search>>>,
}

impl Door {
    /// A way to where the matcher is, or will be.
    pub(crate) fn new(
        (matcher, address): (&Member, SocketAddr),
        caller: &Member,
        sent: Arc<Mutex<Vec<Search>>>,
    ) -> Self {
        let tls = ClientTlsConfig::new()
            .identity(Identity::from_pem(&caller.tls.certificate, &caller.tls.key))
            .ca_certificate(Certificate::from_pem(pem(&matcher.tls.root)))
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(tls).unwrap();
        Self { remote: RemoteMatcher::new(matcher.id.clone(), endpoint.connect_lazy()), sent }
    }
}

#[async_trait]
impl MatcherPort for Door {
    fn organisation(&self) -> &OrganisationId {
        self.remote.organisation()
    }

    async fn search(&self, search: Search) -> Result<Found, MatcherError> {
        self.sent.lock().unwrap().push(search.clone());
        self.remote.search(search).await
    }
}
