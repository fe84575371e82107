use semblance_tests::world::World;

use crate::by_hand::lookups_of_today;

#[tokio::test(flavor = "multi_thread")]
async fn with_the_matcher_down_the_error_is_clear_and_nothing_is_recorded() {
    let mut world = World::of(2, 7).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone())]).await;
    world.admit("south", &[("patient", symptoms)]).await;
    world.settle().await;
    world.stop_matcher("matcher").await;
    let height = world.network.ledger.head().unwrap().height;

    let error = world.look_up("north", "asker").await.unwrap_err();
    assert_eq!((error.code(), error.may_pass()), ("matcher-unavailable", true));
    assert!(error.to_string().starts_with("the matcher cannot be reached"), "{error}");
    assert_eq!(world.network.ledger.head().unwrap().height, height);
    assert!(lookups_of_today(&world).await.is_empty());

    // The same request goes through once it is back.
    world.start_matcher("matcher").await;
    world.settle().await;
    let asked = world.hospital("north").lookups(0, 1).await.unwrap().remove(0);
    let report = world.hospital("north").retry("dr-a", asked.request.parse().unwrap()).await.unwrap();
    assert_eq!((report.request, report.matches.len()), (asked.request, 1));
    assert_eq!(lookups_of_today(&world).await.len(), 1);
}
