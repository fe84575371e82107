use semblance_core::token::EpochNumber;
use semblance_tests::case::TestCase;
use semblance_tests::network::{EPOCH, TestNetwork};
use semblance_tests::world::World;
use semblance_tests::write::matcher::{caught_up, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_matcher_that_lost_its_own_file_names_the_right_hospitals() {
    let mut world = World::of(2, 32).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    // South comes first and north second; who asks first after the loss would be numbered first.
    world.admit("south", &[("patient", symptoms.clone())]).await;
    world.admit("north", &[("asker", symptoms)]).await;
    world.settle().await;
    world.stop_matcher("matcher").await;
    for file in std::fs::read_dir(world.folder_of("matcher")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    world.start_matcher("matcher").await;
    world.settle().await;
    let report = world.look_up("north", "asker").await.unwrap();
    let hospitals: Vec<_> = report.matches.iter().map(|found| found.hospital.clone()).collect();
    assert_eq!(hospitals, ["south"]);
    world.settle().await;
    assert_eq!(world.hospital("south").receipts(None, 0, 10).await.unwrap().len(), 1);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_matcher_keeps_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let network = TestNetwork::found(&folder.path().join("ledger.db"), 1, 1, 35).await;
    let own = folder.path().join("matcher");
    let matcher = start(&network, &own).await;
    caught_up(&network, &matcher).await;
    let mode = |path: &str| std::fs::metadata(own.join(path)).unwrap().permissions().mode() & 0o777;
    for open in ["", "index", "index/epoch-0000000001"] {
        assert_eq!(mode(open), 0o700, "{open}");
    }
    for file in ["matcher.sqlite", "matcher.sqlite-wal", "index/numbering"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    matcher.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_epoch_leaves_nothing_and_the_other_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let network = TestNetwork::found(&folder.path().join("ledger.db"), 1, 1, 33).await;
    let own = folder.path().join("matcher");
    let matcher = start(&network, &own).await;
    let hospital = network.members[0].id.clone();
    let case = [TestCase::draw(&network, &hospital)];
    network.consent(&case).await.unwrap();
    network.publish(&case).await.unwrap();
    network.open_epoch(EpochNumber(2)).await;
    caught_up(&network, &matcher).await;
    assert_eq!(matcher.covered().unwrap().cases, 1);
    network.close_epoch(EPOCH).await;
    caught_up(&network, &matcher).await;
    assert_eq!(matcher.covered().unwrap().cases, 0);
    matcher.stop().await.unwrap();
    assert!(!own.join("index/epoch-0000000001").exists());

    // As a crash would leave it that came while the files of a closed epoch were being removed.
    std::fs::create_dir(own.join("index/closed-0000000001")).unwrap();
    std::fs::write(own.join("index/closed-0000000001/half.idx"), "half").unwrap();
    let matcher = start(&network, &own).await;
    caught_up(&network, &matcher).await;
    assert!(matcher.search().searchers.get(EpochNumber(2)).is_some());
    assert!(matcher.search().searchers.get(EPOCH).is_none());
    assert!(!own.join("index/closed-0000000001").exists());
    matcher.stop().await.unwrap();
}
