use semblance_core::lookup::LookupRequest;
use semblance_matcher::IncomingSearch;
use semblance_tests::network::NETWORK;
use semblance_tests::world::World;

use crate::by_hand::{again, ask, lookups_of_today};

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_request_gets_the_stored_answer() {
    let world = World::of(2, 5).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone())]).await;
    world.admit("south", &[("first", symptoms.clone())]).await;
    world.settle().await;
    let report = world.look_up("north", "asker").await.unwrap();
    // What a new search would find has changed meanwhile.
    world.admit("south", &[("second", symptoms)]).await;
    world.settle().await;

    let sent = world.sent().pop().unwrap();
    let replay = || IncomingSearch { request: sent.request.clone(), query: sent.query.clone(), query_salt: sent.salt };
    let first = ask(&world, "north", replay()).await.unwrap();
    assert_eq!((first.transaction.to_string(), first.block), (report.transaction.clone(), report.block));
    assert_eq!(ask(&world, "north", replay()).await.unwrap(), first);
    assert_eq!(lookups_of_today(&world).await.len(), 1, "a replay leaves no second entry");

    // The same id under other bytes is no retry.
    let id = sent.request.clone().claim::<LookupRequest>(NETWORK).unwrap().claims().request;
    let other = again(&world, &world.network.member("north").signing, |request| request.request = id);
    assert_eq!(ask(&world, "north", other).await.unwrap_err().word(), "replayed-request");
    // Another hospital cannot fetch the answer.
    assert_eq!(ask(&world, "south", replay()).await.unwrap_err().word(), "not-authorised");
}
