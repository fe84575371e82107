use semblance_core::lookup::Purpose;
use semblance_tests::network::NETWORK;
use semblance_tests::world::{World, local, request_of};

use crate::by_hand::entry;

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_proves_who_looked() {
    let world = World::of(3, 3).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone())]).await;
    world.admit("south", &[("found", symptoms)]).await;
    world.settle().await;
    let report = world.look_up("north", "asker").await.unwrap();
    world.settle().await;

    // The found hospital opens the one receipt that is sealed to it.
    let receipts = world.hospital("south").receipts(Some(local("found")), 0, 10).await.unwrap();
    let [receipt] = receipts.as_slice() else { panic!("{receipts:?}") };
    assert_eq!((receipt.asker.as_str(), receipt.purpose.as_str(), receipt.rank), ("north", "diagnosis", 1));
    assert_eq!((&receipt.request, receipt.block, receipt.height), (&report.request, report.block, report.height));
    assert_eq!(receipt.handle, report.matches[0].handle);

    // It is the entry the asker's answer came with, and the asker signed it: proof for a third party.
    let record = entry(&world, request_of(&report)).await.unwrap();
    let north = world.network.member("north");
    let signed = record.entry.claim(NETWORK).unwrap().verify(&north.signing.verifying_key()).unwrap();
    assert_eq!((&signed.statement().hospital, signed.statement().purpose), (&north.id, Purpose::Diagnosis));

    // Nobody else learns of it: not the asker, not the third hospital, from any of the ten slots.
    for other in ["north", "east"] {
        assert!(world.hospital(other).receipts(None, 0, 10).await.unwrap().is_empty(), "{other}");
        let secrets = [world.network.member(other).sealing.clone()];
        assert!(record.entry.slots.open(NETWORK, &record.entry.request.digest(), &secrets).is_empty());
    }
}
