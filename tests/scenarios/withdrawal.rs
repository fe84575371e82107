use semblance_tests::world::{World, local};

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_withdraws_and_is_gone_from_the_next_answer() {
    let world = World::of(3, 2).await;
    let symptoms: Vec<_> = world.disease(3).into_iter().take(8).collect();
    for hospital in ["north", "south", "east"] {
        world.admit(hospital, &[("patient", symptoms.clone())]).await;
    }
    world.settle().await;
    let before = world.look_up("north", "patient").await.unwrap();
    assert_eq!((before.matches.len(), before.cases), (2, 2));

    let withdrawn = world.hospital("south").withdraw("admin", &local("patient")).await.unwrap();
    assert!(withdrawn.withdrawn, "{withdrawn:?}");
    world.settle().await;
    let after = world.look_up("north", "patient").await.unwrap();
    let hospitals: Vec<_> = after.matches.iter().map(|found| found.hospital.as_str()).collect();
    assert_eq!((hospitals.as_slice(), after.cases, after.hospitals), (["east"].as_slice(), 1, 1));

    // Its private data are purged, and the history still verifies.
    assert_eq!((withdrawn.purged, withdrawn.purge_waiting), (1, 0));
    assert!(world.network.ledger.verify().await.unwrap().is_sound());
    // The withdrawn consent is dead: the case finds nobody any more, either.
    let refused = world.look_up("south", "patient").await.unwrap_err();
    assert_eq!(refused.code(), "withdrawn-consent");
}
