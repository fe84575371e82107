//! The same answers by looking at every case: what tests and measurements compare the index with.

use std::collections::HashMap;

use semblance_core::id::CaseHandle;
use semblance_core::limits::{FINGERPRINT_MAX, TERMS_MAX};
use semblance_core::query::{Query, Weight};
use semblance_core::score::{self, Collection};
use semblance_core::time::Timestamp;
use semblance_core::token::Token;

use crate::case::IndexedCase;
use crate::search::Filters;

/// One answer of the oracle: what a [`Hit`](crate::Hit) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its place in the order of publication.
    pub ordinal: u32,
    /// Its public name.
    pub handle: CaseHandle,
    /// The number of its hospital.
    pub hospital: u16,
    /// Its score.
    pub score: u64,
    /// How many of the query's own tokens it carries.
    pub shared: u32,
}

/// All live cases, laid out for a scan: tokens as small numbers, one case after the other.
#[derive(Debug, Default)]
pub struct Oracle {
    cases: Vec<(u32, CaseHandle, u16)>,
    /// Where each case's tokens end.
    ends: Vec<usize>,
    tokens: Vec<u32>,
    numbers: HashMap<Token, u32>,
    frequencies: Vec<u32>,
}

impl Oracle {
    /// Lays out the cases that are live at a time.
    pub fn new<'a>(cases: impl IntoIterator<Item = &'a IndexedCase>, now: Timestamp) -> Self {
        let mut oracle = Self::default();
        for case in cases.into_iter().filter(|case| case.expires() > now) {
            oracle.cases.push((case.ordinal(), case.handle(), case.hospital()));
            for token in case.tokens() {
                let next = oracle.frequencies.len() as u32;
                let number = *oracle.numbers.entry(*token).or_insert(next);
                if number == next {
                    oracle.frequencies.push(0);
                }
                if let Some(frequency) = oracle.frequencies.get_mut(number as usize) {
                    *frequency += 1;
                }
                oracle.tokens.push(number);
            }
            oracle.ends.push(oracle.tokens.len());
        }
        oracle
    }

    /// The counts that scores depend on.
    #[must_use]
    pub fn collection(&self) -> Collection {
        Collection { cases: self.cases.len() as u32, tokens: self.tokens.len() as u64 }
    }

    /// How many cases carry a token.
    #[must_use]
    pub fn frequency(&self, token: Token) -> u32 {
        let number = self.numbers.get(&token).copied();
        number.and_then(|number| self.frequencies.get(number as usize)).copied().unwrap_or(0)
    }

    /// The best `wanted` cases.
    #[must_use]
    pub fn search(&self, query: &Query, filters: Filters, wanted: usize) -> Vec<Found> {
        let table = self.table(query);
        let factors: Vec<u32> = (0..=FINGERPRINT_MAX as u8)
            .map(|length| self.collection().length_factor(query.breadth(), length))
            .collect();
        let mut found = Vec::new();
        let mut start = 0;
        for ((ordinal, handle, hospital), end) in self.cases.iter().zip(&self.ends) {
            let tokens = self.tokens.get(start..*end).unwrap_or_default();
            start = *end;
            let (shared, sum) = table.add_up(tokens);
            if shared < filters.shared_min || (shared, sum) == (0, 0) || filters.exclude == Some(*hospital) {
                continue;
            }
            let score = score::score(sum, factors.get(tokens.len()).copied().unwrap_or(0));
            found.push(Found { ordinal: *ordinal, handle: *handle, hospital: *hospital, score, shared });
        }
        let order = |one: &Found, other: &Found| score::order((one.score, one.ordinal), (other.score, other.ordinal));
        if found.len() > wanted && wanted > 0 {
            found.select_nth_unstable_by(wanted - 1, order);
        }
        found.truncate(wanted);
        found.sort_unstable_by(order);
        found
    }

    fn table(&self, query: &Query) -> Table {
        let mut table = Table { starts: vec![0; self.frequencies.len()], uses: vec![Vec::new()] };
        for (group, symptom) in query.groups().iter().enumerate() {
            let own = std::iter::once((symptom.own, Weight::OWN));
            for (token, weight) in own.chain(symptom.relatives.iter().map(|token| (*token, Weight::RELATIVE))) {
                let Some(number) = self.numbers.get(&token) else { continue };
                let gain = score::gain(self.collection().idf(self.frequency(token)), weight);
                let Some(start) = table.starts.get_mut(*number as usize) else { continue };
                if *start == 0 {
                    *start = table.uses.len();
                    table.uses.push(Vec::new());
                }
                if let Some(uses) = table.uses.get_mut(*start) {
                    uses.push((group, gain, weight == Weight::OWN));
                }
            }
        }
        table
    }
}

/// What each token adds to which groups; nothing for most of them.
struct Table {
    starts: Vec<usize>,
    uses: Vec<Vec<(usize, u32, bool)>>,
}

impl Table {
    fn add_up(&self, tokens: &[u32]) -> (u32, u32) {
        let mut best = [0; TERMS_MAX];
        let (mut shared, mut sum) = (0, 0);
        for number in tokens {
            let start = self.starts.get(*number as usize).copied().unwrap_or(0);
            if start == 0 {
                continue;
            }
            for (group, gain, own) in self.uses.get(start).into_iter().flatten() {
                shared += u32::from(*own);
                if let Some(best) = best.get_mut(*group)
                    && *gain > *best
                {
                    sum += gain - *best;
                    *best = *gain;
                }
            }
        }
        (shared, sum)
    }
}
