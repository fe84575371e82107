//! How a case becomes a fingerprint, in two steps: which terms need seeds, then tokens from the seeds.

use std::collections::BTreeSet;

use crate::dummies::{CaseSecret, DummyError, Frequencies, Purpose, draw, dummies_for};
use crate::fingerprint::{Fingerprint, FingerprintError};
use crate::observed::ObservedTerms;
use crate::term::TermId;
use crate::token::{Seed, SeedCount, Token};

/// Why seeds give no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Not one seed for each term.
    #[error(transparent)]
    Seeds(#[from] SeedCount),
    /// Two terms have one token, which happens to one case in 10^17.
    #[error(transparent)]
    Tokens(#[from] FingerprintError),
}

/// The terms of one fingerprint, the case's own and its dummies, in one ascending list that does not tell them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FingerprintPlan {
    terms: Vec<TermId>,
}

impl FingerprintPlan {
    /// Adds a case's dummies to its observed terms.
    ///
    /// A dummy is never one of the case's own terms; it may be kin to one. Real cases list kin as well, and leaving
    /// kin out of the dummies makes them no harder to tell from real terms (measured by the bench `leakage`).
    ///
    /// # Errors
    /// The frequencies hold too few terms.
    pub fn new(observed: &ObservedTerms, secret: &CaseSecret, frequencies: &Frequencies) -> Result<Self, DummyError> {
        let own: BTreeSet<TermId> = observed.terms().iter().copied().collect();
        let dummies = draw(frequencies, secret, Purpose::Padding, &own, dummies_for(own.len()))?;
        let mut terms: Vec<TermId> = own.into_iter().chain(dummies).collect();
        terms.sort_unstable();
        Ok(Self { terms })
    }

    /// The terms whose seeds are needed, ascending.
    #[must_use]
    pub fn terms(&self) -> &[TermId] {
        &self.terms
    }

    /// The fingerprint, from one seed for each of [`FingerprintPlan::terms`] in the same order.
    ///
    /// # Errors
    /// Another number of seeds, or two seeds with one token.
    pub fn build(&self, seeds: &[Seed]) -> Result<Fingerprint, BuildError> {
        SeedCount::check(self.terms.len(), seeds)?;
        let tokens: Vec<Token> = seeds.iter().map(Seed::token).collect();
        Ok(Fingerprint::new(tokens)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Vocabulary;

    fn observed(count: usize) -> ObservedTerms {
        let vocabulary = Vocabulary::built_in();
        let below =
            |term: &TermId| *term != TermId::PHENOTYPIC_ABNORMALITY && vocabulary.is_phenotypic_abnormality(*term);
        let ids: Vec<TermId> = vocabulary.terms().filter(below).step_by(50).take(count).collect();
        ObservedTerms::new(&vocabulary, &ids).unwrap()
    }

    fn plan(observed: &ObservedTerms, secret: u8) -> FingerprintPlan {
        let frequencies = Frequencies::of(&Vocabulary::built_in());
        FingerprintPlan::new(observed, &CaseSecret::from_bytes([secret; 32]), &frequencies).unwrap()
    }

    #[test]
    fn own_terms_are_padded_with_others() {
        for count in [3, 6, 7, 14, 30, 31, 32] {
            let observed = observed(count);
            let plan = plan(&observed, 1);
            assert_eq!(plan.terms().len(), (count + 2).next_multiple_of(8));
            assert!(plan.terms().is_sorted_by(|one, next| one < next));
            assert!(observed.terms().iter().all(|own| plan.terms().contains(own)));
        }
    }

    #[test]
    fn dummies_are_fixed_for_a_case_and_outlive_a_correction() {
        let (before, after) = (observed(10), observed(11));
        assert_eq!(plan(&before, 1), plan(&before, 1));
        assert_ne!(plan(&before, 1), plan(&before, 2));
        let dummies = |observed: &ObservedTerms| -> BTreeSet<TermId> {
            plan(observed, 1).terms().iter().copied().filter(|term| !observed.terms().contains(term)).collect()
        };
        assert!(dummies(&after).is_subset(&dummies(&before)));
    }

    #[test]
    fn seeds_must_fit() {
        let plan = plan(&observed(5), 1);
        let seeds: Vec<Seed> = (0..8).map(|byte| Seed::from_bytes([byte; 32])).collect();
        assert_eq!(plan.build(&seeds).unwrap().tokens().len(), 8);
        assert_eq!(plan.build(&seeds[1..]), Err(BuildError::Seeds(SeedCount { expected: 8, found: 7 })));
        let twice = vec![Seed::from_bytes([1; 32]); 8];
        assert_eq!(plan.build(&twice), Err(BuildError::Tokens(FingerprintError::Order)));
    }
}
