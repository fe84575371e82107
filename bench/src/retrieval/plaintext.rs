//! The competitors that see plaintext: simGIC and Phenodigm over the ontology's ancestors.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;

use super::Ranking;
use crate::cases::Case;

/// Cases as sets of terms and of their ancestors.
pub(super) struct Corpus<'a> {
    vocabulary: &'a Vocabulary,
    cases: &'a [Case],
    /// Distinct terms of all cases, ascending.
    terms: Vec<TermId>,
    /// Positions in `terms` of each case's terms.
    case_terms: Vec<Vec<u32>>,
    /// Which cases have a term or one below it.
    closure: BTreeMap<TermId, Vec<u32>>,
    /// Information content of each case's closure.
    weights: Vec<f64>,
    /// For each term of the vocabulary that was asked for: its similarity to each of `terms`.
    rows: BTreeMap<TermId, OnceLock<Vec<f32>>>,
}

impl<'a> Corpus<'a> {
    pub(super) fn build(cases: &'a [Case], vocabulary: &'a Vocabulary) -> Self {
        let mut terms: Vec<TermId> = cases.iter().flat_map(|case| case.terms.iter().copied()).collect();
        terms.sort_unstable();
        terms.dedup();
        let position = |term: &TermId| terms.binary_search(term).ok().and_then(|at| u32::try_from(at).ok());
        let case_terms = cases.iter().map(|case| case.terms.iter().filter_map(position).collect()).collect();
        let mut closure: BTreeMap<TermId, Vec<u32>> = BTreeMap::new();
        let mut weights = Vec::with_capacity(cases.len());
        for (case, ordinal) in cases.iter().zip(0..) {
            let above = ancestors(vocabulary, &case.terms);
            weights.push(weight(vocabulary, &above));
            for term in above {
                closure.entry(term).or_default().push(ordinal);
            }
        }
        let rows = vocabulary.terms().map(|term| (term, OnceLock::new())).collect();
        Self { vocabulary, cases, terms, case_terms, closure, weights, rows }
    }

    /// Shared information ÷ information of both together.
    pub(super) const fn simgic(&self) -> SimGic<'_> {
        SimGic(self)
    }

    /// Best matches in both directions of √(Jaccard · information content of the best common ancestor).
    pub(super) const fn phenodigm(&self) -> Phenodigm<'_> {
        Phenodigm(self)
    }

    fn rank(&self, query: &Case, scores: &[f64]) -> Option<usize> {
        let outside = || self.cases.iter().zip(scores).filter(|(case, _)| case.publication != query.publication);
        let (at, best) = outside()
            .enumerate()
            .filter(|(_, (case, _))| case.disease == query.disease)
            .map(|(at, (_, score))| (at, *score))
            .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let ahead = |(other, (_, score)): &(usize, (&Case, &f64))| **score > best || (**score == best && *other < at);
        Some(1 + outside().enumerate().filter(ahead).count())
    }

    fn row(&self, term: TermId) -> Option<&[f32]> {
        let compare = || self.terms.iter().map(|other| term_similarity(self.vocabulary, term, *other)).collect();
        self.rows.get(&term).map(|row| row.get_or_init(compare).as_slice())
    }
}

/// The terms with everything above them, ascending.
fn ancestors(vocabulary: &Vocabulary, terms: &[TermId]) -> Vec<TermId> {
    let mut above: Vec<TermId> = terms.iter().flat_map(|term| vocabulary.ancestors(*term)).copied().collect();
    above.sort_unstable();
    above.dedup();
    above
}

fn weight(vocabulary: &Vocabulary, terms: &[TermId]) -> f64 {
    terms.iter().map(|term| vocabulary.information_content(*term)).sum()
}

fn term_similarity(vocabulary: &Vocabulary, one: TermId, other: TermId) -> f32 {
    let (above_one, above_other) = (vocabulary.ancestors(one), vocabulary.ancestors(other));
    let shared: Vec<TermId> =
        above_one.iter().filter(|term| above_other.binary_search(term).is_ok()).copied().collect();
    let either = above_one.len() + above_other.len() - shared.len();
    let content = shared.iter().map(|term| vocabulary.information_content(*term)).fold(0.0, f64::max);
    (content * shared.len() as f64 / either.max(1) as f64).sqrt() as f32
}

pub(super) struct SimGic<'a>(&'a Corpus<'a>);

impl Ranking for SimGic<'_> {
    fn rank(&self, query: &Case) -> anyhow::Result<Option<usize>> {
        let corpus = self.0;
        let above = ancestors(corpus.vocabulary, &query.terms);
        let own = weight(corpus.vocabulary, &above);
        let mut shared = vec![0.0; corpus.cases.len()];
        for term in above {
            let content = corpus.vocabulary.information_content(term);
            for ordinal in corpus.closure.get(&term).into_iter().flatten() {
                if let Some(sum) = shared.get_mut(*ordinal as usize) {
                    *sum += content;
                }
            }
        }
        let similarity =
            |(shared, weight): (f64, &f64)| if shared > 0.0 { shared / (own + weight - shared) } else { 0.0 };
        let scores: Vec<f64> = shared.into_iter().zip(&corpus.weights).map(similarity).collect();
        Ok(corpus.rank(query, &scores))
    }
}

pub(super) struct Phenodigm<'a>(&'a Corpus<'a>);

impl Ranking for Phenodigm<'_> {
    fn rank(&self, query: &Case) -> anyhow::Result<Option<usize>> {
        let corpus = self.0;
        let rows: Vec<&[f32]> = query.terms.iter().filter_map(|term| corpus.row(*term)).collect();
        // The best a case could score is the query's similarity to itself.
        let own: Vec<f32> = query.terms.iter().map(|term| term_similarity(corpus.vocabulary, *term, *term)).collect();
        let (own_best, own_mean) =
            (own.iter().copied().fold(0.0, f32::max), own.iter().sum::<f32>() / own.len() as f32);
        let score = |terms: &Vec<u32>| {
            let mut best_of_case = vec![0_f32; terms.len()];
            let (mut sum, mut best) = (0_f32, 0_f32);
            for row in &rows {
                let mut best_of_term = 0_f32;
                for (term, best_so_far) in terms.iter().zip(&mut best_of_case) {
                    let similarity = row.get(*term as usize).copied().unwrap_or(0.0);
                    best_of_term = best_of_term.max(similarity);
                    *best_so_far = best_so_far.max(similarity);
                }
                sum += best_of_term;
                best = best.max(best_of_term);
            }
            sum += best_of_case.iter().sum::<f32>();
            let mean = sum / (rows.len() + terms.len()) as f32;
            f64::from(best / own_best.max(f32::MIN_POSITIVE) + mean / own_mean.max(f32::MIN_POSITIVE))
        };
        let scores: Vec<f64> = corpus.case_terms.iter().map(score).collect();
        Ok(corpus.rank(query, &scores))
    }
}
