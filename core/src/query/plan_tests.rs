//! Wide and close plans over the built-in vocabulary.

use std::collections::BTreeSet;

use super::*;
use crate::limits::GROUP_TOKENS;
use crate::observed::is_symptom;

fn observed(numbers: &[u32]) -> ObservedTerms {
    let ids: Vec<TermId> = numbers.iter().map(|number| TermId::new(*number).unwrap()).collect();
    ObservedTerms::new(&Vocabulary::built_in(), &ids).unwrap()
}

fn seeds(terms: &[TermId]) -> Vec<Seed> {
    terms.iter().map(|term| Seed::from_bytes(*blake3::hash(&term.number().to_be_bytes()).as_bytes())).collect()
}

fn wide(observed: &ObservedTerms, secret: u8) -> Result<QueryPlan, PlanError> {
    let vocabulary = Vocabulary::built_in();
    QueryPlan::wide(observed, &vocabulary, &CaseSecret::from_bytes([secret; 32]), &Frequencies::of(&vocabulary))
}

/// Seizure, microcephaly, global developmental delay, hypotonia, ataxia.
const CASE: [u32; 5] = [1250, 252, 1263, 1252, 1251];

#[test]
fn a_close_query_asks_for_the_own_terms_alone() {
    let observed = observed(&CASE);
    let plan = QueryPlan::close(&observed);
    assert_eq!(plan.terms(), observed.terms());
    let query = plan.build(EpochNumber(1), &seeds(plan.terms()), 10).unwrap();
    let own: BTreeSet<Token> = query.groups().iter().map(|group| group.own).collect();
    assert_eq!(own, seeds(observed.terms()).iter().map(Seed::token).collect());
}

#[test]
fn every_wide_group_has_eight_symptoms() {
    let vocabulary = Vocabulary::built_in();
    let symptoms: Vec<TermId> = vocabulary.terms().filter(|term| is_symptom(&vocabulary, *term)).collect();
    // Terms from everywhere in the ontology, with many relatives and with few.
    for chunk in symptoms.iter().step_by(37).copied().collect::<Vec<_>>().chunks_exact(20) {
        let case = ObservedTerms::new(&vocabulary, chunk).unwrap();
        let plan = wide(&case, 1).unwrap();
        for (own, relatives) in &plan.groups {
            let distinct: BTreeSet<&TermId> = relatives.iter().chain([own]).collect();
            assert_eq!(distinct.len(), GROUP_TOKENS, "{own}");
            assert!(relatives.iter().all(|term| is_symptom(&vocabulary, *term)));
        }
    }
}

#[test]
fn the_most_annotated_of_the_nearest_come_first() {
    let vocabulary = Vocabulary::built_in();
    let seizure = TermId::new(1250).unwrap();
    let plan = wide(&observed(&CASE), 1).unwrap();
    let (_, chosen) = plan.groups.iter().find(|(own, _)| *own == seizure).unwrap();
    let parents = vocabulary.parents(seizure);
    let siblings = parents.iter().flat_map(|parent| vocabulary.children(*parent));
    let nearest: BTreeSet<TermId> =
        parents.iter().chain(vocabulary.children(seizure)).chain(siblings).copied().collect();
    let count = |term: &TermId| vocabulary.annotation_count(*term);
    let least = chosen.iter().map(count).min().unwrap();
    assert!(chosen.iter().all(|term| nearest.contains(term)));
    let left = nearest.iter().filter(|term| **term != seizure && !chosen.contains(term));
    assert!(left.map(count).all(|count| count <= least));
}

#[test]
fn relatives_are_fixed_for_a_case_and_drawn_ones_differ_between_cases() {
    let vocabulary = Vocabulary::built_in();
    let kin = |term: &TermId| {
        let parents = vocabulary.parents(*term);
        let below = |term: &TermId| vocabulary.children(*term).len();
        parents.len() + below(term) + parents.iter().map(below).sum::<usize>()
    };
    let lonely = vocabulary.terms().filter(|term| is_symptom(&vocabulary, *term) && kin(term) < 4);
    let lonely: Vec<TermId> = lonely.take(20).collect();
    let case = ObservedTerms::new(&vocabulary, &lonely).unwrap();
    assert_eq!(wide(&case, 1), wide(&case, 1));
    assert_ne!(wide(&case, 1).unwrap().terms(), wide(&case, 2).unwrap().terms());
}

#[test]
fn own_terms_stand_in_the_order_of_the_query() {
    let plan = wide(&observed(&CASE), 1).unwrap();
    let seeds_of_plan = seeds(plan.terms());
    let query = plan.build(EpochNumber(1), &seeds_of_plan, 10).unwrap();
    let tokens: Vec<Token> = seeds(&plan.own_terms(&seeds_of_plan).unwrap()).iter().map(Seed::token).collect();
    assert_eq!(tokens, query.groups().iter().map(|group| group.own).collect::<Vec<_>>());
}

#[test]
fn short_cases_wrong_seeds_and_wrong_counts_are_refused() {
    let short = observed(&CASE[..4]);
    assert_eq!(wide(&short, 1), Err(PlanError::TooFewForWide));
    let plan = QueryPlan::close(&short);
    let few = plan.build(EpochNumber(1), &seeds(&plan.terms()[1..]), 10);
    assert_eq!(few, Err(BuildError::Seeds(SeedCount { expected: 4, found: 3 })));
    let none = plan.build(EpochNumber(1), &seeds(plan.terms()), 0);
    assert!(matches!(none, Err(BuildError::Groups(QueryError::Count { .. }))));
    let same = vec![Seed::from_bytes([1; 32]); 4];
    assert_eq!(plan.build(EpochNumber(1), &same, 10), Err(BuildError::Groups(QueryError::Order)));
}
