use std::time::Duration;

use semblance_core::lookup::LookupRequest;
use semblance_tests::between::Fate;
use semblance_tests::by_hand::{again, ask, entry, lookups_of_today};
use semblance_tests::network::NETWORK;
use semblance_tests::world::local;
use tokio::sync::oneshot;

use crate::{copy, found, world};

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_of_one_request_give_one_answer() {
    let (world, between) = world(26).await;
    let search = again(&world, &world.network.member("north").signing, |_| {});
    // The entry is lost, so that the answer is stored and nobody knows of it.
    between.next_entries(Fate::Lost);
    assert_eq!(ask(&world, "north", copy(&search)).await.unwrap_err().word(), "ledger-unavailable");
    let (release, held) = oneshot::channel();
    between.next_entries(Fate::Held(held));
    let first = ask(&world, "north", copy(&search));
    let second = async {
        // The first is polled first, and holds the request's place when it lets go.
        let told = tokio::time::timeout(Duration::from_secs(20), ask(&world, "north", copy(&search))).await;
        release.send(()).unwrap();
        let error = told.unwrap().unwrap_err();
        assert_eq!(error.word(), "under-way", "{error}");
    };
    let (first, ()) = tokio::join!(biased; first, second);
    let first = first.unwrap();
    assert_eq!(ask(&world, "north", search).await.unwrap(), first);
    assert_eq!((found(&first), lookups_of_today(&world).await.len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_stands_after_all_keeps_its_answer() {
    let (world, between) = world(27).await;
    let search = again(&world, &world.network.member("north").signing, |_| {});
    between.next_entries(Fate::Doubled);
    let answered = ask(&world, "north", copy(&search)).await.unwrap();
    assert_eq!(ask(&world, "north", copy(&search)).await.unwrap(), answered);
    let id = search.request.claim::<LookupRequest>(NETWORK).unwrap().claims().request;
    assert!(entry(&world, id).await.is_some());
    assert_eq!((found(&answered), lookups_of_today(&world).await.len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unrecorded_answer_that_time_overtook_is_found_anew() {
    let (world, between) = world(28).await;
    let search = again(&world, &world.network.member("north").signing, |_| {});
    between.next_entries(Fate::Lost);
    assert!(ask(&world, "north", copy(&search)).await.is_err());
    world.hospital("south").withdraw("admin", &local("patient")).await.unwrap();
    let answered = ask(&world, "north", copy(&search)).await.unwrap();
    assert_eq!(found(&answered), 1, "what left meanwhile is not disclosed");
    assert_eq!(ask(&world, "north", search).await.unwrap(), answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_hold_for_a_bounded_time() {
    let (world, _) = world(29).await;
    let north = world.network.member("north").signing.clone();
    let minutes = |count: u64| count * 60_000;
    let too_late = again(&world, &north, |request| request.expires = request.expires.plus(minutes(20)));
    assert_eq!(ask(&world, "north", too_late).await.unwrap_err().word(), "backdated");
    let search = again(&world, &north, |request| request.expires = request.expires.plus(minutes(13)));
    let answered = ask(&world, "north", copy(&search)).await.unwrap();
    world.network.clock.advance(minutes(23));
    assert_eq!(ask(&world, "north", copy(&search)).await.unwrap(), answered, "a retry that was under way");
    world.network.clock.advance(minutes(2));
    assert_eq!(ask(&world, "north", search).await.unwrap_err().word(), "expired-request");
}
