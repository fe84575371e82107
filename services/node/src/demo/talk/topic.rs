//! What a symptom group of the demo is about: a director's choice, so that it has company in every hospital. To
//! whom it is offered each hospital finds by itself.

use std::collections::BTreeSet;

use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::import::Known;
use semblance_hospital::known;

use crate::demo::patients::Patient;

/// How many patients of each hospital a topic should be for: so many first, and fewer only where nothing else is found.
const COMPANY: [usize; 2] = [10, 1];

/// The two rarest symptoms, or kinds of them, that both patients have and enough patients of each hospital too.
pub(super) fn choose(both: [&Patient; 2], shares: &[Vec<&Patient>], vocabulary: &Vocabulary) -> Option<[TermId; 2]> {
    let [one, two] = both.map(|patient| kinds(patient, vocabulary));
    let shares: Vec<Vec<BTreeSet<TermId>>> =
        shares.iter().map(|share| share.iter().map(|patient| kinds(patient, vocabulary)).collect()).collect();
    let shared: Vec<TermId> = one.intersection(&two).copied().collect();
    let of = |one: TermId, other: TermId| vocabulary.ancestors(one).contains(&other);
    // A symptom beside a kind of itself says little.
    let worth = |[one, two]: [TermId; 2]| {
        let related = of(one, two) || of(two, one);
        (related, vocabulary.disease_count(one).saturating_add(vocabulary.disease_count(two)))
    };
    let pairs = shared.iter().enumerate().flat_map(|(place, one)| {
        let rest = shared.get(place + 1..).unwrap_or_default();
        rest.iter().map(move |two| [*one, *two])
    });
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by_key(|pair| worth(*pair));
    let has_company = |pair: &[TermId; 2], company: usize| {
        let has = |kinds: &&BTreeSet<TermId>| pair.iter().all(|term| kinds.contains(term));
        shares.iter().all(|share| share.iter().filter(has).take(company).count() == company)
    };
    COMPANY.into_iter().find_map(|company| pairs.iter().copied().find(|pair| has_company(pair, company)))
}

/// A patient's symptoms and every kind that they are of, as far as a group can be about them.
fn kinds(patient: &Patient, vocabulary: &Vocabulary) -> BTreeSet<TermId> {
    let observed = patient.observed.iter().filter_map(|id| id.parse::<TermId>().ok());
    let all = observed.flat_map(|term| vocabulary.ancestors(term)).copied();
    all.filter(|term| known(vocabulary, *term) == Known::Symptom).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(observed: &[&str]) -> Patient {
        let observed = observed.iter().map(ToString::to_string).collect();
        Patient { case_id: "a".into(), disease: None, observed, excluded: Vec::new() }
    }

    #[test]
    fn a_topic_is_as_rare_as_company_allows() {
        let vocabulary = Vocabulary::built_in();
        let ids = |topic: Option<[TermId; 2]>| topic.map(|topic| topic.map(|term| term.to_string()));
        // Seizure, global developmental delay, and bilateral tonic-clonic seizure, which is a kind of seizure.
        let (both, kind) = (patient(&["HP:0001250", "HP:0001263"]), patient(&["HP:0002069", "HP:0001263"]));
        let stranger = patient(&["HP:0001166"]);
        let choose = |both: [&Patient; 2], share: Vec<&Patient>| ids(choose(both, &[share], &vocabulary));
        assert_eq!(choose([&both, &kind], vec![&kind]).unwrap(), ["HP:0001250", "HP:0001263"]);
        assert_eq!(choose([&both, &kind], vec![&stranger]), None);
        assert!(choose([&both, &kind], vec![&stranger, &both]).is_some());
        assert_eq!(choose([&kind, &kind], vec![&kind]).unwrap(), ["HP:0001263", "HP:0002069"]);
        let many = [vec![&kind], vec![&both; 10]].concat();
        assert_eq!(choose([&kind, &kind], many).unwrap(), ["HP:0001250", "HP:0001263"]);
    }
}
