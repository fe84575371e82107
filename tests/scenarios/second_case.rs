use semblance_core::query::Breadth;
use semblance_hospital::lookup::Question;
use semblance_tests::world::{World, question};

#[tokio::test(flavor = "multi_thread")]
async fn a_clinician_finds_a_second_case_in_another_hospital() {
    let world = World::of(3, 1).await;
    world.populate(6).await;
    let rare: Vec<_> = world.disease(40).into_iter().take(9).collect();
    world.admit("north", &[("the-child", rare.clone())]).await;
    world.admit("south", &[("another-child", rare)]).await;
    world.settle().await;

    let report = world.look_up("north", "the-child").await.unwrap();
    let found = &report.matches[0];
    let second = world.summary("south", "another-child").await;
    assert_eq!((found.hospital.as_str(), Some(&found.handle)), ("south", second.handle.as_ref()));
    // What is covered: the others' cases, not the asker's own.
    assert_eq!((report.cases, report.hospitals, report.failed.len()), (6 + 6 + 1, 2, 0));
    assert!(report.matches.iter().all(|found| found.hospital != "north" && found.reached <= found.possible));

    world.network.clock.advance(1_000);
    let wider = Question { breadth: Breadth::Wide, ..question("the-child") };
    let wider = world.hospital("north").look_up(wider).await.unwrap();
    assert_eq!(wider.matches[0].handle, report.matches[0].handle);
}
