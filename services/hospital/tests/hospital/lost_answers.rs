//! A fingerprint that reached the ledger is purged, also if its acknowledgement was lost and what it stood on ended
//! before the next try.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use semblance_contract::state::CaseView;
use semblance_contract::wire::{FingerprintsFound, FingerprintsOf, Handle, List, Maybe};
use semblance_core::organisation::Role;
use semblance_core::query::Breadth;
use semblance_core::record::Record;
use semblance_hospital::{ConsentTerms, HospitalService, Selection};
use semblance_ledger::Call;

use crate::life_of_a_case::handle_of;
use crate::life_of_a_lookup::three_hospitals;
use crate::world::{DAY, Forgetful, HEART, IDLE, SEIZURES, World, ask, id};

/// A world in which north published a case and did not learn of it.
async fn unacknowledged() -> (World, HospitalService, Handle) {
    let world = World::new().await;
    world.open_epoch(1).await;
    let losses = Mutex::new(BTreeMap::from([("publish_cases".to_owned(), 1)]));
    let north = world.hospital_with("north", Arc::new(Forgetful { ledger: world.handle("north", Role::Node), losses }));
    world.import(&north, &[("n-1", &SEIZURES)]).await;
    north.register("operator", Selection::All).await.unwrap();
    north.consent("operator", Selection::All, ConsentTerms::usual().unwrap()).await.unwrap();
    assert_eq!(north.publish("operator", Selection::All).await.unwrap().waiting, 1);
    let handle = handle_of(&north, "n-1").await;
    assert!(holds(&world, &handle).await);
    world.clock.advance(2_000);
    (world, north, handle)
}

/// Whether the private value is still there, as a matcher asks.
async fn holds(world: &World, handle: &Handle) -> bool {
    let argument: FingerprintsOf = List::new(vec![Handle(handle.0)]).unwrap();
    let call = Call {
        function: "fingerprints".into(),
        arguments: vec![argument.encode()],
        endorsers: vec![id("matcher")],
        ..Call::default()
    };
    let bytes = world.handle("matcher", Role::Node).evaluate(call).await.unwrap();
    let found: FingerprintsFound = FingerprintsFound::decode(&bytes).unwrap();
    found.into_items().into_iter().any(|Maybe(value)| value.is_some())
}

async fn assert_purged(world: &World, north: &HospitalService, handle: &Handle) {
    north.send().await.unwrap();
    let view: CaseView = world.query("case", handle).await.unwrap();
    assert!(view.purge.is_some() && !holds(world, handle).await);
    assert_eq!(north.cases("", 1).await.unwrap()[0].publication, Some("purged"));
    assert_eq!(north.status().await.unwrap().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_consent_expired() {
    let (world, north, handle) = unacknowledged().await;
    world.clock.advance(366 * DAY);
    // The consent ends here before the try that finds the case on the ledger.
    assert_eq!(north.expire().await.unwrap(), 0);
    assert_eq!(north.send().await.unwrap().settled, 1);
    assert_eq!(north.expire().await.unwrap(), 1);
    assert_purged(&world, &north, &handle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_epoch_was_closed_whichever_is_learned_first() {
    for event_first in [true, false] {
        let (world, north, handle) = unacknowledged().await;
        world.open_epoch(2).await;
        world.close_epoch(1).await;
        if event_first {
            north.catch_up(IDLE).await.unwrap();
            north.send().await.unwrap();
        } else {
            north.send().await.unwrap();
            north.catch_up(IDLE).await.unwrap();
        }
        assert_purged(&world, &north, &handle).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_withdrawal_that_names_a_handle_which_the_store_forgot() {
    let (world, north, handle) = unacknowledged().await;
    drop(north);
    // A restored backup, from before the publication.
    let file = rusqlite::Connection::open(world.folder.path().join("north.db")).unwrap();
    file.execute_batch("DELETE FROM publications; DELETE FROM outbox;").unwrap();
    drop(file);
    let north = world.hospital("north");
    assert!(north.withdraw("operator", &"n-1".parse().unwrap()).await.unwrap().withdrawn);
    north.send().await.unwrap();
    assert!(!holds(&world, &handle).await);
    assert_eq!(north.status().await.unwrap().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_epochs_fingerprints_are_gone_and_look_ups_go_on_in_the_next() {
    let (world, north, south) = three_hospitals().await;
    let old = handle_of(&south, "s-1").await;
    world.open_epoch(2).await;
    for hospital in [&north, &south] {
        assert_eq!(hospital.publish("operator", Selection::All).await.unwrap().done, 3);
    }
    let new = handle_of(&south, "s-1").await;
    assert!(holds(&world, &old).await && old != new);
    assert!(world.holds_key("north", 1) && world.holds_key("north", 2));
    world.close_epoch(1).await;
    for hospital in [&north, &south] {
        hospital.catch_up(IDLE).await.unwrap();
        hospital.send().await.unwrap();
    }
    assert!(!holds(&world, &old).await && holds(&world, &new).await);
    assert!(!world.holds_key("north", 1) && world.holds_key("north", 2));
    let report = north.look_up(ask("n-1", Breadth::Wide)).await.unwrap();
    assert_eq!((report.matches.len(), report.failed.len()), (2, 0));
    assert_eq!(north.publish("operator", Selection::All).await.unwrap().unchanged, 3);
    // What was published before the epoch ended and is corrected now goes into the open one.
    world.import(&north, &[("n-3", &HEART[..5])]).await;
    assert_eq!(north.correct("operator", Selection::All).await.unwrap().done, 1);
}
