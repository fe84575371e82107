use super::*;

fn id(text: &str) -> TermId {
    text.parse().unwrap()
}

#[test]
fn the_built_in_release_is_whole() {
    let vocabulary = Vocabulary::built_in();
    assert_eq!((vocabulary.release(), vocabulary.annotation_release()), ("2026-02-16", "2025-01-16"));
    assert_eq!(vocabulary.terms().len(), 19_389);
    assert_eq!(vocabulary.diseases().len(), 12_679);
    assert!(vocabulary.terms().is_sorted());
    assert_eq!(vocabulary.label(id("HP:0001250")), Some("Seizure"));
    assert_eq!(vocabulary.parents(id("HP:0001250")), [id("HP:0012638")]);
    assert!(vocabulary.children(id("HP:0012638")).contains(&id("HP:0001250")));
    assert!(vocabulary.cross_references(id("HP:0001252")).contains(&CrossReference::Umls(26_827)));
    let lay = |synonym: &Synonym| synonym.text() == "Low muscle tone" && synonym.kind() == SynonymKind::Lay;
    assert!(vocabulary.synonyms(id("HP:0001252")).iter().any(lay));
}

#[test]
fn ancestors_hold_the_term_and_end_at_the_root() {
    let vocabulary = Vocabulary::built_in();
    let ancestors = vocabulary.ancestors(id("HP:0001250"));
    assert!(ancestors.is_sorted());
    for expected in ["HP:0001250", "HP:0000118", "HP:0000001"] {
        assert!(ancestors.contains(&id(expected)), "{expected}");
    }
    assert!(vocabulary.is_phenotypic_abnormality(TermId::PHENOTYPIC_ABNORMALITY));
    assert!(!vocabulary.is_phenotypic_abnormality(id("HP:0000007")), "a mode of inheritance");
    assert!(!vocabulary.is_phenotypic_abnormality(id("HP:9999999")));
}

#[test]
fn information_grows_downwards() {
    let vocabulary = Vocabulary::built_in();
    assert_eq!(vocabulary.information_content(TermId::PHENOTYPIC_ABNORMALITY), 0.0);
    for term in vocabulary.terms() {
        for parent in vocabulary.parents(term) {
            assert!(vocabulary.information_content(*parent) <= vocabulary.information_content(term));
            assert!(vocabulary.disease_count(*parent) >= vocabulary.disease_count(term));
        }
    }
    assert!(vocabulary.annotation_count(id("HP:0001250")) > 1000);
}

#[test]
fn ids_that_are_no_symptom_are_refused_by_name() {
    let vocabulary = Vocabulary::built_in();
    let refusal = |text: &str| vocabulary.symptom(id(text)).unwrap_err().to_string();
    assert_eq!(vocabulary.symptom(id("HP:0011398")), Ok(id("HP:0001252")), "an alternative id");
    assert_eq!(vocabulary.symptom(id("HP:0000057")), Ok(id("HP:0008665")), "a replaced id");
    assert!(refusal("HP:9999999").starts_with("HP:9999999 is not in HPO release 2026-02-16"));
    assert!(refusal("HP:0000007").starts_with("HP:0000007 (Autosomal recessive inheritance) is no phenotypic"));
    let retired =
        |term: &TermId| matches!(vocabulary.resolve(*term), Resolution::Obsolete { consider } if !consider.is_empty());
    let retired = vocabulary.former_ids().find(retired).unwrap();
    let text = vocabulary.symptom(retired).unwrap_err().to_string();
    assert!(text.starts_with(&retired.to_string()) && text.contains("consider HP:"), "{text}");
}

#[test]
fn diseases_have_frequencies() {
    let vocabulary = Vocabulary::built_in();
    let disease = vocabulary.disease("OMIM:154700").unwrap();
    assert!(disease.name().contains("Marfan"));
    assert!(disease.terms().len() > 20);
    for disease in vocabulary.diseases() {
        for row in disease.terms() {
            assert!((1..=1000).contains(&row.per_mille()));
            assert!(vocabulary.is_phenotypic_abnormality(row.term()));
            assert!(disease.excluded().binary_search(&row.term()).is_err());
        }
    }
}
