//! Bloom filters of 1024 bits compared by counting common bits, as record linkage does.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use semblance_core::query::Query;
use semblance_core::token::Token;
use semblance_index::IndexedCase;

use super::accumulator::keep;

/// Bits set for each token.
const HASHES: u32 = 4;

type Filter = [u64; 16];

/// A filter for each live case.
pub(crate) struct Bloom {
    filters: Vec<(u32, u32, Filter)>,
}

impl Bloom {
    pub(crate) fn new(cases: &[IndexedCase], withdrawn: &HashSet<u32>) -> Self {
        let live = cases.iter().filter(|case| !withdrawn.contains(&case.ordinal()));
        let filter = |case: &IndexedCase| {
            let filter = filter(case.tokens().iter().copied());
            (case.ordinal(), ones(&filter), filter)
        };
        Self { filters: live.map(filter).collect() }
    }

    /// The best by Dice's coefficient, in parts of 2³².
    pub(crate) fn search(&self, query: &Query, wanted: usize) -> Vec<(u32, u64)> {
        let asked = filter(query.groups().iter().map(|group| group.own));
        let count = ones(&asked);
        let mut best = BinaryHeap::new();
        for (ordinal, ones, filter) in &self.filters {
            let common: u32 = filter.iter().zip(&asked).map(|(one, other)| (one & other).count_ones()).sum();
            let dice = (u64::from(common) << 33) / u64::from((count + ones).max(1));
            keep(&mut best, wanted, (dice, Reverse(*ordinal)));
        }
        best.into_sorted_vec().into_iter().map(|Reverse((dice, Reverse(ordinal)))| (ordinal, dice)).collect()
    }
}

fn filter(tokens: impl Iterator<Item = Token>) -> Filter {
    let mut filter = [0; 16];
    for Token(token) in tokens {
        for hash in 0..HASHES {
            let bit = (token >> (10 * hash)) & 1023;
            if let Some(word) = filter.get_mut((bit / 64) as usize) {
                *word |= 1 << (bit % 64);
            }
        }
    }
    filter
}

fn ones(filter: &Filter) -> u32 {
    filter.iter().map(|word| word.count_ones()).sum()
}
