//! The reference: an accumulator over all lists, uncompressed in RAM, one word and one stamp for every case.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use semblance_core::query::{Query, Weight};
use semblance_core::score::{self, Collection};
use semblance_core::token::Token;
use semblance_index::{Filters, IndexedCase};

/// Ordinal and score of a found case.
pub(crate) type Answer = (u32, u64);

/// All cases, the withdrawn ones marked.
pub(crate) struct Reference {
    lists: HashMap<Token, Vec<u32>>,
    frequencies: HashMap<Token, u32>,
    collection: Collection,
    /// Ordinal, hospital, length and whether the case is live.
    cases: Vec<(u32, u16, u8, bool)>,
    words: Vec<u32>,
    stamps: Vec<u8>,
}

impl Reference {
    pub(crate) fn new(cases: &[IndexedCase], withdrawn: &HashSet<u32>) -> Self {
        let mut reference = Self {
            lists: HashMap::new(),
            frequencies: HashMap::new(),
            collection: Collection::default(),
            cases: Vec::with_capacity(cases.len()),
            words: vec![0; cases.len()],
            stamps: vec![0; cases.len()],
        };
        for (number, case) in (0..).zip(cases) {
            let live = !withdrawn.contains(&case.ordinal());
            for token in case.tokens() {
                reference.lists.entry(*token).or_default().push(number);
                *reference.frequencies.entry(*token).or_default() += u32::from(live);
            }
            reference.collection.cases += u32::from(live);
            reference.collection.tokens += if live { u64::from(case.length()) } else { 0 };
            reference.cases.push((case.ordinal(), case.hospital(), case.length(), live));
        }
        reference
    }

    pub(crate) fn search(&mut self, query: &Query, filters: Filters, wanted: usize) -> Vec<Answer> {
        self.stamps.fill(0);
        for (stamp, group) in (1..).zip(query.groups()) {
            let own = std::iter::once((group.own, Weight::OWN));
            let relatives = group.relatives.iter().map(|token| (*token, Weight::RELATIVE));
            let mut tokens: Vec<(u32, bool, Token)> = Vec::new();
            for (token, weight) in own.chain(relatives) {
                let frequency = self.frequencies.get(&token).copied().unwrap_or(0);
                tokens.push((score::gain(self.collection.idf(frequency), weight), weight == Weight::OWN, token));
            }
            tokens.sort_by_key(|(gain, ..)| Reverse(*gain));
            for (gain, own, token) in tokens {
                let Some(list) = self.lists.get(&token) else { continue };
                add(&mut self.words, &mut self.stamps, list, stamp, gain, own);
            }
        }
        self.sweep(query, filters, wanted)
    }

    fn sweep(&mut self, query: &Query, filters: Filters, wanted: usize) -> Vec<Answer> {
        let factors: Vec<u32> = (0..=40).map(|length| self.collection.length_factor(query.breadth(), length)).collect();
        let least = (filters.shared_min << score::SUM_BITS).max(1);
        let mut best = BinaryHeap::new();
        for (words, cases) in self.words.chunks_mut(64).zip(self.cases.chunks(64)) {
            if words.iter().fold(false, |found, word| found | (*word >= least)) {
                for (word, (ordinal, hospital, length, live)) in words.iter().zip(cases) {
                    if *word >= least && *live && filters.exclude != Some(*hospital) {
                        let sum = word & ((1 << score::SUM_BITS) - 1);
                        let factor = factors.get(usize::from(*length)).copied().unwrap_or(0);
                        keep(&mut best, wanted, (score::score(sum, factor), Reverse(*ordinal)));
                    }
                }
            }
            words.fill(0);
        }
        best.into_sorted_vec().into_iter().map(|Reverse((score, Reverse(ordinal)))| (ordinal, score)).collect()
    }
}

fn add(words: &mut [u32], stamps: &mut [u8], list: &[u32], stamp: u8, gain: u32, own: bool) {
    let shared = u32::from(own) << score::SUM_BITS;
    for case in list {
        if let (Some(word), Some(last)) = (words.get_mut(*case as usize), stamps.get_mut(*case as usize)) {
            *word += shared + if *last == stamp { 0 } else { gain };
            *last = stamp;
        }
    }
}

/// Keeps the best so many of all that are offered.
pub(crate) fn keep<T: Ord>(best: &mut BinaryHeap<Reverse<T>>, wanted: usize, item: T) {
    if best.len() < wanted {
        best.push(Reverse(item));
    } else if let Some(mut worst) = best.peek_mut()
        && worst.0 < item
    {
        *worst = Reverse(item);
    }
}
