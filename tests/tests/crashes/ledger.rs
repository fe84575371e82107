//! A ledger's process is killed while it writes: nothing acknowledged is lost, nothing half-done shows, and it is ready
//! again at once.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use super::{check_ready, writer};
use semblance_contract::state::CaseView;
use semblance_contract::wire::{FingerprintsFound, FingerprintsOf, Handle, List, Maybe};
use semblance_core::case::CaseStatus;
use semblance_core::id::CaseHandle;
use semblance_tests::kill::{Moments, after, rounds, run_and_kill};
use semblance_tests::network::{START, TestNetwork, members};
use semblance_tests::write::ledger::HOSPITALS;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_ledger_keeps_what_it_acknowledged() {
    crash(200, rounds(2), Duration::from_millis(900)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: ten thousand cases, thirty crashes"]
async fn a_killed_ledger_of_ten_thousand_cases_keeps_what_it_acknowledged() {
    let slowest = crash(10_000, rounds(30), Duration::from_millis(1500)).await;
    check_ready("ledger", slowest);
}

/// Returns how long the slowest restart took.
async fn crash(inside: usize, rounds: u64, longest: Duration) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    {
        let network = TestNetwork::found(&path, HOSPITALS, 1, 0).await;
        let hospital = network.members[0].id.clone();
        network.fill(&hospital, inside).await;
    }
    let (mut moments, mut slowest, mut all) = (Moments::default(), Duration::ZERO, 0);
    for round in 1..=rounds {
        let moment = moments.next(longest);
        let seed = round.to_string();
        let arguments = [OsStr::new("ledger"), path.as_os_str(), OsStr::new(&seed)];
        let said = run_and_kill(writer(), &arguments, moment);
        let begun = Instant::now();
        let network = TestNetwork::open(&path, members(HOSPITALS, 1), START, u64::MAX - round).unwrap();
        let own = network.members[0].id.clone();
        // Ready is: it takes the next transaction.
        let next = semblance_tests::case::TestCase::draw(&network, &own);
        network.consent(&[next]).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        check(&network, &said).await;
        all += said.len();
    }
    assert!(all > 0, "no round wrote anything: the moments are too early");
    slowest
}

async fn check(network: &TestNetwork, said: &[String]) {
    let report = network.ledger.verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    let batches = |word| after(said, word).map(|line| line.split(' ').map(handle).collect::<Vec<_>>());
    for tried in batches("try") {
        let mut there = Vec::new();
        for handle in &tried {
            there.push(case(network, *handle).await);
        }
        assert!(there.iter().all(|one| one.is_some() == there[0].is_some()), "a batch is there in part");
        let live = there.iter().flatten().filter(|found| found.case.status == CaseStatus::Live).count();
        assert_eq!(fingerprints(network, &tried).await.len(), live, "handles without fingerprints, or the reverse");
    }
    for published in batches("published").flatten() {
        assert!(case(network, published).await.is_some(), "{published} was acknowledged and is lost");
    }
    for withdrawn in batches("withdrawn").flatten() {
        let found = case(network, withdrawn).await.unwrap();
        assert_eq!(found.case.status, CaseStatus::Withdrawn, "{withdrawn} was withdrawn and is back");
    }
    for purged in batches("purged").flatten() {
        // That its private data are gone with this mark is what verifying has just compared.
        assert!(case(network, purged).await.unwrap().purge.is_some(), "{purged} was purged and is back");
    }
}

fn handle(text: &str) -> CaseHandle {
    text.parse().unwrap()
}

async fn case(network: &TestNetwork, handle: CaseHandle) -> Option<CaseView> {
    network.query::<Maybe<CaseView>>(&network.members[0].id, "case", &Handle(handle)).await.unwrap().0
}

/// The private values that are there.
async fn fingerprints(network: &TestNetwork, handles: &[CaseHandle]) -> Vec<Vec<u8>> {
    let argument: FingerprintsOf = List::new(handles.iter().map(|handle| Handle(*handle)).collect()).unwrap();
    let found = network.query::<FingerprintsFound>(&network.matcher().id, "fingerprints", &argument).await.unwrap();
    found.into_items().into_iter().filter_map(|found| found.0).map(|value| value.0).collect()
}
