//! Nothing is lost between a local write and the ledger's acknowledgement, and nothing is done twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use semblance_core::organisation::Role;
use semblance_hospital::{ConsentTerms, Selection};

use crate::world::{Forgetful, HEART, SEIZURES, World, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_while_the_ledger_is_down_is_sent_after_a_restart() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let north = world.hospital("north");
    world.import(&north, &[("n-1", &SEIZURES), ("n-2", &HEART)]).await;
    world.ledger.peers().set_down(&id("north"), true);
    world.ledger.peers().set_down(&id("matcher"), true);
    let waiting = north.register("operator", Selection::All).await.unwrap();
    assert_eq!((waiting.done, waiting.waiting), (0, 2));
    assert_eq!(waiting.waits_for.as_deref(), Some("ledger-unavailable"));
    let terms = ConsentTerms::usual().unwrap();
    assert_eq!(north.consent("operator", Selection::All, terms).await.unwrap().waiting, 2);
    drop(north);
    world.ledger.peers().set_down(&id("north"), false);
    world.ledger.peers().set_down(&id("matcher"), false);
    world.clock.advance(60_000);
    let north = world.hospital("north");
    let sent = north.send().await.unwrap();
    assert_eq!((sent.settled, sent.waiting), (4, 0), "{sent:?}");
    assert_eq!(north.publish("operator", Selection::All).await.unwrap().done, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_acknowledgement_does_nothing_twice() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let losses = ["register_patient_key", "grant_consent", "publish_cases", "withdraw_consent", "purge_case"];
    let forgetful = Forgetful {
        ledger: world.handle("north", Role::Node),
        losses: Mutex::new(losses.iter().map(|name| ((*name).to_owned(), 1)).collect::<BTreeMap<_, _>>()),
    };
    let north = world.hospital_with("north", Arc::new(forgetful));
    world.import(&north, &[("n-1", &SEIZURES)]).await;
    let settle = async |expected: u64| {
        world.clock.advance(2_000);
        let sent = north.send().await.unwrap();
        assert_eq!((sent.settled, sent.waiting), (expected, 0), "{sent:?}");
    };
    assert_eq!(north.register("operator", Selection::All).await.unwrap().waiting, 1);
    settle(1).await;
    assert_eq!(north.consent("operator", Selection::All, ConsentTerms::usual().unwrap()).await.unwrap().waiting, 1);
    settle(1).await;
    assert_eq!(north.publish("operator", Selection::All).await.unwrap().waiting, 1);
    settle(1).await;
    let row = north.cases("", 1).await.unwrap().remove(0);
    assert_eq!((row.key, row.consent, row.publication), (Some("live"), Some("live"), Some("live")));
    assert!(north.audit(0, 500).await.unwrap().iter().all(|line| line.code == "ok"));
    let report = north.withdraw("operator", &"n-1".parse().unwrap()).await.unwrap();
    assert!(!report.withdrawn);
    world.clock.advance(2_000);
    north.send().await.unwrap();
    settle(1).await;
    let row = north.cases("", 1).await.unwrap().remove(0);
    assert_eq!((row.consent, row.publication), (Some("withdrawn"), Some("purged")));
}
