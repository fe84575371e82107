use semblance_core::query::Breadth;
use semblance_hospital::lookup::{FoundCase, Question};
use semblance_tests::world::{World, local, question};

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_matcher_gives_identical_answers() {
    let mut world = World::of(3, 9).await;
    world.populate(12).await;
    world.hospital("south").withdraw("admin", &local("patient-3")).await.unwrap();
    world.hospital("east").withdraw("admin", &local("patient-7")).await.unwrap();
    world.settle().await;
    let before = answers(&world).await;
    assert!(before.iter().any(|answer| !answer.is_empty()), "there is something to compare");

    world.stop_matcher("matcher").await;
    world.lose_matcher_files("matcher");
    world.start_matcher("matcher").await;
    world.settle().await;
    assert_eq!(answers(&world).await, before);
}

async fn answers(world: &World) -> Vec<Vec<FoundCase>> {
    let mut answers = Vec::new();
    for case in ["patient-1", "patient-2", "patient-5", "patient-9"] {
        for breadth in [Breadth::Close, Breadth::Wide] {
            let asked = Question { breadth, ..question(case) };
            answers.push(world.hospital("north").look_up(asked).await.unwrap().matches);
        }
    }
    answers
}
