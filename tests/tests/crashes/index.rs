//! A matcher's process is killed while it feeds its index: the index stands at a whole block, none before the last that
//! was committed, and answers as a scan over the same blocks does.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::{Duration, Instant};

use super::{check_ready, writer};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use semblance_core::query::{Breadth, Group, Query};
use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;
use semblance_index::oracle::{Found, Oracle};
use semblance_index::{Change, Filters, IndexedCase, Merging, Writer};
use semblance_tests::kill::{Moments, after, rounds, run_and_kill};
use semblance_tests::write::index::{CASES, block, tokens};

#[test]
fn a_killed_index_stands_at_a_whole_block() {
    crash(500, rounds(2), Duration::from_millis(700));
}

#[test]
#[ignore = "slow: ten thousand cases, thirty crashes"]
fn a_killed_index_of_ten_thousand_cases_stands_at_a_whole_block() {
    let slowest = crash(10_000, rounds(30), Duration::from_millis(700));
    check_ready("index", slowest);
}

/// Returns how long the slowest restart took.
fn crash(inside: u32, rounds: u64, longest: Duration) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut writer = Writer::open(folder.path(), Merging::Automatic).unwrap();
        for number in 0..u64::from(inside / CASES) {
            writer.apply(&block(number)).unwrap();
        }
        writer.commit().unwrap();
    }
    let (mut moments, mut slowest, mut last) = (Moments::default(), Duration::ZERO, u64::from(inside / CASES) - 1);
    let before = last;
    let mut truth = Truth::default();
    for round in 1..=rounds {
        let arguments = [OsStr::new("index"), folder.path().as_os_str()];
        let said = run_and_kill(writer(), &arguments, moments.next(longest));
        let acknowledged = after(&said, "committed").last().map_or(last, |block| block.parse().unwrap());
        let begun = Instant::now();
        let writer = Writer::open(folder.path(), Merging::Automatic).unwrap();
        let view = writer.searcher();
        let position = view.view().position().block;
        slowest = slowest.max(begun.elapsed());

        assert!(position >= acknowledged, "block {acknowledged} was committed, the index is at {position}");
        truth.reach(position);
        truth.compare(&view, round);
        last = position;
    }
    assert!(last > before, "no round committed anything: the moments are too early");
    slowest
}

/// What the blocks up to one say.
#[derive(Default)]
struct Truth {
    next: u64,
    live: BTreeMap<u32, IndexedCase>,
}

impl Truth {
    fn reach(&mut self, last: u64) {
        for number in self.next..=last {
            for change in block(number).changes {
                match change {
                    Change::Add(case) => drop(self.live.insert(case.ordinal(), case)),
                    Change::Withdraw(handle) => self.live.retain(|_, case| case.handle() != handle),
                }
            }
        }
        self.next = last + 1;
    }

    fn compare(&self, searcher: &semblance_index::Searcher, seed: u64) {
        let now = Timestamp::from_millis((self.next - 1) * 1000);
        let oracle = Oracle::new(self.live.values(), now);
        assert_eq!(searcher.view().collection(), oracle.collection());
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        for _ in 0..20 {
            let groups = tokens(&mut random, 8).into_iter().map(|own| Group { own, relatives: Vec::new() });
            let query = Query::new(EpochNumber(1), Breadth::Close, groups.collect(), 10).unwrap();
            let filters = Filters { exclude: Some(1), shared_min: 1 };
            let hits = searcher.view().search(&query, filters).unwrap();
            let found = |hit: &semblance_index::Hit| Found {
                ordinal: hit.ordinal,
                handle: hit.handle,
                hospital: hit.hospital,
                score: hit.score,
                shared: hit.shared,
            };
            assert_eq!(hits.iter().map(found).collect::<Vec<_>>(), oracle.search(&query, filters, 10));
        }
    }
}
