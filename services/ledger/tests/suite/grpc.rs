//! Through gRPC with mutual TLS, as another process would.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use semblance_contract::Contract;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::Role;
use semblance_core::random::SeededSource;
use semblance_core::time::{Clock, Timestamp};
use semblance_ledger::embedded::verify::Report;
use semblance_ledger::embedded::{LedgerService, RemoteLedger};
use semblance_ledger::identity::{Identity, IncomingProposal};
use semblance_ledger::listen;
use semblance_ledger::suite::scratch::{ScratchContract, call, genesis};
use semblance_ledger::suite::{Factory, LedgerUnderTest, Network, Party, Sent, Skipped, Told};
use semblance_ledger::tls::{certificate_digest, server_config};
use semblance_ledger::{Call, Committed, Ledger, LedgerError, ledger_suite};
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Server};

use crate::embedded::Running;

pub(crate) struct Grpc;

/// An organisation's authority and the one certificate it issued.
struct Authority {
    root: Certificate,
    leaf_pem: String,
    leaf_der: Vec<u8>,
    key_pem: String,
}

impl Authority {
    fn new(organisation: &str, role: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::OrganizationName, organisation);
        params.distinguished_name.push(DnType::CommonName, format!("{organisation} authority"));
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::from_params(&params, &key);
        let leaf_key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::OrganizationName, organisation);
        leaf.distinguished_name.push(DnType::OrganizationalUnitName, role);
        leaf.distinguished_name.push(DnType::CommonName, "test");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        Self { root, leaf_pem: leaf.pem(), leaf_der: leaf.der().to_vec(), key_pem: leaf_key.serialize_pem() }
    }
}

struct Serving {
    running: Running,
    random: Arc<SeededSource>,
    authorities: BTreeMap<OrganisationId, Authority>,
    strangers: Vec<Authority>,
    address: SocketAddr,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Serving {
    async fn serve(&mut self) {
        let tls = {
            let own = self.authorities.values().next().unwrap();
            let roots = self.authorities.values().chain(&self.strangers).map(|authority| &**authority.root.der());
            server_config(&own.leaf_pem, &own.key_pem, roots)
        };
        let listener = loop {
            match tokio::net::TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let service = LedgerService::server(self.running.ledger().clone());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = Server::builder().tls_config(tls).unwrap().add_service(service);
        let task = tokio::spawn(async move {
            server
                .serve_with_incoming_shutdown(incoming, async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
        self.server = Some((stop, task));
    }

    fn channel(&self, authority: &Authority) -> Channel {
        let root = &self.authorities.values().next().unwrap().root;
        let tls = ClientTlsConfig::new()
            .ca_certificate(tonic::transport::Certificate::from_pem(root.pem()))
            .identity(tonic::transport::Identity::from_pem(&authority.leaf_pem, &authority.key_pem))
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).unwrap();
        endpoint.tls_config(tls).unwrap().connect_lazy()
    }

    fn remote(&self, identity: Identity) -> RemoteLedger {
        let channel = self.channel(self.authorities.get(&identity.organisation).unwrap());
        RemoteLedger::new(channel, identity, self.running.clock.clone(), self.random.clone())
    }
}

#[async_trait]
impl Factory for Grpc {
    async fn start(&self, contract: Arc<dyn Contract>, parties: &mut [Party]) -> Box<dyn LedgerUnderTest> {
        Box::new(start(contract, parties).await)
    }
}

async fn start(contract: Arc<dyn Contract>, parties: &mut [Party]) -> Serving {
    let mut authorities = BTreeMap::new();
    for party in parties {
        let authority = Authority::new(party.id.as_str(), "node");
        party.tls_root = authority.root.der().to_vec();
        party.certificate = certificate_digest(&authority.leaf_der);
        authorities.insert(party.id.clone(), authority);
    }
    let mut serving = Serving {
        running: Running::start(contract),
        random: Arc::new(SeededSource::new([200; 32])),
        authorities,
        // Roots that the connection accepts, as after a member has gone, but no member stands behind.
        strangers: vec![Authority::new("hospital-1", "node"), Authority::new("stranger", "node")],
        address: "127.0.0.1:0".parse().unwrap(),
        server: None,
    };
    serving.serve().await;
    serving
}

#[async_trait]
impl LedgerUnderTest for Serving {
    fn handle(&self, identity: Identity) -> Arc<dyn Ledger> {
        Arc::new(self.remote(identity))
    }

    async fn genesis(&self, identity: Identity, call: Call) -> Result<Committed, LedgerError> {
        self.running.ledger().handle(identity).submit(call).await
    }

    fn administrator(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.running.ledger().handle(identity)
    }

    fn now(&self) -> Timestamp {
        self.running.clock.now()
    }

    fn advance(&self, millis: u64) -> Told {
        self.running.clock.advance(millis);
        Ok(())
    }

    async fn send(&self, through: &Party, proposal: IncomingProposal) -> Result<Sent, Skipped> {
        Ok(self.remote(through.identity(Role::Node)).submit_signed(proposal).await)
    }

    fn alter(&self, organisation: &OrganisationId, contract: Option<Arc<dyn Contract>>) -> Told {
        self.running.ledger().peers().alter(organisation, contract);
        Ok(())
    }

    async fn set_down(&self, organisation: &OrganisationId, down: bool) -> Told {
        self.running.ledger().peers().set_down(organisation, down);
        Ok(())
    }

    async fn restart(&mut self) -> Told {
        self.running.ledger().stop();
        let (stop, task) = self.server.take().unwrap();
        let _ = stop.send(());
        task.await.unwrap();
        self.running.ledger = None;
        self.running.open();
        self.serve().await;
        Ok(())
    }

    async fn verify(&self) -> Result<Report, Skipped> {
        Ok(self.running.ledger().verify().await.unwrap())
    }
}

ledger_suite!(Grpc);

async fn network(parties: &mut [Party]) -> Serving {
    let serving = start(Arc::new(ScratchContract), parties).await;
    let founder = parties.first().unwrap().identity(Role::Admin);
    serving.genesis(founder, genesis(parties)).await.unwrap();
    serving
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_speaks_for_its_own_organisation_alone() {
    let mut parties = Party::all(2, 1);
    let serving = network(&mut parties).await;
    let [one, two] = [&parties[0], &parties[1]];
    let speak = |authority: &Authority, identity: Identity| {
        RemoteLedger::new(serving.channel(authority), identity, serving.running.clock.clone(), serving.random.clone())
    };
    let own = serving.authorities.get(&one.id).unwrap();
    speak(own, one.identity(Role::Node)).submit(call("put", &["a", "x"])).await.unwrap();
    // Another organisation's proposal, another role, another certificate's digest.
    let digest = Identity { certificate: [1; 32], ..one.identity(Role::Node) };
    for identity in [two.identity(Role::Node), one.identity(Role::Admin), digest] {
        let remote = speak(own, identity);
        for outcome in [
            remote.submit(call("put", &["a", "y"])).await.map(|_| ()),
            remote.evaluate(call("get", &["a"])).await.map(|_| ()),
        ] {
            assert!(matches!(outcome, Err(LedgerError::Identity(_))), "{outcome:?}");
        }
    }
    // The right name under another root, and a name of no member: neither is heard, not even to follow.
    for stranger in &serving.strangers {
        let identity = Identity { certificate: certificate_digest(&stranger.leaf_der), ..one.identity(Role::Node) };
        let remote = speak(stranger, identity);
        let outcome = remote.evaluate(call("get", &["a"])).await;
        assert!(matches!(outcome, Err(LedgerError::Identity(_))), "{outcome:?}");
        assert!(matches!(remote.blocks(0).await.map(|_| ()), Err(LedgerError::Identity(_))));
        assert!(matches!(remote.head().await, Err(LedgerError::Identity(_))));
    }
    let (height, hash) = speak(own, one.identity(Role::Node)).head().await.unwrap();
    let head = serving.running.ledger().head().unwrap();
    assert_eq!((height, hash), (head.height, Some(head.hash)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_down_says_that_nothing_was_written() {
    let mut parties = Party::all(1, 0);
    let mut serving = network(&mut parties).await;
    let remote = serving.remote(parties[0].identity(Role::Node));
    remote.submit(call("put", &["a", "x"])).await.unwrap();
    serving.running.ledger().stop();
    let (stop, task) = serving.server.take().unwrap();
    let stopping = remote.submit(call("put", &["a", "y"])).await;
    assert!(matches!(stopping, Err(LedgerError::Unavailable(_))), "{stopping:?}");
    let _ = stop.send(());
    task.await.unwrap();
    let fresh = serving.remote(parties[0].identity(Role::Node));
    for outcome in [fresh.submit(call("put", &["a", "z"])).await, fresh.submit(call("put", &["a", "z"])).await] {
        assert!(matches!(outcome, Err(LedgerError::Unavailable(_))), "{outcome:?}");
    }
    assert!(matches!(fresh.evaluate(call("get", &["a"])).await, Err(LedgerError::Unavailable(_))));
    assert!(matches!(fresh.blocks(0).await.map(|_| ()), Err(LedgerError::Unavailable(_))));
    serving.running.ledger = None;
    serving.running.open();
    serving.serve().await;
    assert_eq!(remote.evaluate(call("get", &["a"])).await.unwrap(), b"x");
}

/// Serves, from now on, whoever is a member at the moment.
async fn listen_for_members(serving: &mut Serving) -> JoinHandle<()> {
    let (_, task) = serving.server.take().unwrap();
    task.abort();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    serving.address = listener.local_addr().unwrap();
    let ledger = serving.running.ledger().clone();
    let own = serving.authorities.values().next().unwrap();
    let roots = Arc::new(ledger.clone());
    let incoming =
        listen::members(listener, &own.leaf_pem, &own.key_pem, roots, serving.running.clock.clone()).unwrap();
    let server = Server::builder().add_service(LedgerService::server(ledger));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_keeps_nobody_out() {
    let mut parties = Party::all(1, 0);
    let mut serving = network(&mut parties).await;
    let task = listen_for_members(&mut serving).await;
    // Far more than may be under way, of the member's own address and of another one.
    let mut silent = Vec::new();
    for address in ["127.0.0.1:0", "127.0.0.2:0"] {
        for _ in 0..150 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(address.parse().unwrap()).unwrap();
            silent.push(socket.connect(serving.address).await.unwrap());
        }
    }
    // Less than any of the silent ones may take, so that it is not their end that lets the member in.
    let remote = serving.remote(parties[0].identity(Role::Node)).with_deadline(Duration::from_secs(2));
    for number in 0..5 {
        remote.submit(call("put", &[&format!("key-{number}"), "x"])).await.unwrap();
        let fresh = serving.remote(parties[0].identity(Role::Node)).with_deadline(Duration::from_secs(2));
        assert_eq!(fresh.evaluate(call("get", &[&format!("key-{number}")])).await.unwrap(), b"x");
    }
    // In the end every one of them is hung up on.
    for mut connection in silent {
        let end = tokio::time::timeout(Duration::from_secs(10), connection.read(&mut [0])).await.unwrap();
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_later_is_heard_without_a_restart() {
    let mut parties = Party::all(2, 0);
    let mut serving = start(Arc::new(ScratchContract), &mut parties).await;
    let founder = parties[0].identity(Role::Admin);
    serving.genesis(founder.clone(), genesis(&parties[..1])).await.unwrap();
    let task = listen_for_members(&mut serving).await;

    let [first, second] = [&parties[0], &parties[1]].map(|party| serving.remote(party.identity(Role::Node)));
    first.submit(call("put", &["key", "x"])).await.unwrap();
    assert!(second.evaluate(call("get", &["key"])).await.is_err());
    for stranger in &serving.strangers {
        let identity = parties[0].identity(Role::Node);
        let channel = serving.channel(stranger);
        let remote = RemoteLedger::new(channel, identity, serving.running.clock.clone(), serving.random.clone());
        assert!(remote.evaluate(call("get", &["key"])).await.is_err());
    }
    let join = Call { function: "register".into(), ..genesis(&parties[1..]) };
    serving.genesis(founder, join).await.unwrap();
    let second = serving.remote(parties[1].identity(Role::Node));
    assert_eq!(second.evaluate(call("get", &["key"])).await.unwrap(), b"x");
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_genesis_nobody_is_heard() {
    let mut parties = Party::all(1, 0);
    let serving = start(Arc::new(ScratchContract), &mut parties).await;
    let network = Network { ledger: Box::new(serving), parties, founded: 0 };
    let outcome = network.node("hospital-1").evaluate(call("get", &["a"])).await;
    assert!(matches!(outcome, Err(LedgerError::Identity(_))), "{outcome:?}");
}
