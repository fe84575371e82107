use semblance_core::limits::CLINICIAN_LOOKUPS_A_DAY;
use semblance_core::time::Day;
use semblance_tests::world::World;

use crate::by_hand::{again, ask};

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_used_up_survives_a_matcher_restart() {
    let mut world = World::of(2, 6).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone())]).await;
    world.admit("south", &[("patient", symptoms)]).await;
    world.settle().await;
    for _ in 0..CLINICIAN_LOOKUPS_A_DAY {
        world.look_up("north", "asker").await.unwrap();
    }
    assert_eq!(world.look_up("north", "asker").await.unwrap_err().code(), "budget-clinician");
    // The matcher counts by itself, whatever the hospital's own count says.
    let signer = world.network.member("north").signing.clone();
    let one_more = |world: &World| again(world, &signer, |_| {});
    assert_eq!(ask(&world, "north", one_more(&world)).await.unwrap_err().word(), "budget-clinician");

    world.stop_matcher("matcher").await;
    world.start_matcher("matcher").await;
    assert_eq!(ask(&world, "north", one_more(&world)).await.unwrap_err().word(), "budget-clinician");
    world.stop_matcher("matcher").await;
    world.lose_matcher_files("matcher");
    world.start_matcher("matcher").await;
    world.settle().await;
    assert_eq!(ask(&world, "north", one_more(&world)).await.unwrap_err().word(), "budget-clinician");

    world.network.clock.advance(Day::MILLIS);
    assert!(world.look_up("north", "asker").await.is_ok(), "the next day there are new ones");
}
