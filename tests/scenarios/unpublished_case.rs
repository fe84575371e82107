use semblance_core::id::Digest;
use semblance_tests::world::World;

use crate::by_hand::{again, ask, lookups_of_today};

#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_tries_to_ask_from_an_unpublished_case() {
    let world = World::of(2, 4).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("published", symptoms.clone())]).await;
    world.admit("south", &[("patient", symptoms.clone())]).await;
    world.import("north", &[("only-imported", symptoms)]).await;
    world.settle().await;

    let refused = world.look_up("north", "only-imported").await.unwrap_err();
    assert_eq!(refused.code(), "no-consent", "{refused}");
    assert!(world.sent().is_empty(), "nothing left the hospital");

    // A node that does not ask itself: the ledger refuses the entry, so there is no answer.
    world.look_up("north", "published").await.unwrap();
    let signer = &world.network.member("north").signing;
    let unpublished = again(&world, signer, |request| request.case = Digest::of(b"a case that nobody published"));
    let refused = ask(&world, "north", unpublished).await.unwrap_err();
    assert_eq!(refused.word(), "not-published", "{refused}");
    // Nor from a case of another hospital, published though it is.
    world.look_up("south", "patient").await.unwrap();
    let theirs = again(&world, signer, |request| request.hospital = world.network.member("north").id.clone());
    let refused = ask(&world, "north", theirs).await.unwrap_err();
    assert_eq!(refused.word(), "not-published", "{refused}");
    assert_eq!(lookups_of_today(&world).await.len(), 2, "only the two honest ones stand there");
}
