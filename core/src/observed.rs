//! The symptoms of a case that enter its fingerprint and its queries.

use std::collections::BTreeSet;

use crate::limits::{TERMS_MAX, TERMS_MIN};
use crate::policy::Reach;
use crate::term::TermId;
use crate::vocabulary::Vocabulary;

/// Most ids taken from one case; the richest published ones have about 150.
pub const OBSERVED_INPUT_MAX: usize = 1000;

/// Why a case's terms cannot be used. Positions count from 0; terms are not named, so that the text may be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObservedError {
    /// An id that this vocabulary cannot resolve to one term.
    #[error("the observed term at position {position} is unknown or obsolete without a replacement in this vocabulary")]
    Unknown {
        /// Where it stands in the list given.
        position: usize,
    },
    /// A term that is no symptom: an onset, a mode of inheritance, or *Phenotypic abnormality* itself.
    #[error("the observed term at position {position} does not descend from HP:0000118 (phenotypic abnormality)")]
    NoSymptom {
        /// Where it stands in the list given.
        position: usize,
    },
    /// Too few different symptoms.
    #[error("a case needs at least {TERMS_MIN} different observed terms, this one has {found}")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// More ids than any case has.
    #[error("a case lists at most {OBSERVED_INPUT_MAX} observed terms, this one lists {found}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

/// Between 3 and 32 different symptoms of one vocabulary, ascending by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTerms {
    terms: Vec<TermId>,
}

impl ObservedTerms {
    /// Normalises a case's observed terms: merged and replaced ids become current ones, each term stands once, and of
    /// more than 32 those of highest information content stay (those of fewest diseases; of equal ones the lower id).
    ///
    /// # Errors
    /// An id that is no symptom of this vocabulary, or fewer than three different ones.
    pub fn new(vocabulary: &Vocabulary, ids: &[TermId]) -> Result<Self, ObservedError> {
        if ids.len() > OBSERVED_INPUT_MAX {
            return Err(ObservedError::TooMany { found: ids.len() });
        }
        let mut distinct = BTreeSet::new();
        for (position, id) in ids.iter().enumerate() {
            distinct.insert(symptom(vocabulary, *id, position)?);
        }
        if distinct.len() < TERMS_MIN {
            return Err(ObservedError::TooFew { found: distinct.len() });
        }
        let mut terms: Vec<TermId> = distinct.into_iter().collect();
        if terms.len() > TERMS_MAX {
            // Information content falls as the number of diseases grows; whole numbers need no rounding rule.
            terms.sort_by_key(|term| (vocabulary.disease_count(*term).max(1), *term));
            terms.truncate(TERMS_MAX);
            terms.sort_unstable();
        }
        Ok(Self { terms })
    }

    /// The terms, ascending by id.
    #[must_use]
    pub fn terms(&self) -> &[TermId] {
        &self.terms
    }

    /// What their number allows.
    #[must_use]
    pub fn reach(&self) -> Reach {
        Reach::of(self.terms.len())
    }
}

fn symptom(vocabulary: &Vocabulary, id: TermId, position: usize) -> Result<TermId, ObservedError> {
    use crate::vocabulary::Resolution;
    let term = match vocabulary.resolve(id) {
        Resolution::Current(term) | Resolution::Replaced { by: term } => term,
        Resolution::Obsolete { .. } | Resolution::Unknown => return Err(ObservedError::Unknown { position }),
    };
    if !is_symptom(vocabulary, term) {
        return Err(ObservedError::NoSymptom { position });
    }
    Ok(term)
}

/// Whether a term says something about a patient: strictly below *Phenotypic abnormality*, which everyone listed has.
pub(crate) fn is_symptom(vocabulary: &Vocabulary, term: TermId) -> bool {
    term != TermId::PHENOTYPIC_ABNORMALITY && vocabulary.is_phenotypic_abnormality(term)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> TermId {
        text.parse().unwrap()
    }

    fn observed(ids: &[&str]) -> Result<ObservedTerms, ObservedError> {
        let ids: Vec<TermId> = ids.iter().map(|text| id(text)).collect();
        ObservedTerms::new(&Vocabulary::built_in(), &ids)
    }

    #[test]
    fn terms_are_sorted_and_stand_once() {
        let terms = observed(&["HP:0001263", "HP:0001250", "HP:0001250", "HP:0000252"]).unwrap();
        assert_eq!(terms.terms(), [id("HP:0000252"), id("HP:0001250"), id("HP:0001263")]);
        assert_eq!(terms.reach(), Reach::Short);
    }

    #[test]
    fn merged_ids_become_current_ones() {
        let vocabulary = Vocabulary::built_in();
        let merged = vocabulary.former_ids().find_map(|former| match vocabulary.resolve(former) {
            crate::vocabulary::Resolution::Replaced { by } if is_symptom(&vocabulary, by) => Some((former, by)),
            _ => None,
        });
        let (former, current) = merged.unwrap();
        let ids = [id("HP:0001250"), id("HP:0000252"), id("HP:0001263"), former, current];
        let terms = ObservedTerms::new(&vocabulary, &ids).unwrap();
        assert!(terms.terms().contains(&current) && !terms.terms().contains(&former));
        assert!(terms.terms().len() <= 4);
    }

    #[test]
    fn what_is_no_symptom_is_refused_by_position() {
        let good = ["HP:0001250", "HP:0000252", "HP:0001263"];
        let with = |last: &'static str| observed(&[good[0], good[1], good[2], last]);
        assert_eq!(with("HP:9999999"), Err(ObservedError::Unknown { position: 3 }));
        // Autosomal recessive inheritance, and the root of all symptoms.
        for last in ["HP:0000007", "HP:0000118"] {
            assert_eq!(with(last), Err(ObservedError::NoSymptom { position: 3 }));
        }
        assert_eq!(observed(&[good[0], good[1], good[0]]), Err(ObservedError::TooFew { found: 2 }));
        let error = ObservedTerms::new(&Vocabulary::built_in(), &[id(good[0]); 1001]);
        assert_eq!(error, Err(ObservedError::TooMany { found: 1001 }));
    }

    #[test]
    fn of_many_terms_the_most_telling_stay() {
        let vocabulary = Vocabulary::built_in();
        let symptoms = vocabulary.terms().filter(|term| is_symptom(&vocabulary, *term));
        let many: Vec<TermId> = symptoms.step_by(150).take(60).collect();
        let kept = ObservedTerms::new(&vocabulary, &many).unwrap();
        assert_eq!(kept.terms().len(), TERMS_MAX);
        let content = |term: &TermId| vocabulary.information_content(*term);
        let least_kept = kept.terms().iter().map(content).fold(f64::INFINITY, f64::min);
        let dropped = many.iter().filter(|term| !kept.terms().contains(term));
        assert!(dropped.map(content).all(|content| content <= least_kept));
    }
}
