//! The hospital's gRPC over mutual TLS.

use semblance_hospital::HospitalService;
use semblance_hospital::rpc::{CODE_KEY, HospitalRpc};
use semblance_ledger::tls::server_config;
use semblance_proto::v1;
use semblance_proto::v1::answer_introduction_request::Reply;
use semblance_proto::v1::hospital_client::HospitalClient;
use semblance_proto::v1::import_request::Part;
use semblance_proto::v1::import_response;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server};
use tonic::{Code, Status};

use crate::introductions::{BOTH, met, wish};
use crate::world::{IDLE, SEIZURES, World, id};

async fn serve(world: &World, hospital: HospitalService) -> String {
    let (certificate, key) = world.authority("north").issue("north", "node");
    let roots = ["north", "south"].map(|name| world.authority(name).der());
    let tls = server_config(&certificate, &key, roots.iter().map(Vec::as_slice));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let service = HospitalRpc::server(hospital, None);
    let server = Server::builder().tls_config(tls).unwrap().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// A client with a certificate that `issuer` made out to `organisation`.
fn client(world: &World, address: &str, issuer: &str, organisation: &str) -> HospitalClient<Channel> {
    let (certificate, key) = world.authority(issuer).issue(organisation, "admin");
    let tls = ClientTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .ca_certificate(Certificate::from_pem(world.authority("north").pem()));
    HospitalClient::new(Endpoint::from_shared(address.to_owned()).unwrap().tls_config(tls).unwrap().connect_lazy())
}

fn word(status: &Status) -> &str {
    status.metadata().get(CODE_KEY).unwrap().to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_do_their_work_over_the_wire() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let south = world.hospital("south");
    world.publish(&south, &[("s-1", &SEIZURES)]).await;
    let address = serve(&world, world.hospital("north")).await;
    let mut client = client(&world, &address, "north", "north");

    let line = serde_json::json!({"case_id": "n-1", "observed": SEIZURES}).to_string();
    let file = v1::ImportFile { name: "cases.jsonl".into(), bytes: 0 };
    let mut parts = vec![Part::File(file), Part::Chunk(b"not json\n".to_vec())];
    parts.extend(line.as_bytes().chunks(7).map(|chunk| Part::Chunk(chunk.to_vec())));
    let parts = parts.into_iter().map(|part| v1::ImportRequest { part: Some(part) });
    let mut rows = client.import(tokio_stream::iter(parts)).await.unwrap().into_inner();
    let mut answers = Vec::new();
    while let Some(row) = rows.message().await.unwrap() {
        answers.push(row.part.unwrap());
    }
    let [import_response::Part::Row(refused), import_response::Part::Sums(sums)] = answers.as_slice() else {
        panic!("{answers:?}")
    };
    assert_eq!((refused.row.as_str(), refused.outcome()), ("cases.jsonl:1", v1::ImportOutcome::Refused));
    assert_eq!((sums.imported, sums.refused), (1, 1));

    let selection = || Some(v1::Selection { all: true, cases: Vec::new() });
    let done = client.register(v1::RegisterRequest { selection: selection() }).await.unwrap().into_inner();
    assert_eq!(done.done, 1);
    let consent = v1::ConsentRequest { selection: selection(), scopes: vec![1], days: 30, text: String::new() };
    let endless = v1::ConsentRequest { days: 9_999, ..consent.clone() };
    assert_eq!(word(&client.consent(endless).await.unwrap_err()), "invalid-consent");
    assert_eq!(client.consent(consent).await.unwrap().into_inner().done, 1);
    let published = client.publish(v1::PublishRequest { selection: selection() }).await.unwrap().into_inner();
    assert_eq!(published.done, 1);
    let question = v1::LookUpRequest {
        case: "n-1".into(),
        clinician: "dr-kim".into(),
        purpose: v1::LookUpPurpose::Diagnosis.into(),
        breadth: v1::LookUpBreadth::Close.into(),
        ..Default::default()
    };
    let report = client.look_up(question.clone()).await.unwrap().into_inner();
    assert_eq!((report.matches.len(), report.matches[0].hospital.as_str()), (1, "south"));
    let again = v1::RetryLookUpRequest { request: report.request.clone() };
    assert_eq!(client.retry_look_up(again).await.unwrap().into_inner(), report);

    let unknown = v1::LookUpRequest { case: "Jane Doe".into(), ..question };
    let status = client.look_up(unknown).await.unwrap_err();
    assert_eq!((status.code(), word(&status)), (Code::NotFound, "unknown-case"));
    assert!(!format!("{status:?}").contains("Jane"));
    let status = client.list_cases(v1::ListCasesRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), word(&status)), (Code::InvalidArgument, "malformed"));
    let cases = client.list_cases(v1::ListCasesRequest { after: String::new(), limit: 10 }).await.unwrap().into_inner();
    assert_eq!(cases.cases[0].publication, "live");
    let gone = client.withdraw(v1::WithdrawRequest { case: "n-1".into() }).await.unwrap().into_inner();
    assert!(gone.withdrawn && gone.purged == 1);
    let audit = client.list_audit(v1::ListAuditRequest { after: 0, limit: 500 }).await.unwrap().into_inner();
    assert!(audit.lines.iter().any(|line| line.action == "withdraw" && line.actor.starts_with("admin/")));
    let mut asked = audit.lines.iter().filter(|line| line.action == "look-up");
    assert!(asked.all(|line| line.actor.starts_with("admin/") && line.clinician == "dr-kim"));
    assert!(audit.lines.iter().any(|line| line.action == "consent" && line.code == "invalid-consent"));
    let keys = client.list_sealing_keys(v1::ListSealingKeysRequest {}).await.unwrap().into_inner().keys;
    assert_eq!((keys.len(), keys[0].key, keys[0].needed.as_str()), (1, 1, "present"));
    assert_eq!(client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().hospital, "north");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_the_hospitals_own_people_is_served() {
    let world = World::new().await;
    let address = serve(&world, world.hospital("north")).await;
    let ask = v1::GetStatusRequest {};
    let status = client(&world, &address, "south", "south").get_status(ask).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    // South's authority makes out a certificate in north's name: the connection stands, the name does not.
    let status = client(&world, &address, "south", "north").get_status(ask).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    // A root that the server does not know gets no connection at all.
    assert!(client(&world, &address, "west", "west").get_status(ask).await.is_err());
    let mut own = client(&world, &address, "north", "north");
    assert!(own.get_status(ask).await.is_ok());
    let audit = own.list_audit(v1::ListAuditRequest { after: 0, limit: 500 }).await.unwrap().into_inner();
    let refused = audit.lines.iter().filter(|line| line.code == "not-authorised");
    assert_eq!(refused.map(|line| line.actor.as_str()).collect::<Vec<_>>(), ["south", "north, unproven"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_without_the_ledger_its_last_word_on_the_own_root_holds() {
    let world = World::new().await;
    let north = world.hospital("north");
    north.sealing_keys().await.unwrap();
    drop(north);
    world.ledger.peers().set_down(&id("north"), true);
    let address = serve(&world, world.hospital("north")).await;
    let ask = v1::GetStatusRequest {};
    assert!(client(&world, &address, "north", "north").get_status(ask).await.is_ok());
    let status = client(&world, &address, "south", "north").get_status(ask).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contact_is_asked_for_answered_and_made_a_channel_over_the_wire() {
    let (world, north, south, request) = met().await;
    let address = serve(&world, north.clone()).await;
    let mut client = client(&world, &address, "north", "north");
    let parties = || Some(v1::Parties { clinicians: true, patient: true });
    let reason = v1::IntroductionReason::Care.into();
    let ask = v1::IntroduceRequest { lookup: request.to_string(), rank: 1, parties: parties(), reason };
    let nobody = v1::IntroduceRequest { parties: None, ..ask.clone() };
    assert_eq!(word(&client.introduce(nobody).await.unwrap_err()), "malformed");
    let proposed = client.introduce(ask.clone()).await.unwrap().into_inner().introduction.unwrap();
    assert_eq!((proposed.state.as_str(), proposed.reason.as_str(), proposed.theirs), ("proposed", "care", None));
    let twice = client.introduce(ask).await.unwrap_err();
    assert_eq!((twice.code(), word(&twice)), (Code::AlreadyExists, "introduction-exists"));
    south.catch_up(IDLE).await.unwrap();
    // South, of its other case that was found.
    south.introduce_found("dr-lee", request, 2, wish(BOTH)).await.unwrap();
    north.catch_up(IDLE).await.unwrap();
    let list =
        client.list_introductions(v1::ListIntroductionsRequest { skip: 0, limit: 9 }).await.unwrap().into_inner();
    let asked = list.introductions.into_iter().find(|row| !row.outgoing).unwrap();
    let answer = |reply| v1::AnswerIntroductionRequest { introduction: asked.introduction.clone(), reply };
    assert_eq!(word(&client.answer_introduction(answer(None)).await.unwrap_err()), "malformed");
    let accept = Some(Reply::Accept(parties().unwrap()));
    let accepted = client.answer_introduction(answer(accept)).await.unwrap().into_inner().introduction.unwrap();
    assert_eq!((accepted.state.as_str(), accepted.own), ("accepted", parties()));

    let open = v1::OpenChannelRequest { introduction: proposed.introduction };
    let early = client.open_channel(open).await.unwrap_err();
    assert_eq!((early.code(), word(&early)), (Code::FailedPrecondition, "not-accepted"));
    let open = v1::OpenChannelRequest { introduction: asked.introduction.clone() };
    let opened = client.open_channel(open).await.unwrap().into_inner().channel.unwrap();
    assert_eq!((opened.kind.as_str(), opened.hub.as_str(), opened.fence), ("match", "north", 1));
    let group = v1::OpenGroupRequest { case: "n-1".into(), symptoms: SEIZURES.map(str::to_owned).to_vec() };
    assert_eq!(word(&client.open_group(group).await.unwrap_err()), "consent-scope");
    let list = client.list_channels(v1::ListChannelsRequest { skip: 0, limit: 9 }).await.unwrap().into_inner();
    assert_eq!((list.channels.len(), list.channels[0].state.as_str()), (1, "open"));
    let offers = client.list_group_offers(v1::ListGroupOffersRequest { channel: opened.channel }).await.unwrap_err();
    assert_eq!((offers.code(), word(&offers)), (Code::NotFound, "unknown-channel"));
}
