//! How a case becomes a query, in two steps: which terms need seeds, then groups of tokens from the seeds.

use std::collections::BTreeSet;

use crate::dummies::{CaseSecret, DummyError, Frequencies};
use crate::observed::ObservedTerms;
use crate::policy::Reach;
use crate::query::relatives::relatives;
use crate::query::{Breadth, Group, Query, QueryError};
use crate::term::TermId;
use crate::token::{EpochNumber, Seed, SeedCount, Token};
use crate::vocabulary::Vocabulary;

/// Why a case cannot be asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too few terms for a wide query.
    #[error("a case with 3 or 4 terms can only be looked up close, not wide")]
    TooFewForWide,
    /// The vocabulary's annotations cannot fill the groups.
    #[error(transparent)]
    Dummies(#[from] DummyError),
}

/// Why seeds give no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Not one seed for each term.
    #[error(transparent)]
    Seeds(#[from] SeedCount),
    /// The groups are no query: a wrong `k`, or two terms with one token.
    #[error(transparent)]
    Groups(#[from] QueryError),
}

/// The terms of one query, by group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryPlan {
    breadth: Breadth,
    /// A case's own term and its relatives, ascending by own term.
    groups: Vec<(TermId, Vec<TermId>)>,
    /// All terms of all groups, ascending, each once.
    terms: Vec<TermId>,
}

impl QueryPlan {
    /// Plans a close query: the case's own terms, without dummies.
    #[must_use]
    pub fn close(observed: &ObservedTerms) -> Self {
        let groups = observed.terms().iter().map(|term| (*term, Vec::new())).collect();
        Self::of_groups(Breadth::Close, groups)
    }

    /// Plans a wide query: each own term with seven relatives, the same ones for ever for one case and vocabulary.
    ///
    /// # Errors
    /// Fewer than five terms, or a vocabulary with too few annotations.
    pub fn wide(
        observed: &ObservedTerms,
        vocabulary: &Vocabulary,
        secret: &CaseSecret,
        frequencies: &Frequencies,
    ) -> Result<Self, PlanError> {
        if observed.reach() != Reach::Full {
            return Err(PlanError::TooFewForWide);
        }
        let own: BTreeSet<TermId> = observed.terms().iter().copied().collect();
        let mut groups = Vec::with_capacity(own.len());
        for term in &own {
            groups.push((*term, relatives(vocabulary, *term, &own, secret, frequencies)?));
        }
        Ok(Self::of_groups(Breadth::Wide, groups))
    }

    fn of_groups(breadth: Breadth, groups: Vec<(TermId, Vec<TermId>)>) -> Self {
        let all = groups.iter().flat_map(|(own, relatives)| std::iter::once(own).chain(relatives));
        let terms: BTreeSet<TermId> = all.copied().collect();
        Self { breadth, groups, terms: terms.into_iter().collect() }
    }

    /// The terms whose seeds are needed, ascending, each once.
    #[must_use]
    pub fn terms(&self) -> &[TermId] {
        &self.terms
    }

    /// Each own term with its relatives, ascending by own term.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (TermId, &[TermId])> {
        self.groups.iter().map(|(own, relatives)| (*own, relatives.as_slice()))
    }

    /// The query for at most `k` cases, from one seed for each of [`QueryPlan::terms`] in the same order.
    ///
    /// # Errors
    /// Another number of seeds, two seeds with one token, or a `k` outside 1 to 10.
    pub fn build(&self, epoch: EpochNumber, seeds: &[Seed], k: u8) -> Result<Query, BuildError> {
        let groups = self.token_groups(seeds)?.into_iter().map(|(_, group)| group).collect();
        Ok(Query::new(epoch, self.breadth, groups, k)?)
    }

    /// The own term of each group of the built query, in the query's order: what an answer's group indexes mean.
    ///
    /// # Errors
    /// Another number of seeds.
    pub fn own_terms(&self, seeds: &[Seed]) -> Result<Vec<TermId>, SeedCount> {
        let mut groups = self.token_groups(seeds)?;
        groups.sort_unstable_by_key(|(_, group)| group.own);
        Ok(groups.into_iter().map(|(term, _)| term).collect())
    }

    fn token_groups(&self, seeds: &[Seed]) -> Result<Vec<(TermId, Group)>, SeedCount> {
        SeedCount::check(self.terms.len(), seeds)?;
        let token = |term: &TermId| -> Option<Token> {
            let position = self.terms.binary_search(term).ok()?;
            seeds.get(position).map(Seed::token)
        };
        let group = |(own, relatives): &(TermId, Vec<TermId>)| {
            let group = Group { own: token(own)?, relatives: relatives.iter().filter_map(token).collect() };
            Some((*own, group))
        };
        Ok(self.groups.iter().filter_map(group).collect())
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
