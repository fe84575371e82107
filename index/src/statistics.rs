//! Counts over the live cases. Tantivy's own document frequencies still count deletions, so they are never used.

use std::collections::{BTreeMap, HashMap};

use semblance_core::score::Collection;
use semblance_core::token::Token;

/// How many live cases there are, of whom, and how many carry each token.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Statistics {
    collection: Collection,
    hospitals: BTreeMap<u16, u32>,
    frequencies: HashMap<Token, u32>,
}

impl Statistics {
    pub(crate) const fn collection(&self) -> Collection {
        self.collection
    }

    /// How many hospitals have live cases.
    pub(crate) fn hospitals(&self) -> usize {
        self.hospitals.len()
    }

    /// How many live cases other hospitals than this one have, and how many such hospitals there are.
    pub(crate) fn of_others(&self, hospital: u16) -> (u32, usize) {
        let own = self.hospitals.get(&hospital);
        let cases = self.collection.cases.saturating_sub(own.copied().unwrap_or(0));
        (cases, self.hospitals.len() - usize::from(own.is_some()))
    }

    /// How many live cases carry a token.
    pub(crate) fn frequency(&self, token: Token) -> u32 {
        self.frequencies.get(&token).copied().unwrap_or(0)
    }

    pub(crate) fn add_case(&mut self, hospital: u16, length: u8) {
        self.collection.cases += 1;
        self.collection.tokens += u64::from(length);
        *self.hospitals.entry(hospital).or_default() += 1;
    }

    pub(crate) fn remove_case(&mut self, hospital: u16, length: u8) {
        self.collection.cases = self.collection.cases.saturating_sub(1);
        self.collection.tokens = self.collection.tokens.saturating_sub(u64::from(length));
        if let Some(count) = self.hospitals.get_mut(&hospital) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.hospitals.remove(&hospital);
            }
        }
    }

    pub(crate) fn add_token(&mut self, token: Token, cases: u32) {
        if cases > 0 {
            *self.frequencies.entry(token).or_default() += cases;
        }
    }

    pub(crate) fn remove_token(&mut self, token: Token, cases: u32) {
        if let Some(count) = self.frequencies.get_mut(&token) {
            *count = count.saturating_sub(cases);
            if *count == 0 {
                self.frequencies.remove(&token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_leaves_no_trace() {
        let mut statistics = Statistics::default();
        statistics.add_case(3, 8);
        statistics.add_token(Token(1), 1);
        assert_eq!((statistics.hospitals(), statistics.frequency(Token(1))), (1, 1));
        assert_eq!((statistics.of_others(3), statistics.of_others(4)), ((0, 0), (1, 1)));
        statistics.remove_case(3, 8);
        statistics.remove_token(Token(1), 1);
        assert_eq!(statistics, Statistics::default());
    }
}
