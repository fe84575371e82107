//! Imprecise descriptions: terms forgotten, terms named too generally, terms that do not belong.

use semblance_core::observed::ObservedTerms;
use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;

use crate::cases::{Case, is_symptom};
use crate::draw::Draw;

/// What a random term is drawn from: every symptom that was ever annotated, each alike, ascending by id.
pub(super) fn symptoms(vocabulary: &Vocabulary) -> Vec<TermId> {
    let annotated = |term: &TermId| vocabulary.annotation_count(*term) > 0;
    vocabulary.terms().filter(|term| is_symptom(vocabulary, *term) && annotated(term)).collect()
}

/// Drops 30 % of the terms, replaces 30 % of the rest by a parent and adds two random terms (rounded to the nearest).
pub(super) fn noisy(case: &Case, vocabulary: &Vocabulary, all: &[TermId], draw: &mut Draw) -> anyhow::Result<Case> {
    let count = case.terms.len();
    let mut terms = draw.sample(case.terms.clone(), count - (3 * count + 5) / 10);
    let vague = (3 * terms.len() + 5) / 10;
    for term in terms.iter_mut().take(vague) {
        let parents: Vec<TermId> =
            vocabulary.parents(*term).iter().copied().filter(|parent| is_symptom(vocabulary, *parent)).collect();
        if let Some(parent) = parents.get(draw.below(parents.len())) {
            *term = *parent;
        }
    }
    let mut added = 0;
    while added < 2 || terms.len() < 3 {
        let Some(term) = all.get(draw.below(all.len())) else { break };
        if !terms.contains(term) {
            terms.push(*term);
            added += 1;
        }
        terms.sort_unstable();
        terms.dedup();
    }
    let observed = ObservedTerms::new(vocabulary, &terms)?;
    Ok(Case { observed, terms, ..case.clone() })
}
