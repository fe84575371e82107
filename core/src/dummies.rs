//! Dummies: terms that a case does not have, drawn by public annotation frequency from the case's own secret.
//!
//! They are real terms of other patients, because random non-terms would be filtered out at once. They are fixed once
//! for each case: the same secret gives the same stream for ever, so that neither a new epoch nor a correction draws
//! new ones and sets two publications apart. Whole numbers only: every machine draws alike.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::limits::{DUMMIES_MIN, DUMMY_TERMS, FINGERPRINT_STEP};
use crate::observed::is_symptom;
use crate::random::RandomSource;
use crate::term::TermId;
use crate::vocabulary::Vocabulary;

/// Draws after which a table is taken to be exhausted; with the real one a few dozen are enough.
const DRAWS_MAX: usize = 1 << 20;

/// What a case's dummies are derived from: 32 random bytes, drawn once for a case, that never leave the hospital.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CaseSecret([u8; 32]);

impl CaseSecret {
    /// Draws a new one.
    #[must_use]
    pub fn random(source: &dyn RandomSource) -> Self {
        Self(source.array())
    }

    /// Takes one that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the hospital's store.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CaseSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CaseSecret(..)")
    }
}

/// The table holds too few terms to draw from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the vocabulary has too few annotated terms to draw {wanted} dummies: was it built without phenotype.hpoa?")]
pub struct DummyError {
    /// How many were to be drawn.
    pub wanted: usize,
}

/// Public annotation frequencies, as a cumulative table in ascending order of term.
#[derive(Clone)]
pub struct Frequencies {
    terms: Vec<TermId>,
    /// Annotations of the terms up to and including this one.
    cumulative: Vec<u64>,
}

impl Frequencies {
    /// The annotation counts of a vocabulary's commonest symptoms, [`DUMMY_TERMS`] of them; of equally annotated ones
    /// those with the lower ids.
    ///
    /// Patients' symptoms are concentrated on common ones far more than the list of all annotations, so that a dummy
    /// from its long tail would stand out, and would match rare symptoms by chance.
    #[must_use]
    pub fn of(vocabulary: &Vocabulary) -> Self {
        let symptoms = vocabulary.terms().filter(|term| is_symptom(vocabulary, *term));
        let mut counts: Vec<(TermId, u32)> = symptoms.map(|term| (term, vocabulary.annotation_count(term))).collect();
        counts.sort_unstable_by_key(|(term, count)| (Reverse(*count), *term));
        counts.truncate(DUMMY_TERMS);
        Self::from_counts(counts)
    }

    /// From counts of distinct terms in any order; a term that was never annotated is never drawn.
    #[must_use]
    pub fn from_counts(counts: impl IntoIterator<Item = (TermId, u32)>) -> Self {
        let counts: std::collections::BTreeMap<TermId, u32> =
            counts.into_iter().filter(|(_, count)| *count > 0).collect();
        let mut total = 0;
        let mut add = |count: u32| {
            total += u64::from(count);
            total
        };
        let (terms, cumulative) = counts.into_iter().map(|(term, count)| (term, add(count))).unzip();
        Self { terms, cumulative }
    }

    /// All annotations together.
    fn total(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// The term in whose share of the table a number below the total falls.
    fn at(&self, number: u64) -> Option<TermId> {
        self.terms.get(self.cumulative.partition_point(|end| *end <= number)).copied()
    }
}

/// Which stream of a case's secret is drawn from; each has a purpose of its own.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// Padding of the fingerprint: BLAKE3 XOF keyed with the secret over `semblance/dummy/v1`.
    Padding,
    /// Filling the wide group of a term that has too few relatives: over `semblance/relative/v1` and the HPO id.
    Relatives(TermId),
}

/// Draws `wanted` different terms that are not among `excluded`, each by its share of all annotations.
///
/// The stream is read eight bytes at a time, big-endian. A number at or above the largest multiple of the table's total
/// is skipped (so that no term is favoured), otherwise its remainder picks the term; excluded terms and terms already
/// drawn are skipped too. The order is that of drawing, so that more terms from one stream begin with the same ones.
///
/// # Errors
/// The table holds fewer terms than wanted.
pub fn draw(
    frequencies: &Frequencies,
    secret: &CaseSecret,
    purpose: Purpose,
    excluded: &BTreeSet<TermId>,
    wanted: usize,
) -> Result<Vec<TermId>, DummyError> {
    let mut stream = stream(secret, purpose);
    let total = frequencies.total();
    let mut drawn: Vec<TermId> = Vec::with_capacity(wanted);
    if wanted == 0 {
        return Ok(drawn);
    }
    // How many of the 2^64 numbers lie above the largest multiple of the total.
    let surplus = (u64::MAX % total.max(1) + 1) % total.max(1);
    for _ in 0..DRAWS_MAX {
        let mut bytes = [0; 8];
        stream.fill(&mut bytes);
        let number = u64::from_be_bytes(bytes);
        if total == 0 || number > u64::MAX - surplus {
            continue;
        }
        let Some(term) = frequencies.at(number % total) else { continue };
        if excluded.contains(&term) || drawn.contains(&term) {
            continue;
        }
        drawn.push(term);
        if drawn.len() == wanted {
            return Ok(drawn);
        }
    }
    Err(DummyError { wanted })
}

fn stream(secret: &CaseSecret, purpose: Purpose) -> blake3::OutputReader {
    let mut hasher = blake3::Hasher::new_keyed(&secret.0);
    match purpose {
        Purpose::Padding => hasher.update(b"semblance/dummy/v1"),
        Purpose::Relatives(term) => hasher.update(b"semblance/relative/v1").update(term.to_string().as_bytes()),
    };
    hasher.finalize_xof()
}

/// How many dummies a number of observed terms gets: at least two, up to the next multiple of eight.
#[must_use]
pub const fn dummies_for(observed: usize) -> usize {
    (observed + DUMMIES_MIN).next_multiple_of(FINGERPRINT_STEP) - observed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{FINGERPRINT_MAX, TERMS_MAX, TERMS_MIN};

    fn term(number: u32) -> TermId {
        TermId::new(number).unwrap()
    }

    fn table(counts: &[u32]) -> Frequencies {
        Frequencies::from_counts(counts.iter().zip(1..).map(|(count, number)| (term(number), *count)))
    }

    #[test]
    fn every_size_is_a_multiple_of_eight_with_two_dummies() {
        for observed in TERMS_MIN..=TERMS_MAX {
            let dummies = dummies_for(observed);
            assert!((2..10).contains(&dummies) && (observed + dummies).is_multiple_of(8), "{observed}");
            assert!(observed + dummies <= FINGERPRINT_MAX);
        }
        assert_eq!([dummies_for(3), dummies_for(6), dummies_for(7), dummies_for(32)], [5, 2, 9, 8]);
    }

    #[test]
    fn terms_are_drawn_by_their_share() {
        let frequencies = table(&[1, 0, 3, 6]);
        let mut counts = [0_u32; 5];
        for number in 0..4000_u32 {
            let mut secret = [0; 32];
            secret[..4].copy_from_slice(&number.to_be_bytes());
            let secret = CaseSecret::from_bytes(secret);
            let drawn = draw(&frequencies, &secret, Purpose::Padding, &BTreeSet::new(), 1).unwrap();
            counts[drawn[0].number() as usize] += 1;
        }
        // Expected 400, 0, 1200, 2400; four standard deviations are 76, 0, 116 and 124.
        assert_eq!(counts[2], 0);
        for (number, expected, tolerance) in [(1, 400, 76), (3, 1200, 116), (4, 2400, 124)] {
            assert!(counts[number].abs_diff(expected) <= tolerance, "{counts:?}");
        }
    }

    #[test]
    fn dummies_are_common_symptoms() {
        let vocabulary = Vocabulary::built_in();
        let frequencies = Frequencies::of(&vocabulary);
        assert_eq!(frequencies.terms.len(), DUMMY_TERMS);
        let rarest = frequencies.terms.iter().map(|term| vocabulary.annotation_count(*term)).min().unwrap();
        let left_out = |term: &TermId| is_symptom(&vocabulary, *term) && !frequencies.terms.contains(term);
        assert!(vocabulary.terms().filter(left_out).all(|term| vocabulary.annotation_count(term) <= rarest));
    }

    #[test]
    fn longer_draws_begin_like_shorter_ones_and_skip_what_is_excluded() {
        let (frequencies, secret) = (table(&[5; 40]), CaseSecret::from_bytes([3; 32]));
        let draw = |excluded: &BTreeSet<TermId>, wanted| {
            draw(&frequencies, &secret, Purpose::Padding, excluded, wanted).unwrap()
        };
        let (short, long) = (draw(&BTreeSet::new(), 3), draw(&BTreeSet::new(), 9));
        assert_eq!(short, long[..3]);
        let without_first = draw(&BTreeSet::from([long[0]]), 8);
        assert_eq!(without_first, long[1..]);
    }

    #[test]
    fn purposes_have_streams_of_their_own() {
        let (frequencies, secret) = (table(&[5; 1000]), CaseSecret::from_bytes([3; 32]));
        let purposes = [Purpose::Padding, Purpose::Relatives(term(1)), Purpose::Relatives(term(2))];
        let drawn = purposes.map(|purpose| draw(&frequencies, &secret, purpose, &BTreeSet::new(), 4).unwrap());
        assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2]);
    }

    #[test]
    fn a_table_too_small_is_an_error() {
        let secret = CaseSecret::from_bytes([3; 32]);
        for frequencies in [table(&[]), table(&[1, 1])] {
            let error = draw(&frequencies, &secret, Purpose::Padding, &BTreeSet::new(), 3);
            assert_eq!(error, Err(DummyError { wanted: 3 }));
        }
    }
}
