//! Two hospitals, two releases of the HPO: an id that is current in one and gone from the other is resolved or
//! reported by name, never dropped. The older release, 2025-01-16 without annotations, is a file for this test alone.

use super::{Resolution, TermError, Vocabulary};
use crate::term::TermId;

fn older() -> Vocabulary {
    Vocabulary::decode(include_bytes!("../../data/hpo-2025-01-16.vocabulary")).unwrap()
}

fn id(text: &str) -> TermId {
    text.parse().unwrap()
}

/// How many ids are current, replaced, obsolete, unknown in a release.
fn fates(vocabulary: &Vocabulary, ids: impl Iterator<Item = TermId>) -> [usize; 4] {
    let mut fates = [0; 4];
    for term in ids {
        match vocabulary.resolve(term) {
            Resolution::Current(same) => {
                assert_eq!(same, term);
                fates[0] += 1;
            }
            Resolution::Replaced { by } => {
                assert!(vocabulary.contains(by) && !vocabulary.contains(term));
                fates[1] += 1;
            }
            Resolution::Obsolete { consider } => {
                assert!(consider.iter().all(|other| vocabulary.contains(*other)));
                fates[2] += 1;
            }
            Resolution::Unknown => fates[3] += 1,
        }
    }
    fates
}

#[test]
fn every_older_id_is_accounted_for_in_the_newer_release() {
    let (older, newer) = (older(), Vocabulary::built_in());
    assert_eq!((older.release(), newer.release()), ("2025-01-16", "2026-02-16"));
    assert_ne!(older.digest(), newer.digest());
    assert_eq!(fates(&newer, older.terms()), [18_930, 103, 1, 0]);
    assert_eq!(fates(&newer, older.former_ids()), [0, 3_809, 86, 0]);
}

#[test]
fn newer_ids_are_unknown_to_the_older_release_and_named() {
    let (older, newer) = (older(), Vocabulary::built_in());
    assert_eq!(fates(&older, newer.terms()), [18_930, 0, 0, 459]);
    let text = older.symptom(id("HP:0020002")).unwrap_err().to_string();
    assert_eq!(text, "HP:0020002 is not in HPO release 2025-01-16; check the digits, or use a newer vocabulary");
}

#[test]
fn a_term_merged_since_is_replaced() {
    let (older, newer) = (older(), Vocabulary::built_in());
    let merged = id("HP:0002275");
    assert_eq!(older.label(merged), Some("Poor motor coordination"));
    assert_eq!(newer.label(merged), None);
    assert_eq!(newer.symptom(merged), Ok(id("HP:0002311")));
    assert_eq!(older.symptom(id("HP:0002311")), Ok(id("HP:0002311")), "the replacement is known to both");
}

#[test]
fn a_term_retired_since_is_reported() {
    let (older, newer) = (older(), Vocabulary::built_in());
    let retired = id("HP:0025237");
    assert_eq!(older.symptom(retired), Ok(retired));
    let error = newer.symptom(retired).unwrap_err();
    assert!(matches!(&error, TermError::Obsolete { term, .. } if *term == retired));
    assert_eq!(error.to_string(), "HP:0025237 is obsolete in HPO release 2026-02-16 and has no single replacement");
}

/// Both sides agree on a symptom whenever both accept it, or the newer one moves it.
#[test]
fn the_newer_release_normalises_what_the_older_one_accepts() {
    let (older, newer) = (older(), Vocabulary::built_in());
    for term in older.terms().filter(|term| older.is_phenotypic_abnormality(*term)) {
        match newer.symptom(term) {
            Ok(now) => assert!(newer.is_phenotypic_abnormality(now)),
            Err(error) => assert!(error.to_string().starts_with(&term.to_string())),
        }
    }
}
