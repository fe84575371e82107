//! After a rotation of the sealing key nothing is lost, and the node says when the earlier key may go.

use semblance_core::organisation::Role;
use semblance_core::query::Breadth;
use semblance_hospital::{HospitalService, Selection};

use crate::life_of_a_lookup::three_hospitals;
use crate::world::{IDLE, World, ask};

async fn needed(hospital: &HospitalService) -> Vec<(u32, Option<&'static str>)> {
    hospital.sealing_keys().await.unwrap().into_iter().map(|key| (key.key, key.needed)).collect()
}

/// A block at the present time.
async fn a_block(world: &World, hospital: &HospitalService) {
    world.import(hospital, &[("later", &crate::world::HEART)]).await;
    hospital.register("operator", Selection::All).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_and_epoch_keys_sealed_to_the_earlier_key_are_opened() {
    let (world, north, south) = three_hospitals().await;
    north.look_up(ask("n-1", Breadth::Close)).await.unwrap();
    assert_eq!(needed(&south).await, [(1, Some("present"))]);
    drop(south);
    world.rotate_sealing("south").await;
    world.clock.advance(1_000);
    north.look_up(ask("n-2", Breadth::Close)).await.unwrap();

    // With the new key alone, the open epoch is closed to this hospital; and a receipt would be lost.
    let [new, _] = world.sealing("south").try_into().ok().unwrap();
    let south = world.open("south", world.handle("south", Role::Node), vec![new], world.clock.clone());
    assert_eq!(south.look_up(ask("s-1", Breadth::Close)).await.unwrap_err().code(), "wrong-epoch");
    drop(south);

    let south = world.hospital("south");
    assert_eq!(needed(&south).await, [(2, Some("present")), (1, Some("blocks-to-read"))]);
    south.catch_up(IDLE).await.unwrap();
    assert_eq!(south.receipts(None, 0, 50).await.unwrap().len(), 4);
    assert!(!south.look_up(ask("s-1", Breadth::Close)).await.unwrap().matches.is_empty());
    assert_eq!(needed(&south).await[1].1, Some("blocks-to-read"), "a matcher may not have read the rotation yet");

    world.clock.advance(31 * 60_000);
    a_block(&world, &north).await;
    south.catch_up(IDLE).await.unwrap();
    assert_eq!(needed(&south).await[1].1, Some("open-epoch"));
    world.open_epoch(2).await;
    world.close_epoch(1).await;
    assert_eq!(needed(&south).await, [(2, Some("present")), (1, None)]);
    assert_eq!(south.publish("operator", Selection::All).await.unwrap().done, 3);
    // What is known of it outlives the program.
    drop(south);
    assert_eq!(needed(&world.hospital("south")).await[1].1, None);
}
