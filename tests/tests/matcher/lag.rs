use semblance_core::time::Day;
use semblance_tests::by_hand::{again, ask, lookups_of_today};
use semblance_tests::world::local;

use crate::{found, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_matcher_that_lags_does_not_answer() {
    let (world, between) = world(23).await;
    world.settle().await;
    let north = world.network.member("north").signing.clone();
    between.tell_blocks_to(world.network.ledger.head().unwrap().height - 1);
    world.hospital("south").withdraw("admin", &local("patient")).await.unwrap();
    // The asker wants no height at all; the ledger's own is what counts.
    let search = || again(&world, &north, |request| request.minimum_height = 0);
    let error = ask(&world, "north", search()).await.unwrap_err();
    assert_eq!(error.word(), "index-behind", "{error}");
    assert_eq!(lookups_of_today(&world).await.len(), 1);
    between.tell_blocks_to(u64::MAX);
    assert_eq!(found(&ask(&world, "north", search()).await.unwrap()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_leaves_during_the_search_is_not_disclosed() {
    let (world, between) = world(24).await;
    let north = world.network.member("north").signing.clone();
    let south = world.hospital("south").clone();
    between.before_answering(async move {
        south.withdraw("admin", &local("patient")).await.unwrap();
    });
    assert_eq!(found(&ask(&world, "north", again(&world, &north, |_| {})).await.unwrap()), 1);

    // The asker's own case leaves: there is no answer at all.
    let before = lookups_of_today(&world).await.len();
    let own = world.hospital("north").clone();
    between.before_answering(async move {
        own.withdraw("admin", &local("asker")).await.unwrap();
    });
    let error = ask(&world, "north", again(&world, &north, |_| {})).await.unwrap_err();
    assert_eq!(error.word(), "withdrawn-consent", "{error}");
    assert_eq!(lookups_of_today(&world).await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_expired_since_the_last_block_is_not_disclosed() {
    let (world, _) = world(25).await;
    world.network.clock.advance(100 * Day::MILLIS);
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("later", symptoms)]).await;
    world.settle().await;
    assert_eq!(world.look_up("north", "later").await.unwrap().matches.len(), 2);
    world.network.clock.advance(300 * Day::MILLIS);
    // No block has come since, so that the index still has what expired.
    assert_eq!(world.look_up("north", "later").await.unwrap().matches.len(), 0);
}
