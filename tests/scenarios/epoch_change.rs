use std::path::Path;
use std::time::{Duration, Instant};

use semblance_core::token::EpochNumber;
use semblance_hospital::Selection;
use semblance_tests::world::World;

use crate::no_symptom_leaves::{files, holding, published};

/// How long what was purged may stay in a file, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_ends_and_its_tokens_are_gone_for_good() {
    let mut world = World::of(3, 21).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    for hospital in ["north", "south", "east"] {
        world.admit(hospital, &[("patient", symptoms.clone()), ("other", world.disease(2))]).await;
    }
    world.settle().await;
    let before = world.look_up("north", "patient").await.unwrap();
    assert_eq!(before.matches.len(), 2);
    let old = published(&world);
    assert!(!holding(&files(&world), &old).is_empty(), "what must go is there first");
    assert!(keeps(&world.folder_of("matcher"), "epoch-0000000001"));

    // Both epochs are open: who has published again is asked in the new one, and nothing is lost meanwhile.
    world.network.open_epoch(EpochNumber(2)).await;
    for hospital in ["north", "south", "east"] {
        let again = world.hospital(hospital).publish("admin", Selection::All).await.unwrap();
        assert_eq!((again.done, again.refused.len()), (2, 0), "{again:?}");
    }
    world.settle().await;
    let during = world.look_up("north", "patient").await.unwrap();
    let mut found: Vec<_> = during.matches.iter().map(|found| found.hospital.clone()).collect();
    found.sort();
    assert_eq!(found, ["east", "south"]);
    let handles = |report: &semblance_hospital::lookup::LookupReport| -> Vec<String> {
        report.matches.iter().map(|found| found.handle.clone()).collect()
    };
    assert!(handles(&during).iter().all(|handle| !handles(&before).contains(handle)), "new epoch, new handles");

    world.network.close_epoch(EpochNumber(1)).await;
    world.settle().await;
    for hospital in ["north", "south", "east"] {
        assert_eq!(world.hospital(hospital).send().await.unwrap().waiting, 0, "{hospital} purges by itself");
    }
    world.stop_matcher("matcher").await;
    world.start_matcher("matcher").await;
    world.settle().await;
    let after = world.look_up("north", "patient").await.unwrap();
    assert_eq!(handles(&after), handles(&during), "the new epoch goes on as it was");

    assert!(!keeps(&world.folder_of("matcher"), "epoch-0000000001"), "the index of the closed epoch is gone");
    assert!(keeps(&world.folder_of("matcher"), "epoch-0000000002"));
    let gone = published(&world);
    assert!(old.iter().all(|token| !gone.contains(token)), "the closed epoch's private values are purged");
    // The ledger's writer takes purged pages out of its files in a moment of its own.
    let start = Instant::now();
    loop {
        let left = holding(&files(&world), &old);
        if left.is_empty() {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "tokens of the closed epoch stand in {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(world.network.ledger.verify().await.unwrap().is_sound());
}

/// Whether a folder of this name stands anywhere below.
fn keeps(folder: &Path, name: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.is_dir() && (path.ends_with(name) || keeps(&path, name))
    })
}
