use semblance_tests::world::World;

use crate::by_hand::lookups_of_today;

#[tokio::test(flavor = "multi_thread")]
async fn with_the_ledger_down_there_is_no_answer() {
    let world = World::of(2, 8).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone())]).await;
    world.admit("south", &[("patient", symptoms)]).await;
    world.settle().await;

    // The matcher finds the case but cannot write the entry: it says nothing.
    let matcher = world.network.matcher().id.clone();
    world.network.ledger.peers().set_down(&matcher, true);
    let error = world.look_up("north", "asker").await.unwrap_err();
    assert_eq!((error.code(), error.may_pass()), ("matcher-unavailable", true), "{error}");
    assert!(error.to_string().contains("no answer"), "{error}");
    assert!(lookups_of_today(&world).await.is_empty());

    world.network.ledger.peers().set_down(&matcher, false);
    let asked = world.hospital("north").lookups(0, 1).await.unwrap().remove(0);
    let report = world.hospital("north").retry("dr-a", asked.request.parse().unwrap()).await.unwrap();
    assert_eq!(report.matches.len(), 1);

    // The whole ledger is gone: the hospital's node does not even ask.
    let sent = world.sent().len();
    world.network.ledger.stop();
    let error = world.look_up("north", "asker").await.unwrap_err();
    assert_eq!((error.code(), error.may_pass()), ("ledger-unavailable", true), "{error}");
    assert_eq!(world.sent().len(), sent);
}
