//! Patients who never lived, drawn from the frequencies of disease annotations: for demonstrations and tests.
//!
//! Whatever shows them says that they are synthetic. Several patients share a disease, so that there is something to
//! find; like real ones they show a part of their disease's symptoms, sometimes named less precisely, sometimes with
//! one that has nothing to do with it.

use std::collections::BTreeSet;

use crate::limits::TERMS_MIN;
use crate::random::RandomSource;
use crate::term::TermId;
use crate::vocabulary::{Disease, Vocabulary};

/// Symptoms that a disease must list to be drawn.
const DISEASE_TERMS_MIN: usize = 8;
/// Symptoms that are noted of one patient: between these, both drawn.
const NOTED: (u64, u64) = (5, 16);
/// How many of a thousand symptoms are noted as their parent.
const IMPRECISE_PER_MILLE: u64 = 100;
/// How many of a thousand patients have a symptom of another origin.
const UNRELATED_PER_MILLE: u64 = 250;
/// How many of a thousand symptoms that a patient does not have are noted as excluded.
const EXCLUDED_PER_MILLE: u64 = 100;
/// Parents nearer to the root than this, counted in ancestors, are never noted: nobody writes "abnormality of the eye".
const PARENT_ANCESTORS_MIN: usize = 5;

/// A patient who never lived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticPatient {
    /// The disease, as in `OMIM:154700`.
    pub disease: String,
    /// Symptoms, at least three, ascending; none is an ancestor of another unless only so three are reached.
    pub observed: Vec<TermId>,
    /// Symptoms looked for and not found, ascending.
    pub excluded: Vec<TermId>,
}

/// Draws patients of a number of diseases, in turn, so that every disease has nearly as many. The same vocabulary and
/// randomness draw the same patients. Empty if the vocabulary has no annotated diseases.
#[must_use]
pub fn patients(
    vocabulary: &Vocabulary,
    count: usize,
    diseases: usize,
    source: &dyn RandomSource,
) -> Vec<SyntheticPatient> {
    let mut pool: Vec<&Disease> = vocabulary.diseases().iter().filter(|disease| is_told_well(disease)).collect();
    shuffle(&mut pool, source);
    pool.truncate(diseases.max(1));
    let all: Vec<TermId> = pool.iter().flat_map(|disease| disease.terms()).map(|row| row.term()).collect();
    pool.iter().cycle().take(count).map(|disease| patient(vocabulary, disease, &all, source)).collect()
}

/// Whether enough symptoms are known, and of most of them how often they occur.
fn is_told_well(disease: &Disease) -> bool {
    let stated = disease.terms().iter().filter(|row| row.is_stated()).count();
    disease.terms().len() >= DISEASE_TERMS_MIN && stated * 2 > disease.terms().len()
}

fn patient(vocabulary: &Vocabulary, disease: &Disease, all: &[TermId], source: &dyn RandomSource) -> SyntheticPatient {
    let (mut shown, mut spared) = (Vec::new(), Vec::new());
    for row in disease.terms() {
        let list = if chance(u64::from(row.per_mille()), source) { &mut shown } else { &mut spared };
        list.push((row.per_mille(), row.term()));
    }
    shuffle(&mut shown, source);
    shown.truncate(usize::try_from(NOTED.0 + below(NOTED.1 - NOTED.0 + 1, source)).unwrap_or(TERMS_MIN));
    // A patient without symptoms would not be in a hospital: the commonest ones come back.
    spared.sort_unstable();
    while shown.len() < TERMS_MIN
        && let Some(commonest) = spared.pop()
    {
        shown.push(commonest);
    }
    let exact: Vec<TermId> = shown.into_iter().map(|(_, term)| term).collect();
    let mut observed: BTreeSet<TermId> = exact.iter().map(|term| noted(vocabulary, *term, source)).collect();
    if chance(UNRELATED_PER_MILLE, source) {
        observed.extend(pick(all, source));
    }
    drop_implied(vocabulary, &mut observed);
    // Two symptoms may have become one parent.
    observed.extend(exact.into_iter().take(if observed.len() < TERMS_MIN { TERMS_MIN } else { 0 }));
    let denied = spared.into_iter().map(|(_, term)| term).filter(|_| chance(EXCLUDED_PER_MILLE, source));
    let mut excluded: BTreeSet<TermId> = denied.chain(disease.excluded().iter().copied()).collect();
    excluded.retain(|term| !observed.iter().any(|seen| vocabulary.ancestors(*seen).binary_search(term).is_ok()));
    SyntheticPatient {
        disease: disease.id().to_owned(),
        observed: observed.into_iter().collect(),
        excluded: excluded.into_iter().collect(),
    }
}

/// The symptom, or now and then its parent.
fn noted(vocabulary: &Vocabulary, term: TermId, source: &dyn RandomSource) -> TermId {
    if !chance(IMPRECISE_PER_MILLE, source) {
        return term;
    }
    let precise = |parent: &TermId| {
        vocabulary.is_phenotypic_abnormality(*parent) && vocabulary.ancestors(*parent).len() >= PARENT_ANCESTORS_MIN
    };
    let parents: Vec<TermId> = vocabulary.parents(term).iter().copied().filter(precise).collect();
    pick(&parents, source).unwrap_or(term)
}

fn drop_implied(vocabulary: &Vocabulary, observed: &mut BTreeSet<TermId>) {
    let implied =
        observed.iter().flat_map(|term| vocabulary.ancestors(*term).iter().filter(move |above| *above != term));
    let implied: BTreeSet<TermId> = implied.copied().collect();
    observed.retain(|term| !implied.contains(term));
}

fn pick(terms: &[TermId], source: &dyn RandomSource) -> Option<TermId> {
    terms.get(usize::try_from(below(terms.len() as u64, source)).ok()?).copied()
}

fn chance(per_mille: u64, source: &dyn RandomSource) -> bool {
    below(1000, source) < per_mille
}

/// A number below `limit`, 0 if there is none. The bias of a remainder of 64 bits is far below what a demo can show.
fn below(limit: u64, source: &dyn RandomSource) -> u64 {
    u64::from_le_bytes(source.array()).checked_rem(limit).unwrap_or(0)
}

fn shuffle<T>(items: &mut [T], source: &dyn RandomSource) {
    for last in (1..items.len()).rev() {
        let other = usize::try_from(below(last as u64 + 1, source)).unwrap_or(last);
        items.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededSource;

    fn draw(seed: u8) -> Vec<SyntheticPatient> {
        patients(&Vocabulary::built_in(), 300, 40, &SeededSource::new([seed; 32]))
    }

    #[test]
    fn the_same_randomness_draws_the_same_patients() {
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn every_patient_can_be_published() {
        let vocabulary = Vocabulary::built_in();
        let patients = draw(3);
        assert_eq!(patients.len(), 300);
        for patient in &patients {
            assert!((TERMS_MIN..=20).contains(&patient.observed.len()), "{}", patient.observed.len());
            assert!(patient.observed.is_sorted() && patient.excluded.is_sorted());
            assert!(patient.observed.iter().all(|term| vocabulary.symptom(*term) == Ok(*term)));
            assert!(patient.excluded.iter().all(|term| !patient.observed.contains(term)));
        }
        let mean = patients.iter().map(|patient| patient.observed.len()).sum::<usize>() / patients.len();
        assert!((5..=14).contains(&mean), "{mean}");
    }

    #[test]
    fn diseases_are_shared_and_patients_of_one_are_alike() {
        let patients = draw(4);
        let diseases: BTreeSet<&str> = patients.iter().map(|patient| patient.disease.as_str()).collect();
        assert_eq!(diseases.len(), 40);
        let shared = |left: &SyntheticPatient, right: &SyntheticPatient| {
            left.observed.iter().filter(|term| right.observed.contains(term)).count()
        };
        let (mut same, mut other) = (0, 0);
        for at in 40..patients.len() - 1 {
            same += shared(&patients[at], &patients[at - 40]);
            other += shared(&patients[at], &patients[at - 39]);
        }
        assert!(same > 4 * other, "{same} {other}");
    }

    #[test]
    fn parents_and_strangers_occur() {
        let vocabulary = Vocabulary::built_in();
        let listed = |patient: &SyntheticPatient| {
            let disease = vocabulary.disease(&patient.disease).unwrap();
            patient.observed.iter().all(|seen| disease.terms().iter().any(|row| row.term() == *seen))
        };
        let exact = draw(5).iter().filter(|patient| listed(patient)).count();
        assert!((30..270).contains(&exact), "{exact}");
    }
}
