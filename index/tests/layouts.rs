//! Answers are a total function of the live cases: the same after every history that leads to them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use semblance_core::id::CaseHandle;
use semblance_core::query::{Breadth, Group, Query};
use semblance_core::time::Timestamp;
use semblance_core::token::{EpochNumber, Token};
use semblance_index::oracle::{Found, Oracle};
use semblance_index::{Block, Change, Filters, IndexedCase, Merging, Position, Searcher, Writer};

/// Few tokens, so that cases overlap.
const TOKENS: u64 = 60;

#[derive(Debug, Clone)]
enum Step {
    /// A block: cases to add (hospital, life in seconds, tokens), which of the known ones to withdraw, seconds passed.
    Block(Vec<(u16, u64, Vec<u64>)>, Vec<prop::sample::Index>, u64),
    Commit,
    Scrub,
    StartScrub,
    /// Drops everything since the last commit and replays it, as after a crash.
    Reopen,
}

fn tokens(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u64>> {
    // Squared, so that some tokens are common and some rare.
    let token = (0..TOKENS, 0..TOKENS).prop_map(|(one, other)| one * other / TOKENS);
    prop::collection::btree_set(token, length).prop_map(|set| set.into_iter().collect())
}

fn step() -> impl Strategy<Value = Step> {
    let case = (0..4u16, 1..40u64, tokens(1..=16));
    let block =
        (prop::collection::vec(case, 0..40), prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..4u64);
    prop_oneof![
        6 => block.prop_map(|(added, withdrawn, seconds)| Step::Block(added, withdrawn, seconds)),
        3 => Just(Step::Commit),
        1 => Just(Step::Scrub),
        1 => Just(Step::StartScrub),
        1 => Just(Step::Reopen),
    ]
}

fn handle(ordinal: u32) -> CaseHandle {
    CaseHandle::from_bytes(u128::from(ordinal).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_0c2d_9b1f_3d4b).to_be_bytes())
}

fn query(breadth: Breadth, own: &[u64]) -> Query {
    let relatives = |own: u64| match breadth {
        Breadth::Close => Vec::new(),
        // The next seven tokens: groups overlap, and a relative may be another group's own token.
        Breadth::Wide => (1..8).map(|step| Token((own + step) % (TOKENS + 9))).collect(),
    };
    let groups = own.iter().map(|own| Group { own: Token(*own), relatives: relatives(*own) }).collect();
    Query::new(EpochNumber(1), breadth, groups, 10).unwrap()
}

/// What the ledger holds: all blocks ever, and what is live.
#[derive(Default)]
struct Ledger {
    blocks: Vec<Block>,
    live: BTreeMap<u32, IndexedCase>,
    ordinal: u32,
    time: u64,
}

impl Ledger {
    fn grow(&mut self, added: &[(u16, u64, Vec<u64>)], withdrawn: &[prop::sample::Index], seconds: u64) {
        self.time += seconds;
        let mut changes = Vec::new();
        for (hospital, life, tokens) in added {
            let tokens: Vec<Token> = tokens.iter().map(|token| Token(*token)).collect();
            let expires = Timestamp::from_millis((self.time + life) * 1000);
            // Ordinals ascend with gaps.
            self.ordinal += 1 + u32::from(*hospital);
            let case = IndexedCase::new(self.ordinal, handle(self.ordinal), *hospital, expires, &tokens).unwrap();
            changes.push(Change::Add(case.clone()));
            self.live.insert(self.ordinal, case);
        }
        for index in withdrawn {
            if !self.live.is_empty() {
                let ordinal = *self.live.keys().nth(index.index(self.live.len())).unwrap();
                changes.push(Change::Withdraw(handle(ordinal)));
                self.live.remove(&ordinal);
            }
        }
        // Of a case that never was, and of one that is gone.
        changes.push(Change::Withdraw(handle(0)));
        let time = Timestamp::from_millis(self.time * 1000);
        self.live.retain(|_, case| case.expires() > time);
        self.blocks.push(Block { position: Position { block: self.blocks.len() as u64, time }, changes });
    }
}

fn answers(searcher: &Searcher, query: &Query, filters: Filters, wanted: usize) -> Vec<Found> {
    let hits = searcher.view().search_for(query, filters, wanted).unwrap();
    let found = |hit: &semblance_index::Hit| Found {
        ordinal: hit.ordinal,
        handle: hit.handle,
        hospital: hit.hospital,
        score: hit.score,
        shared: hit.shared,
    };
    hits.iter().map(found).collect()
}

fn compare(searcher: &Searcher, ledger: &Ledger, questions: &[Vec<u64>]) {
    let oracle = Oracle::new(ledger.live.values(), Timestamp::from_millis(ledger.time * 1000));
    let view = searcher.view();
    assert_eq!(view.collection(), oracle.collection());
    for token in (0..TOKENS + 9).map(Token) {
        assert_eq!(view.frequency(token), oracle.frequency(token));
    }
    let hospitals: std::collections::BTreeSet<u16> = ledger.live.values().map(IndexedCase::hospital).collect();
    assert_eq!(view.hospitals(), hospitals.len());
    drop(view);
    for question in questions {
        for breadth in [Breadth::Close, Breadth::Wide] {
            let query = query(breadth, question);
            for (exclude, shared_min) in [(Some(1), 3), (None, 0), (Some(0), 1)] {
                for wanted in [1, 10, 1000] {
                    let filters = Filters { exclude, shared_min };
                    assert_eq!(answers(searcher, &query, filters, wanted), oracle.search(&query, filters, wanted));
                }
            }
        }
    }
}

fn replay(folder: &std::path::Path, merging: Merging, ledger: &Ledger) -> Writer {
    let mut writer = Writer::open(folder, merging).unwrap();
    let next = writer.committed().map_or(0, |position| position.block as usize + 1);
    for block in &ledger.blocks[next..] {
        writer.apply(block).unwrap();
    }
    writer
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn histories_do_not_matter(
        steps in prop::collection::vec(step(), 1..14),
        questions in prop::collection::vec(tokens(5..=12), 2),
        automatic: bool,
    ) {
        let merging = if automatic { Merging::Automatic } else { Merging::Off };
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::default();
        let mut writer = Writer::open(folder.path(), merging).unwrap();
        for step in &steps {
            match step {
                Step::Block(added, withdrawn, seconds) => {
                    ledger.grow(added, withdrawn, *seconds);
                    writer.apply(ledger.blocks.last().unwrap()).unwrap();
                }
                Step::Commit => prop_assert_eq!(writer.commit().unwrap(), writer.applied()),
                Step::Scrub => writer.scrub().unwrap(),
                Step::StartScrub => drop(writer.start_scrub().unwrap()),
                Step::Reopen => {
                    drop(writer);
                    writer = replay(folder.path(), merging, &ledger);
                }
            }
            compare(&writer.searcher(), &ledger, &questions);
        }
        // Rebuilt from the ledger in another folder, in one go.
        let other = tempfile::tempdir().unwrap();
        let rebuilt = replay(other.path(), Merging::Off, &ledger);
        compare(&rebuilt.searcher(), &ledger, &questions);
    }
}
