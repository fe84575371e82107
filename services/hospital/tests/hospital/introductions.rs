//! The life of an introduction: proposed on a match or a receipt, answered, and made a channel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use semblance_core::channel::{ChannelKind, ChannelOpening};
use semblance_core::consent::Scope;
use semblance_core::id::{IntroductionId, RequestId};
use semblance_core::introduction::{DeclineReason, Parties, Reason};
use semblance_core::organisation::Role;
use semblance_core::query::Breadth;
use semblance_core::signature::{SigningKey, Statement};
use semblance_hospital::{ConsentTerms, HospitalService, IntroductionSummary, Reply, Wish};

use crate::life_of_a_lookup::three_hospitals;
use crate::matcher::Mood;
use crate::world::{DAY, Forgetful, IDLE, NETWORK, SEIZURES, World, ask};

pub(crate) const BOTH: Parties = Parties { clinicians: true, patient: true };
pub(crate) const CLINICIANS: Parties = Parties { clinicians: true, patient: false };
const PATIENT: Parties = Parties { clinicians: false, patient: true };

pub(crate) const fn wish(parties: Parties) -> Wish {
    Wish { parties, reason: Reason::Compare }
}

/// North looked up cases like n-1 and was shown s-1 and s-2 of south, which read of it.
pub(crate) async fn met() -> (World, HospitalService, HospitalService, RequestId) {
    let (world, north, south) = three_hospitals().await;
    let request = look_up(&north, &south).await;
    (world, north, south, request)
}

async fn look_up(north: &HospitalService, south: &HospitalService) -> RequestId {
    north.catch_up(IDLE).await.unwrap();
    let report = north.look_up(ask("n-1", Breadth::Close)).await.unwrap();
    south.catch_up(IDLE).await.unwrap();
    report.request.parse().unwrap()
}

pub(crate) fn name(introduction: &IntroductionSummary) -> IntroductionId {
    introduction.introduction.parse().unwrap()
}

pub(crate) async fn only(hospital: &HospitalService) -> IntroductionSummary {
    let mut rows = hospital.introductions(0, 9).await.unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

/// North asks for contact with south's first match, and south reads it.
pub(crate) async fn proposed(north: &HospitalService, south: &HospitalService, request: RequestId) -> IntroductionId {
    let proposed = north.introduce_match("dr-kim", request, 1, wish(BOTH)).await.unwrap();
    assert_eq!((proposed.state, proposed.hospital.as_str(), proposed.case.as_str()), ("proposed", "south", "n-1"));
    south.catch_up(IDLE).await.unwrap();
    name(&proposed)
}

async fn accepted(north: &HospitalService, south: &HospitalService, request: RequestId) -> IntroductionId {
    let id = proposed(north, south, request).await;
    let accepted = south.answer_introduction("dr-lee", id, Reply::Accept(CLINICIANS)).await.unwrap();
    assert_eq!(accepted.state, "accepted");
    north.catch_up(IDLE).await.unwrap();
    assert_eq!(only(north).await.state, "accepted");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hospitals_that_agree_have_a_channel() {
    let (_world, north, south, request) = met().await;
    let id = proposed(&north, &south, request).await;
    let asked = only(&south).await;
    assert_eq!((asked.state, asked.outgoing, asked.side, asked.case.as_str()), ("proposed", false, "found", "s-1"));
    assert_eq!((asked.hospital.as_str(), asked.reason, asked.own), ("north", "compare-cases", None));
    assert!(asked.theirs.unwrap().patient);
    assert_eq!(north.open_channel("dr-kim", id).await.unwrap_err().code(), "not-accepted");

    south.answer_introduction("dr-lee", id, Reply::Accept(CLINICIANS)).await.unwrap();
    north.catch_up(IDLE).await.unwrap();
    let agreed = only(&north).await;
    assert_eq!((agreed.state, agreed.theirs.unwrap().patient), ("accepted", false));

    let charter = south.open_channel("dr-lee", id).await.unwrap();
    assert_eq!((charter.kind, charter.hub.as_str(), charter.fence), (ChannelKind::Match, "south", 1));
    assert_eq!(south.open_channel("dr-lee", id).await.unwrap(), charter);
    let opening = ChannelOpening::decode(charter.opening.bytes(), NETWORK).unwrap();
    let committed: Vec<_> = charter.consents.iter().map(|consent| consent.commitment(NETWORK)).collect();
    assert_eq!((opening.introduction, opening.hub.consents), (id, committed));
    let seed = south.hub_seed(charter.channel).await.unwrap().unwrap();
    assert_eq!(SigningKey::from_seed(&seed).verifying_key(), opening.hub.hub_key);

    north.catch_up(IDLE).await.unwrap();
    let theirs = north.charter("dr-kim", charter.channel).await.unwrap();
    assert_eq!((&theirs.opening, &theirs.consents), (&charter.opening, &charter.consents));
    assert_eq!(theirs.case.unwrap().as_str(), "n-1");
    assert!(north.hub_seed(charter.channel).await.unwrap().is_none());
    assert_eq!(north.channels(0, 9).await.unwrap()[0].state, "open");
    assert_eq!(only(&north).await.channel, Some(charter.channel.to_string()));
    for hospital in [&north, &south] {
        let audit = hospital.audit(0, 500).await.unwrap();
        assert!(audit.iter().all(|line| line.code == "ok" || line.code == "not-accepted"), "{audit:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_found_may_ask_as_well() {
    let (_world, north, south, request) = met().await;
    let asked = south.introduce_found("dr-lee", request, 2, wish(PATIENT)).await.unwrap();
    assert_eq!((asked.state, asked.side, asked.case.as_str()), ("proposed", "found", "s-2"));
    north.catch_up(IDLE).await.unwrap();
    let id = name(&only(&north).await);
    north.answer_introduction("dr-kim", id, Reply::Accept(PATIENT)).await.unwrap();
    south.catch_up(IDLE).await.unwrap();
    assert_eq!(only(&south).await.state, "accepted");
    let charter = north.open_channel("dr-kim", id).await.unwrap();
    assert_eq!((charter.kind, charter.hub.as_str()), (ChannelKind::Patients, "north"));
    south.catch_up(IDLE).await.unwrap();
    assert_eq!(south.charter("dr-lee", charter.channel).await.unwrap().consents, charter.consents);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_found_may_be_faster_than_the_answer() {
    let (world, north, south) = three_hospitals().await;
    north.catch_up(IDLE).await.unwrap();
    world.matcher.set(Mood::LosesAnswer);
    north.look_up(ask("n-1", Breadth::Close)).await.unwrap_err();
    let request = north.lookups(0, 1).await.unwrap()[0].request.parse().unwrap();
    south.catch_up(IDLE).await.unwrap();
    south.introduce_found("dr-lee", request, 1, wish(BOTH)).await.unwrap();
    north.catch_up(IDLE).await.unwrap();
    // What it was not shown yet, a hospital does not believe to have found.
    assert!(north.introductions(0, 9).await.unwrap().is_empty());
    world.matcher.set(Mood::Honest);
    north.retry("dr-kim", request).await.unwrap();
    let asked = only(&north).await;
    assert_eq!((asked.state, asked.side, asked.case.as_str()), ("proposed", "asker", "n-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hospital_that_declines_says_why_and_its_first_answer_stands() {
    let (world, north, south, request) = met().await;
    let id = proposed(&north, &south, request).await;
    let again = north.introduce_match("dr-kim", request, 1, wish(BOTH)).await.unwrap_err();
    assert_eq!(again.code(), "introduction-exists");
    let declined = south.answer_introduction("dr-lee", id, Reply::Decline(DeclineReason::NotSimilar)).await.unwrap();
    assert_eq!((declined.state, declined.code.as_deref()), ("declined", Some("not-similar")));
    north.catch_up(IDLE).await.unwrap();
    let told = only(&north).await;
    assert_eq!((told.state, told.code.as_deref()), ("declined", Some("not-similar")));
    for hospital in [&north, &south] {
        assert_eq!(hospital.open_channel("someone", id).await.unwrap_err().code(), "not-accepted");
    }
    let second = south.answer_introduction("dr-lee", id, Reply::Accept(BOTH)).await.unwrap_err();
    assert_eq!(second.code(), "introduction-ended");
    world.clock.advance(1_000);
    // Contact may be asked for anew, under another number; both stand in the lists.
    assert_eq!(proposed(&north, &south, request).await, name(&north.introductions(0, 1).await.unwrap()[0]));
    assert_eq!(south.introductions(0, 9).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_answers_expires() {
    let (world, north, south, request) = met().await;
    let id = proposed(&north, &south, request).await;
    world.clock.advance(30 * DAY + 1);
    let late = south.answer_introduction("dr-lee", id, Reply::Accept(BOTH)).await.unwrap_err();
    assert_eq!(late.code(), "introduction-ended");
    for hospital in [&north, &south] {
        hospital.expire().await.unwrap();
        assert_eq!(only(hospital).await.state, "expired");
    }
    world.clock.advance(61 * DAY);
    let old = north.introduce_match("dr-kim", request, 2, wish(BOTH)).await.unwrap();
    assert_eq!((old.state, old.code.as_deref()), ("refused", Some("lookup-too-old")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_consent_ends_introductions_and_channels_on_both_sides() {
    let (_world, north, south, request) = met().await;
    let id = proposed(&north, &south, request).await;
    north.withdraw("operator", &"n-1".parse().unwrap()).await.unwrap();
    assert_eq!(only(&north).await.state, "ended");
    // South has not read of it yet, and asks its ledger.
    let late = south.answer_introduction("dr-lee", id, Reply::Accept(BOTH)).await.unwrap_err();
    assert_eq!(late.code(), "introduction-ended");
    south.catch_up(IDLE).await.unwrap();
    assert_eq!(only(&south).await.state, "ended");
    let again = north.introduce_match("dr-kim", request, 2, wish(BOTH)).await.unwrap_err();
    assert_eq!(again.code(), "withdrawn-consent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_ends_with_the_consent_of_either_side() {
    let (_world, north, south, request) = met().await;
    let id = accepted(&north, &south, request).await;
    let channel = south.open_channel("dr-lee", id).await.unwrap().channel;
    north.catch_up(IDLE).await.unwrap();
    south.withdraw("operator", &"s-1".parse().unwrap()).await.unwrap();
    north.catch_up(IDLE).await.unwrap();
    for hospital in [&north, &south] {
        assert_eq!(hospital.charter("someone", channel).await.unwrap_err().code(), "channel-ended");
        assert_eq!(only(hospital).await.state, "ended");
        assert_eq!(hospital.open_channel("someone", id).await.unwrap_err().code(), "introduction-ended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_agreed_to_contact_is_asked() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let (north, south) = (world.hospital("north"), world.hospital("south"));
    let found_only = || ConsentTerms::new(&[Scope::BeFound], 365, "x").unwrap();
    world.publish(&north, &[("n-1", &SEIZURES)]).await;
    world.publish_under(&south, &[("s-1", &SEIZURES)], found_only()).await;
    let request = look_up(&north, &south).await;
    let none = south.introduce_found("dr-lee", request, 1, wish(BOTH)).await.unwrap_err();
    assert_eq!(none.code(), "consent-scope");
    north.introduce_match("dr-kim", request, 1, wish(BOTH)).await.unwrap();
    south.catch_up(IDLE).await.unwrap();
    assert!(south.introductions(0, 9).await.unwrap().is_empty());
    let audit = south.audit(0, 500).await.unwrap();
    assert!(audit.iter().any(|line| line.action == "introduction" && line.code == "consent-scope"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_cannot_be_asked_for() {
    let (_world, north, south, request) = met().await;
    let nobody = wish(Parties { clinicians: false, patient: false });
    assert_eq!(north.introduce_match("dr-kim", request, 1, nobody).await.unwrap_err().code(), "malformed");
    assert_eq!(north.introduce_match("dr-kim", request, 3, wish(BOTH)).await.unwrap_err().code(), "unknown-match");
    assert_eq!(south.introduce_match("dr-lee", request, 1, wish(BOTH)).await.unwrap_err().code(), "unknown-request");
    assert_eq!(north.introduce_found("dr-kim", request, 1, wish(BOTH)).await.unwrap_err().code(), "unknown-receipt");
    let stranger = IntroductionId::from_bytes([1; 16]);
    let none = south.answer_introduction("dr-lee", stranger, Reply::Accept(BOTH)).await.unwrap_err();
    assert_eq!(none.code(), "unknown-introduction");
    // Who asked does not answer.
    let id = proposed(&north, &south, request).await;
    let own = north.answer_introduction("dr-kim", id, Reply::Accept(BOTH)).await.unwrap_err();
    assert_eq!(own.code(), "unknown-introduction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hospitals_that_open_at_once_one_is_the_hub() {
    let (_world, north, south, request) = met().await;
    let id = accepted(&north, &south, request).await;
    let charter = north.open_channel("dr-kim", id).await.unwrap();
    let second = south.open_channel("dr-lee", id).await.unwrap_err();
    assert_eq!(second.code(), "channel-ended");
    south.catch_up(IDLE).await.unwrap();
    assert_eq!(south.open_channel("dr-lee", id).await.unwrap().opening, charter.opening);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_acknowledgement_asks_and_opens_nothing_twice() {
    let (world, north, south, request) = met().await;
    drop((north, south));
    let losses = ["propose_introduction", "answer_introduction", "open_channel"];
    let forgetful = |name: &str| {
        let losses = losses.iter().map(|name| ((*name).to_owned(), 1)).collect::<BTreeMap<_, _>>();
        Arc::new(Forgetful { ledger: world.handle(name, Role::Node), losses: Mutex::new(losses) })
    };
    let north = world.hospital_with("north", forgetful("north"));
    let south = world.hospital_with("south", forgetful("south"));
    let settle = async |hospital: &HospitalService| {
        world.clock.advance(2_000);
        let sent = hospital.send().await.unwrap();
        assert_eq!((sent.settled, sent.waiting), (1, 0), "{sent:?}");
    };
    assert_eq!(north.introduce_match("dr-kim", request, 1, wish(BOTH)).await.unwrap().state, "queued");
    settle(&north).await;
    assert_eq!(only(&north).await.state, "proposed");
    south.catch_up(IDLE).await.unwrap();
    let id = name(&only(&south).await);
    assert_eq!(south.answer_introduction("dr-lee", id, Reply::Accept(BOTH)).await.unwrap().state, "answering");
    settle(&south).await;
    assert_eq!(only(&south).await.state, "accepted");
    let waits = south.open_channel("dr-lee", id).await.unwrap_err();
    assert!(waits.code() == "channel-waits" && waits.may_pass(), "{waits}");
    settle(&south).await;
    let charter = south.open_channel("dr-lee", id).await.unwrap();
    north.catch_up(IDLE).await.unwrap();
    assert_eq!(north.charter("dr-kim", charter.channel).await.unwrap().opening, charter.opening);
}
