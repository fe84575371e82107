//! Why a case was found, as far as the asker may be told.

use std::collections::BTreeSet;

use semblance_core::limits::{EXPLAIN_CASES_MIN, EXPLAIN_HOSPITALS_MIN};
use semblance_core::query::{Group, Query, Weight};
use semblance_core::score::{Shown, gain};
use semblance_core::token::Token;

use crate::error::IndexError;
use crate::search::{Hit, View};

/// How many live cases carry a token, and of how many hospitals. Counting ends as soon as both suffice for an
/// explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Support {
    /// Cases counted.
    pub cases: u32,
    /// Different hospitals among them.
    pub hospitals: usize,
}

impl Support {
    /// Whether naming the token singles nobody out.
    #[must_use]
    pub const fn suffices(self) -> bool {
        self.cases >= EXPLAIN_CASES_MIN && self.hospitals >= EXPLAIN_HOSPITALS_MIN
    }
}

/// A symptom of the asker that a found case shares, itself or by a relative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupMatch {
    /// Which of the query's groups.
    pub group: u8,
    /// Own if the case carries the symptom's own token, relative otherwise.
    pub weight: Weight,
    /// What it adds to the shown score, at most the worth of the symptom.
    pub value: u32,
}

/// Why a case was found. Tokens too rare to be named are left out of everything but `rarer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The symptoms that may be named, in the query's order.
    pub groups: Vec<GroupMatch>,
    /// Whether the case also shares something that may not be named.
    pub rarer: bool,
    /// The score that may be shown.
    pub shown: Shown,
}

/// What may be said of one group: for each of its tokens, the own one first.
struct Worth {
    own_idf: u32,
    tokens: Vec<(Token, Weight, u32, bool)>,
}

impl View<'_> {
    /// Who carries a token, hospitals other than the excluded one only.
    ///
    /// # Errors
    /// The index files cannot be read.
    pub fn support(&self, token: Token, exclude: Option<u16>) -> Result<Support, IndexError> {
        let mut cases = 0;
        let mut hospitals = BTreeSet::new();
        for part in 0..self.state.parts() {
            let columns = self.state.columns(part);
            let Some(mut postings) = self.state.postings(part, token)? else { continue };
            let mut end = 0;
            while end < columns.len() {
                // Piece by piece, since most tokens suffice after a few cases.
                end = end.saturating_add(1 << 12).min(columns.len());
                postings.read_before(end, |carriers| {
                    for facts in carriers.iter().filter_map(|case| columns.live(*case)) {
                        if exclude != Some(facts.hospital()) {
                            cases += 1;
                            hospitals.insert(facts.hospital());
                        }
                    }
                });
                let support = Support { cases, hospitals: hospitals.len() };
                if support.suffices() {
                    return Ok(support);
                }
            }
        }
        Ok(Support { cases, hospitals: hospitals.len() })
    }

    /// Explains hits of this same view to a hospital. A token may be named if enough live cases of enough other
    /// hospitals carry it; a group counts if its own token may be named.
    ///
    /// # Errors
    /// The index files cannot be read.
    pub fn explain(&self, query: &Query, exclude: Option<u16>, hits: &[Hit]) -> Result<Vec<Explanation>, IndexError> {
        let mut worths = Vec::with_capacity(query.groups().len());
        for group in query.groups() {
            worths.push(self.worth(group, exclude)?);
        }
        hits.iter().map(|hit| self.explain_one(&worths, hit)).collect()
    }

    /// Which of the query's groups may be explained to a hospital, and the worth of each.
    ///
    /// # Errors
    /// The index files cannot be read.
    pub fn explainable(&self, query: &Query, exclude: Option<u16>) -> Result<Vec<(u8, u32)>, IndexError> {
        let mut worths = Vec::new();
        for (place, group) in (0..).zip(query.groups()) {
            if self.support(group.own, exclude)?.suffices() {
                worths.push((place, self.idf(group.own)));
            }
        }
        Ok(worths)
    }

    fn worth(&self, group: &Group, exclude: Option<u16>) -> Result<Worth, IndexError> {
        let own = std::iter::once((group.own, Weight::OWN));
        let relatives = group.relatives.iter().map(|token| (*token, Weight::RELATIVE));
        let mut tokens = Vec::new();
        for (token, weight) in own.chain(relatives) {
            let explainable = self.support(token, exclude)?.suffices();
            tokens.push((token, weight, gain(self.idf(token), weight), explainable));
        }
        Ok(Worth { own_idf: self.idf(group.own), tokens })
    }

    fn explain_one(&self, worths: &[Worth], hit: &Hit) -> Result<Explanation, IndexError> {
        let mut explanation = Explanation { groups: Vec::new(), rarer: false, shown: Shown::default() };
        for (group, worth) in (0..).zip(worths) {
            let counts = worth.tokens.first().is_some_and(|(_, _, _, explainable)| *explainable);
            let (mut weight, mut best) = (None, 0);
            for (token, of_token, gain, explainable) in &worth.tokens {
                if !self.carries(hit.place, *token)? {
                    continue;
                }
                if counts && *explainable {
                    weight = weight.max(Some(*of_token));
                    best = best.max(*gain);
                } else {
                    explanation.rarer = true;
                }
            }
            if counts {
                explanation.shown.count(worth.own_idf, best);
            }
            let value = best.min(worth.own_idf);
            explanation.groups.extend(weight.map(|weight| GroupMatch { group, weight, value }));
        }
        Ok(explanation)
    }
}
