//! A process with a ledger and a matcher is killed while cases come and go: the matcher catches up, holds exactly the
//! cases that are live on the ledger, and answers as one that was built anew.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use semblance_contract::wire::{OfEpoch, Page, PageRequest};
use semblance_core::case::PublishedCase;
use semblance_core::id::CaseHandle;
use semblance_core::query::{Breadth, Group, Query};
use semblance_index::Filters;
use semblance_matcher::Matcher;
use semblance_tests::kill::{Moments, rounds, run_and_kill};
use semblance_tests::network::{EPOCH, START, TestNetwork, members};
use semblance_tests::write::index::tokens;
use semblance_tests::write::ledger::HOSPITALS;
use semblance_tests::write::matcher::{caught_up, start};

use super::{check_ready, writer};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_matcher_catches_up() {
    crash(200, rounds(2), Duration::from_millis(900)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: ten thousand cases, thirty crashes"]
async fn a_killed_matcher_of_ten_thousand_cases_catches_up() {
    let slowest = crash(10_000, rounds(30), Duration::from_millis(1500)).await;
    check_ready("matcher", slowest);
}

/// Returns how long the slowest restart took.
async fn crash(inside: usize, rounds: u64, longest: Duration) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, index) = (folder.path().join("ledger.db"), folder.path().join("matcher"));
    {
        let network = TestNetwork::found(&ledger, HOSPITALS, 1, 0).await;
        let matcher = start(&network, &index).await;
        network.fill(&network.members[0].id.clone(), inside).await;
        caught_up(&network, &matcher).await;
        matcher.stop().await.unwrap();
    }
    let (mut moments, mut slowest) = (Moments::default(), Duration::ZERO);
    for round in 1..=rounds {
        let seed = round.to_string();
        let arguments = [OsStr::new("matcher"), ledger.as_os_str(), index.as_os_str(), OsStr::new(&seed)];
        let said = run_and_kill(writer(), &arguments, moments.next(longest));
        let begun = Instant::now();
        let network = TestNetwork::open(&ledger, members(HOSPITALS, 1), START, u64::MAX - round).unwrap();
        let matcher = start(&network, &index).await;
        caught_up(&network, &matcher).await;
        slowest = slowest.max(begun.elapsed());

        let live = live(&network).await;
        assert_eq!(matcher.covered().unwrap().cases, live as u64, "after {} lines", said.len());
        if round == rounds || round % 10 == 0 {
            check_against_a_new_one(&network, &matcher, &folder.path().join(format!("new-{round}"))).await;
        }
        matcher.stop().await.unwrap();
    }
    slowest
}

async fn check_against_a_new_one(network: &TestNetwork, matcher: &Matcher, folder: &Path) {
    let new = start(network, folder).await;
    caught_up(network, &new).await;
    let found = answers(matcher);
    assert!(found.iter().any(|answer| !answer.is_empty()), "there is something to compare");
    assert_eq!(found, answers(&new));
    new.stop().await.unwrap();
}

/// Ordinals differ where a case was withdrawn before a new matcher read its block; names and scores do not.
fn answers(matcher: &Matcher) -> Vec<Vec<(CaseHandle, u64)>> {
    let searcher = matcher.search().searchers.get(EPOCH).unwrap();
    let mut random = ChaCha20Rng::seed_from_u64(5);
    let mut answer = || {
        let groups = tokens(&mut random, 12).into_iter().map(|own| Group { own, relatives: Vec::new() });
        let query = Query::new(EPOCH, Breadth::Close, groups.collect(), 10).unwrap();
        let hits = searcher.view().search(&query, Filters { exclude: None, shared_min: 1 }).unwrap();
        hits.iter().map(|hit| (hit.handle, hit.score)).collect()
    };
    (0..30).map(|_| answer()).collect()
}

/// How many cases are live on the ledger.
pub(crate) async fn live(network: &TestNetwork) -> usize {
    let (reader, mut count, mut page) = (&network.members[0].id, 0, PageRequest::first(500));
    loop {
        let argument = OfEpoch { epoch: EPOCH, page };
        let found: Page<PublishedCase> = network.query(reader, "live_cases", &argument).await.unwrap();
        count += found.rows.len();
        let Some(next) = found.next else { return count };
        page = PageRequest::at(Some(next), 500);
    }
}
