//! What the vocabulary says of an id, in the words of an import.

use semblance_core::term::TermId;
use semblance_core::vocabulary::{Resolution, Vocabulary};
use semblance_hospital::import::Known;

/// Looks an id up.
pub(crate) fn known(vocabulary: &Vocabulary, term: TermId) -> Known {
    let symptom = |term| vocabulary.is_phenotypic_abnormality(term);
    match vocabulary.resolve(term) {
        Resolution::Current(term) if symptom(term) => Known::Symptom,
        Resolution::Replaced { by } if symptom(by) => Known::Replaced(by),
        Resolution::Current(_) | Resolution::Replaced { .. } => Known::NoSymptom,
        Resolution::Obsolete { .. } => Known::Retired,
        Resolution::Unknown => Known::Unknown,
    }
}
