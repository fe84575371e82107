//! Over mutual TLS, as another organisation's program would: each refusal has its gRPC status and its stable word, and
//! stands on the ledger as a denial, unless it is the matcher's own fault.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use semblance_contract::wire::{Empty, PageRequest, SignedStatement};
use semblance_core::id::{ClinicianPseudonym, OrganisationId};
use semblance_core::lookup::{LookupRequest, LookupSlot};
use semblance_core::organisation::{KeyRotation, Role, TlsRoot};
use semblance_core::query::Query;
use semblance_core::record::Record;
use semblance_core::signature::{SigningKey, Statement};
use semblance_core::time::{Clock, Day, Timestamp};
use semblance_core::token::{EpochNumber, Token};
use semblance_ledger::listen;
use semblance_matcher::budget::BudgetLimits;
use semblance_matcher::{CODE_KEY, IncomingSearch, MatcherService};
use semblance_proto::v1;
use semblance_proto::v1::matcher_client::MatcherClient;
use semblance_tests::between::{Between, Fate};
use semblance_tests::by_hand::{again, instead};
use semblance_tests::network::{NETWORK, call};
use semblance_tests::world::{World, local};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server};
use tonic::{Code, Status};

use crate::{client, copy};

/// An organisation's authority.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    root: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let root = params.self_signed(&key).unwrap();
        Self { params, key, root }
    }

    /// A certificate and its key, PEM.
    fn issue(&self, organisation: &str, role: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, organisation);
        params.distinguished_name.push(DnType::OrganizationalUnitName, role);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A network whose matcher listens.
struct Served {
    world: World,
    between: Arc<Between>,
    authorities: BTreeMap<&'static str, Authority>,
    address: SocketAddr,
}

/// Hospital north with the cases `asker`, `leaving` and `first`, south with `patient`, and a matcher that lets a
/// hospital ask one thing at a time, a clinician twice a day, a hospital three times. North has asked once.
async fn served(seed: u64) -> Served {
    let mut world = World::of(2, seed).await;
    let authorities = BTreeMap::from(["north", "south", "matcher"].map(|name| (name, Authority::new())));
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone()), ("leaving", symptoms.clone())]).await;
    world.admit("south", &[("patient", symptoms)]).await;
    world.settle().await;
    world.look_up("north", "leaving").await.unwrap();
    world.look_up("north", "asker").await.unwrap();
    // Only now: the world's own hospitals keep the certificates of the roots they began with.
    for (name, authority) in &authorities {
        set_root(&world, name, authority).await;
    }
    world.settle().await;
    world.stop_matcher("matcher").await;
    let between = Between::of(&world.network);
    let limits = BudgetLimits { clinician_day: 3, hospital_day: 4, hospital_in_flight: 1, ..BudgetLimits::default() };
    world.start_matcher_on("matcher", between.clone(), limits).await;
    world.settle().await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (certificate, key) = authorities["matcher"].issue("matcher", "node");
    let roots = Arc::new(world.network.ledger.clone());
    let incoming = listen::members(listener, &certificate, &key, roots, world.network.clock.clone()).unwrap();
    let service = MatcherService::server(world.search());
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    Served { world, between, authorities, address }
}

/// Gives a member a real root: in place of the one that tests without TLS have.
async fn set_root(world: &World, name: &str, authority: &Authority) {
    let member = world.network.member(name);
    let present = member.organisation();
    let mut next = present.clone();
    next.tls_root = TlsRoot::new(authority.root.der().to_vec()).unwrap();
    let rotation = KeyRotation::between(NETWORK, &present, &next).unwrap();
    let signed = SignedStatement(rotation.sign(&member.signing).into_parts().1);
    let call = call("rotate_key", &signed, &[]);
    let answer = world.network.handle(&member.id, Role::Admin).submit(call).await.unwrap().response;
    Empty::decode(&answer).unwrap();
}

impl Served {
    fn signing(&self, name: &str) -> SigningKey {
        self.world.network.member(name).signing.clone()
    }

    fn connect(&self, (certificate, key): (String, String)) -> MatcherClient<Channel> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.authorities["matcher"].root.pem()))
            .identity(Identity::from_pem(certificate, key))
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).unwrap();
        MatcherClient::new(endpoint.tls_config(tls).unwrap().connect_lazy())
    }

    fn node(&self, name: &str) -> MatcherClient<Channel> {
        self.connect(self.authorities[name].issue(name, "node"))
    }

    /// Another look-up by north from its case `asker`.
    fn honest(&self) -> IncomingSearch {
        again(&self.world, &self.signing("north"), |_| {})
    }

    fn changed(&self, change: impl FnOnce(&mut LookupRequest)) -> IncomingSearch {
        again(&self.world, &self.signing("north"), change)
    }

    /// The codes of the matcher's denials on the ledger, once there are so many.
    async fn denials(&self, count: usize) -> Vec<&'static str> {
        let (client, matcher) = (client(&self.world.network), &self.world.network.matcher().id);
        let today = self.world.network.clock.now().day();
        let all = async {
            loop {
                let rows = client.denials(matcher, today, PageRequest::first(100)).await.unwrap().rows;
                if rows.len() >= count {
                    return rows;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let rows = tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
        let mut codes: Vec<_> = rows.into_iter().map(|denial| denial.code.word()).collect();
        codes.sort_unstable();
        codes
    }
}

fn message(search: IncomingSearch) -> v1::SearchRequest {
    v1::SearchRequest {
        request: search.request.bytes().to_vec(),
        signature: search.request.signature().as_bytes().to_vec(),
        query: search.query,
        query_salt: search.query_salt.to_vec(),
    }
}

fn word(status: &Status) -> &str {
    status.metadata().get(CODE_KEY).map_or("", |word| word.to_str().unwrap())
}

async fn refused(client: &mut MatcherClient<Channel>, message: v1::SearchRequest) -> Status {
    let status = client.search(message).await.unwrap_err();
    assert!(status.message().len() > 20 && !status.message().contains("HP:"), "{status}");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_status_and_word_and_stands_on_the_ledger() {
    let served = served(41).await;
    let (world, north) = (&served.world, served.signing("north"));
    let honest = || message(served.honest());
    let foreign = {
        let asked = Query::decode(&served.honest().query).unwrap();
        let mut groups = asked.groups().to_vec();
        groups[0].own = Token(groups[0].own.0 ^ 1);
        Query::new(asked.epoch(), asked.breadth(), groups, 10).unwrap()
    };
    let used = world.sent().pop().unwrap().request.claim::<LookupRequest>(NETWORK).unwrap().claims().clone();
    let other = OrganisationId::new("matcher-two").unwrap();
    let yesterday = LookupSlot::new(Day::from_number(used.slot.day().number() - 1), 1).unwrap();
    let past = Timestamp::from_millis(world.network.clock.now().millis() - 1);
    let table: Vec<(&str, Code, v1::SearchRequest)> = vec![
        ("malformed", Code::InvalidArgument, v1::SearchRequest { signature: vec![1; 63], ..honest() }),
        ("malformed", Code::InvalidArgument, v1::SearchRequest { query_salt: vec![1; 33], ..honest() }),
        ("malformed", Code::InvalidArgument, v1::SearchRequest { request: vec![0; 40], ..honest() }),
        ("oversized", Code::InvalidArgument, v1::SearchRequest { request: vec![1; 9000], ..honest() }),
        ("oversized", Code::InvalidArgument, v1::SearchRequest { query: vec![1; 5000], ..honest() }),
        ("query-mismatch", Code::InvalidArgument, v1::SearchRequest { query_salt: vec![1; 32], ..honest() }),
        ("not-own-case", Code::InvalidArgument, message(instead(world, &north, &foreign))),
        ("too-few-terms", Code::InvalidArgument, message(served.changed(|request| request.short = true))),
        ("wrong-recipient", Code::InvalidArgument, message(served.changed(|request| request.matcher = other))),
        ("bad-signature", Code::PermissionDenied, message(again(world, &served.signing("south"), |_| {}))),
        ("slot-used", Code::AlreadyExists, message(served.changed(|request| request.slot = used.slot))),
        ("replayed-request", Code::AlreadyExists, message(served.changed(|request| request.request = used.request))),
        ("expired-request", Code::FailedPrecondition, message(served.changed(|request| request.expires = past))),
        ("backdated", Code::FailedPrecondition, message(served.changed(|request| request.slot = yesterday))),
        (
            "backdated",
            Code::FailedPrecondition,
            message(served.changed(|request| request.expires = request.expires.plus(Day::MILLIS))),
        ),
        ("wrong-epoch", Code::FailedPrecondition, message(served.changed(|request| request.epoch = EpochNumber(9)))),
        (
            "not-published",
            Code::FailedPrecondition,
            message(served.changed(|request| request.case = semblance_core::id::Digest::of(b"no case"))),
        ),
        ("index-behind", Code::Unavailable, message(served.changed(|request| request.minimum_height = 1_000_000))),
    ];
    // That an index lags is the matcher's fault, which stands in nobody's name.
    let mut expected: Vec<&str> = table.iter().map(|(code, ..)| *code).filter(|code| *code != "index-behind").collect();
    let mut client = served.node("north");
    for (code, status, message) in table {
        let refusal = refused(&mut client, message).await;
        assert_eq!((word(&refusal), refusal.code()), (code, status), "{refusal}");
    }
    // Another organisation, and another role, than the one that signed.
    for (certificate, organisation) in [("node", "south"), ("admin", "north")] {
        let mut client = served.connect(served.authorities[organisation].issue(organisation, certificate));
        let refusal = refused(&mut client, honest()).await;
        assert_eq!((word(&refusal), refusal.code()), ("not-authorised", Code::PermissionDenied), "{refusal}");
        expected.push("not-authorised");
    }
    expected.sort_unstable();
    assert_eq!(served.denials(expected.len()).await, expected);
    client.search(honest()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_nobody_is_not_heard() {
    let served = served(42).await;
    let foreign = [
        // No member's name, a member's name from nobody's root, a member's name from another member's root.
        Authority::new().issue("stranger", "node"),
        Authority::new().issue("north", "node"),
        served.authorities["south"].issue("north", "node"),
    ];
    for files in foreign {
        let status = served.connect(files).search(message(served.honest())).await.unwrap_err();
        assert!(matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled), "{status}");
        assert_eq!(word(&status), "");
    }
    served.node("north").search(message(served.honest())).await.unwrap();
    assert_eq!(served.denials(0).await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_and_budgets_have_their_status_too() {
    let served = served(43).await;
    let matcher = served.world.network.matcher().id.clone();
    let mut client = served.node("north");

    served.world.network.ledger.peers().set_down(&matcher, true);
    let down = refused(&mut client, message(served.honest())).await;
    assert_eq!((word(&down), down.code()), ("ledger-unavailable", Code::Unavailable), "{down}");
    served.world.network.ledger.peers().set_down(&matcher, false);

    let (release, held) = oneshot::channel();
    served.between.next_entries(Fate::Held(held));
    let search = served.honest();
    let mut first = served.node("north");
    let under_way = tokio::spawn({
        let message = message(copy(&search));
        async move { first.search(message).await }
    });
    // A second connection is not always slower than the first: the same request first would be the one that is held.
    tokio::time::timeout(Duration::from_secs(20), served.between.until_held()).await.unwrap();
    let malformed = refused(&mut client, message(served.changed(|request| request.short = true))).await;
    assert_eq!(word(&malformed), "too-few-terms");
    let refusal = refused(&mut client, message(copy(&search))).await;
    assert_eq!((word(&refusal), refusal.code()), ("under-way", Code::Unavailable), "{refusal}");
    let busy = refused(&mut client, message(served.honest())).await;
    assert_eq!((word(&busy), busy.code()), ("busy", Code::ResourceExhausted), "{busy}");
    release.send(()).unwrap();
    under_way.await.unwrap().unwrap();

    let budget = refused(&mut client, message(served.honest())).await;
    assert_eq!((word(&budget), budget.code()), ("budget-clinician", Code::ResourceExhausted), "{budget}");
    let somebody_else = |request: &mut LookupRequest| request.clinician = ClinicianPseudonym::from_bytes([9; 32]);
    client.search(message(served.changed(somebody_else))).await.unwrap();
    let budget = refused(&mut client, message(served.changed(somebody_else))).await;
    assert_eq!((word(&budget), budget.code()), ("budget-hospital", Code::ResourceExhausted), "{budget}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asker_whose_case_has_ended_is_told_so() {
    let served = served(44).await;
    let mut client = served.node("north");
    served.world.hospital("north").withdraw("admin", &local("asker")).await.unwrap();
    let refusal = refused(&mut client, message(served.honest())).await;
    assert_eq!((word(&refusal), refusal.code()), ("withdrawn-consent", Code::FailedPrecondition), "{refusal}");
    served.world.network.clock.advance(366 * Day::MILLIS);
    let sent = served.world.sent();
    let leaving = sent[sent.len() - 2].request.clone().claim::<LookupRequest>(NETWORK).unwrap().claims().case;
    let refusal = refused(&mut client, message(served.changed(|request| request.case = leaving))).await;
    assert_eq!((word(&refusal), refusal.code()), ("expired-consent", Code::FailedPrecondition), "{refusal}");
}
