//! The relatives of a term in a wide query: always the same number, so that a group's size tells nothing.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::dummies::{CaseSecret, DummyError, Frequencies, Purpose, draw};
use crate::limits::GROUP_TOKENS;
use crate::observed::is_symptom;
use crate::term::TermId;
use crate::vocabulary::Vocabulary;

/// Relatives in every group.
const WANTED: usize = GROUP_TOKENS - 1;

/// Seven terms to stand beside `term`: of its parents, children and siblings those with the most annotations; if there
/// are fewer, grandparents, then grandchildren, each again by annotations; if there are still fewer, terms drawn by
/// annotation frequency from the case's secret, none of which is one of the case's `own` terms. Of equally annotated
/// terms the lower id comes first.
pub(super) fn relatives(
    vocabulary: &Vocabulary,
    term: TermId,
    own: &BTreeSet<TermId>,
    secret: &CaseSecret,
    frequencies: &Frequencies,
) -> Result<Vec<TermId>, DummyError> {
    let (parents, children) = (vocabulary.parents(term), vocabulary.children(term));
    let above = |terms: &[TermId]| union(terms, |term| vocabulary.parents(term));
    let below = |terms: &[TermId]| union(terms, |term| vocabulary.children(term));
    let nearest: BTreeSet<TermId> = parents.iter().chain(children).copied().chain(below(parents)).collect();
    let (grandparents, grandchildren) = (above(parents), below(children));

    let mut chosen = Vec::with_capacity(WANTED);
    for circle in [nearest, grandparents, grandchildren] {
        let eligible = |kin: &TermId| *kin != term && is_symptom(vocabulary, *kin) && !chosen.contains(kin);
        let mut circle: Vec<TermId> = circle.into_iter().filter(eligible).collect();
        circle.sort_by_key(|kin| (Reverse(vocabulary.annotation_count(*kin)), *kin));
        circle.truncate(WANTED - chosen.len());
        chosen.extend(circle);
    }
    let excluded: BTreeSet<TermId> = own.iter().chain(&chosen).copied().chain([term]).collect();
    let missing = WANTED - chosen.len();
    chosen.extend(draw(frequencies, secret, Purpose::Relatives(term), &excluded, missing)?);
    Ok(chosen)
}

fn union<'a>(terms: &[TermId], kin: impl Fn(TermId) -> &'a [TermId]) -> BTreeSet<TermId> {
    terms.iter().flat_map(|term| kin(*term)).copied().collect()
}
