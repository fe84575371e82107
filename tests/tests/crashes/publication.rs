//! A hospital's process is killed on the way from import to publication: when it comes back, every case ends on the
//! ledger exactly once.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use semblance_tests::kill::{Moments, rounds, run_and_kill};
use semblance_tests::network::TestNetwork;
use semblance_tests::write::publication::{bring, make_file, open};

use super::matcher::live;
use super::{check_ready, writer};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hospital_publishes_every_case_once() {
    crash(0, 30, rounds(2), Duration::from_millis(1500)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: ten thousand cases, thirty crashes"]
async fn a_killed_hospital_publishes_each_of_ten_thousand_cases_once() {
    let slowest = crash(10_000, 100, rounds(30), Duration::from_millis(1000)).await;
    check_ready("hospital", slowest);
}

/// So many cases are inside before the first crash, and each round brings more. Returns how long the slowest restart
/// took.
async fn crash(inside: usize, each: usize, rounds: u64, longest: Duration) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.db");
    drop(TestNetwork::found(&ledger, semblance_tests::write::ledger::HOSPITALS, 1, 0).await);
    make_file(folder.path(), 0, inside);
    bring(&open(&ledger, folder.path(), u64::MAX).1, folder.path(), |_| {}).await;
    let (mut moments, mut slowest, mut expected) = (Moments::default(), Duration::ZERO, inside);
    for round in 1..=rounds {
        make_file(folder.path(), round, each);
        expected += each;
        let seed = round.to_string();
        let arguments = [OsStr::new("publication"), ledger.as_os_str(), folder.path().as_os_str(), OsStr::new(&seed)];
        let said = run_and_kill(writer(), &arguments, moments.next(longest));
        let begun = Instant::now();
        let (network, hospital) = open(&ledger, folder.path(), u64::MAX - round);
        slowest = slowest.max(begun.elapsed());
        bring(&hospital, folder.path(), |_| {}).await;

        let last = said.last().map_or("nothing", String::as_str);
        assert_eq!(live(&network).await, expected, "killed in round {round} after it said {last}");
        let status = hospital.status().await.unwrap();
        assert_eq!((status.cases, status.waiting), (expected as u64, 0));
        assert!(network.ledger.verify().await.unwrap().is_sound());
    }
    slowest
}
