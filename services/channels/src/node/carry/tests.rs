use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use semblance_core::attestation::PersonRole;
use semblance_core::id::{ChannelId, Digest, OrganisationId, ParticipantId};
use semblance_core::random::SeededSource;
use semblance_core::record::Record;
use semblance_core::signature::SigningKey;
use semblance_core::time::{ManualClock, Timestamp};

use crate::limits::ITEMS_MAX;
use crate::node::{ChannelService, Parts, Peers};
use crate::office::{Delivery, Office};
use crate::testing::{NETWORK, Nowhere, organisation};
use crate::wire::{Answer, Body, Facts, HubCall, Item, Refusal};

/// One peer never answers, one takes nothing, one hears of no revocation, and the others take everything.
#[derive(Default)]
struct Streets {
    revoked: Mutex<u32>,
}

#[async_trait]
impl Peers for Streets {
    async fn call(&self, hospital: &OrganisationId, call: HubCall) -> Result<Answer, Refusal> {
        match (hospital.as_str(), call) {
            ("east", _) => std::future::pending().await,
            ("west", HubCall::Deliver(_)) => Ok(Answer::Number(0)),
            ("centre", HubCall::Revoke(_)) => Err(Refusal::Failed),
            (_, HubCall::Deliver(deliveries)) => Ok(Answer::Number(deliveries.last().unwrap().0)),
            (_, HubCall::Revoke(_)) => {
                let mut revoked = self.revoked.lock().unwrap();
                *revoked += 1;
                if *revoked < 3 { Err(Refusal::HubAway) } else { Ok(Answer::Done) }
            }
            _ => Err(Refusal::Failed),
        }
    }
}

fn service() -> (ChannelService, Arc<Mutex<Office>>) {
    let random = Arc::new(SeededSource::new([2; 32]));
    let office = Arc::new(Mutex::new(Office::in_memory(NETWORK, organisation("north"), random).unwrap()));
    let signing = SigningKey::from_seed(&[2; 32]);
    let mut facts = Facts::default();
    facts.hospitals.insert(organisation("south"), vec![signing.verifying_key()]);
    let service = ChannelService::open(Parts {
        office: Arc::clone(&office),
        authority: Arc::new(Nowhere { signing, facts }),
        peers: Arc::new(Streets::default()),
        clock: Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000))),
    });
    (service, office)
}

fn put(office: &Mutex<Office>, peer: &str) {
    let (channel, at) = (ChannelId::from_bytes([4; 16]), Timestamp::from_millis(1));
    let item = Item { channel, sequence: 1, at, key: Digest::of(b"1"), body: Body::Message(vec![1]) };
    let delivery = Delivery { item, to: vec![ParticipantId::from_bytes([5; 16])] }.encode();
    let sql = "INSERT INTO outbox (peer, channel, kind, at, delivery) VALUES (?1, ?2, 'message', ?3, ?4)";
    let at = 1_700_000_000_000_i64;
    let row = rusqlite::params![peer, channel.as_bytes(), at, delivery];
    office.lock().unwrap().connection().execute(sql, row).unwrap();
}

/// A device with a part in a channel of this hub is lost.
async fn lose_device(service: &ChannelService, office: &Mutex<Office>, hub: &str) {
    service.register("somebody".to_owned(), PersonRole::Clinician).await.unwrap();
    let device = service.devices_of("somebody".to_owned()).await.unwrap()[0].0;
    let sql = "INSERT INTO own_leaves (channel, participant, device, hub, consent, proof, state)
               VALUES (?1, ?1, ?2, ?3, ?1, x'00', 'open')";
    let row = rusqlite::params![[6_u8; 16], device.as_bytes(), hub];
    office.lock().unwrap().connection().execute(sql, row).unwrap();
    assert!(service.revoke_device(device).await.unwrap());
}

fn count(office: &Mutex<Office>, sql: &str) -> i64 {
    office.lock().unwrap().connection().query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn until_none(office: &Mutex<Office>, sql: &str) {
    for _ in 0..1500 {
        if count(office, sql) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("what was waited for did not come: {sql}");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_left_alone_for_a_while() {
    let (service, office) = service();
    put(&office, "west");
    let visit = tokio::time::timeout(Duration::from_secs(10), service.carry(&organisation("west"))).await;
    assert_eq!(visit, Ok(Err(Refusal::Failed)), "and not asked again and again");
    assert_eq!(count(&office, "SELECT count(*) FROM outbox"), 1, "what it did not take waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_keeps_no_other_waiting() {
    let (service, office) = service();
    put(&office, "east");
    put(&office, "south");
    let running = service.clone();
    tokio::spawn(async move { running.run(std::future::pending()).await });
    until_none(&office, "SELECT count(*) FROM outbox WHERE peer = 'south'").await;
    // What comes later is carried as well, while the other still hangs.
    put(&office, "south");
    service.ring();
    until_none(&office, "SELECT count(*) FROM outbox WHERE peer = 'south'").await;
    assert_eq!(count(&office, "SELECT count(*) FROM outbox WHERE peer = 'east'"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_away_hears_later_of_a_device_that_was_lost() {
    let (service, office) = service();
    lose_device(&service, &office, "south").await;
    assert_eq!(count(&office, "SELECT count(*) FROM revocations"), 1, "kept until the hub has heard it");
    let running = service.clone();
    tokio::spawn(async move { running.run(std::future::pending()).await });
    until_none(&office, "SELECT count(*) FROM revocations").await;
}

/// After each refusal the hub is left alone for longer: with its deliveries in the same errand, they would take minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_a_hub_refuses_keeps_no_delivery_back() {
    let (service, office) = service();
    lose_device(&service, &office, "centre").await;
    (0..10 * ITEMS_MAX).for_each(|_| put(&office, "centre"));
    let running = service.clone();
    tokio::spawn(async move { running.run(std::future::pending()).await });
    until_none(&office, "SELECT count(*) FROM outbox").await;
    assert_eq!(count(&office, "SELECT count(*) FROM revocations"), 1, "it is kept until it is heard");
}

/// A matcher's node has a certificate of the network, too.
#[tokio::test]
async fn whoever_is_no_hospital_is_refused_and_recorded() {
    let (service, _office) = service();
    let channel = ChannelId::from_bytes([4; 16]);
    for (caller, expected) in [("matcher", Refusal::NotAuthorised), ("south", Refusal::UnknownChannel)] {
        let answer = service.serve(&organisation(caller), HubCall::HasGroup(channel)).await;
        assert_eq!(answer, Err(expected), "{caller}");
        let line = service.audit(1).await.unwrap().remove(0);
        assert_eq!((line.1.as_str(), line.2.as_str(), line.3.as_str()), (caller, "has-group", expected.word()));
    }
    service.deny_call(&organisation("south"), Refusal::Malformed).await;
    let line = service.audit(1).await.unwrap().remove(0);
    assert_eq!((line.1.as_str(), line.2.as_str(), line.3.as_str()), ("south", "call", "malformed"));
}
