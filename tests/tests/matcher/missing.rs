use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use semblance_contract::wire::PageRequest;
use semblance_hospital::Selection;
use semblance_matcher::Matcher;
use semblance_matcher::budget::BudgetLimits;
use semblance_matcher::store::MatcherStore;
use semblance_tests::between::Between;
use semblance_tests::case::TestCase;
use semblance_tests::network::{EPOCH, TestNetwork};
use semblance_tests::world::local;
use semblance_tests::write::matcher::{caught_up, start_on};

use crate::{client, world};

async fn network(folder: &Path, seed: u64) -> TestNetwork {
    TestNetwork::found(&folder.join("ledger.db"), 1, 1, seed).await
}

async fn publish(network: &TestNetwork) -> TestCase {
    let case = TestCase::draw(network, &network.members[0].id);
    network.consent(std::slice::from_ref(&case)).await.unwrap();
    network.publish(std::slice::from_ref(&case)).await.unwrap();
    case
}

async fn cases(network: &TestNetwork, matcher: &Matcher) -> u64 {
    caught_up(network, matcher).await;
    matcher.covered().unwrap().cases
}

/// What the matcher's file says is missing; the matcher is stopped.
fn noted(folder: &Path) -> usize {
    MatcherStore::open(&folder.join("matcher.sqlite")).unwrap().missing().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_that_come_late_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path(), 30).await;
    let (between, own) = (Between::of(&network), folder.path().join("matcher"));
    let start = || start_on(&network, &own, between.clone(), BudgetLimits::default());
    let (late, gone) =
        (TestCase::draw(&network, &network.members[0].id), TestCase::draw(&network, &network.members[0].id));
    between.hide([late.handle, gone.handle]);
    let both = [late, gone];
    network.consent(&both).await.unwrap();
    let matcher = start().await;
    network.publish(&both).await.unwrap();
    assert_eq!(cases(&network, &matcher).await, 0);
    matcher.stop().await.unwrap();
    assert_eq!(noted(&own), 2);

    // The block that published them is committed; a new start does not see it again.
    let matcher = start().await;
    network.withdraw(&both[1].hospital, &both[1]).await.unwrap();
    assert_eq!(cases(&network, &matcher).await, 0);
    between.hide([]);
    publish(&network).await;
    assert_eq!(cases(&network, &matcher).await, 2, "the late one and the new one");
    matcher.stop().await.unwrap();
    assert_eq!(noted(&own), 0, "one came, one left");
    let matcher = start().await;
    publish(&network).await;
    assert_eq!(cases(&network, &matcher).await, 3, "nothing is taken in twice");
    matcher.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_reading_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path(), 31).await;
    let between = Between::of(&network);
    let matcher = start_on(&network, &folder.path().join("matcher"), between.clone(), BudgetLimits::default()).await;
    let late = TestCase::draw(&network, &network.members[0].id);
    between.hide([late.handle]);
    network.consent(std::slice::from_ref(&late)).await.unwrap();
    network.publish(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(cases(&network, &matcher).await, 0);
    between.hide([]);
    between.fail_fingerprints();
    publish(&network).await;
    let both = async {
        while cases(&network, &matcher).await < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    assert!(between.has_failed());
    matcher.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_was_corrected_is_not_waited_for() {
    let (mut world, between) = world(34).await;
    let ledger = client(&world.network);
    let south = world.network.member("south").id.clone();
    let published = || async {
        let page = ledger.cases_of_hospital(&south, PageRequest::first(100)).await.unwrap();
        page.rows.into_iter().map(|row| row.case.handle).collect::<BTreeSet<_>>()
    };
    between.tell_blocks_to(world.network.ledger.head().unwrap().height - 1);
    let before = published().await;
    let symptoms: Vec<_> = world.disease(9).into_iter().take(8).collect();
    world.admit("south", &[("late", symptoms[..7].to_vec())]).await;
    between.hide(published().await.difference(&before).copied());
    between.tell_blocks_to(u64::MAX);
    world.settle().await;
    world.import("south", &[("late", symptoms)]).await;
    let corrected = world.hospital("south").correct("admin", Selection::Cases(vec![local("late")])).await.unwrap();
    assert_eq!(corrected.done, 1, "{corrected:?}");
    world.settle().await;
    let covered = world.search().searchers.get(EPOCH).unwrap().view().collection().cases;
    assert_eq!(covered, 4, "the correction, and the three from before");
    world.stop_matcher("matcher").await;
    assert_eq!(noted(&world.folder_of("matcher")), 0);
}
