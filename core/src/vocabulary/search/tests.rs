use super::*;
use proptest::prelude::*;

fn first(typed: &str) -> Hit {
    SearchIndex::built_in().search(typed, 1).into_iter().next().unwrap()
}

#[test]
fn a_hit_says_which_words_matched() {
    let label = first("microcephaly");
    assert_eq!(
        (label.kind, label.exactness, label.matched.as_str()),
        (MatchKind::Label, Exactness::Exact, "Microcephaly")
    );
    let lay = first("low muscle tone");
    assert_eq!((lay.label.as_str(), lay.kind, lay.exactness), ("Hypotonia", MatchKind::Lay, Exactness::Exact));
    let own = first("fits");
    assert_eq!((own.label.as_str(), own.kind, own.matched.as_str()), ("Seizure", MatchKind::Overlay, "fits"));
    let slip = first("microcefaly");
    assert_eq!((slip.label.as_str(), slip.exactness), ("Microcephaly", Exactness::Similar));
    let spelling = first("Haemolytic anaemias");
    assert_eq!((spelling.label.as_str(), spelling.exactness), ("Hemolytic anemia", Exactness::Exact));
}

#[test]
fn only_symptoms_are_found() {
    let hits = SearchIndex::built_in().search("autosomal recessive inheritance", 50);
    let vocabulary = Vocabulary::built_in();
    assert!(hits.iter().all(|hit| vocabulary.is_phenotypic_abnormality(hit.term)));
    assert!(SearchIndex::built_in().search("", 5).is_empty());
    assert!(SearchIndex::built_in().search("qqqqqqqqqqqq", 5).is_empty());
}

#[test]
fn every_lay_word_means_the_label_beside_it() {
    let vocabulary = Vocabulary::built_in();
    let text = include_str!("../../../data/lay-words.tsv");
    let rows = LayWord::parse(text).unwrap();
    assert!(rows.len() >= 80);
    for (row, line) in rows.iter().zip(text.lines().filter(|line| !line.starts_with('#'))) {
        assert_eq!(vocabulary.symptom(row.term()), Ok(row.term()), "{line}");
        assert_eq!(vocabulary.label(row.term()), line.split('\t').nth(2), "{line}");
    }
}

#[test]
fn a_broken_list_of_lay_words_is_refused_by_line() {
    let refusal = LayWord::parse("# remark\nfits\tHP:0001250\nfits\tseizure\n").unwrap_err();
    assert_eq!(refusal.to_string(), "lay words, line 3: no HPO id in the second column");
    assert!(LayWord::parse("\tHP:0001250").is_err());
}

/// The share of golden queries answered among the first five, in per cent.
fn hit_rate(set: &str) -> usize {
    let index = SearchIndex::built_in();
    let (mut all, mut hit) = (0, 0);
    for line in include_str!("../../../data/search-golden.tsv").lines().filter(|line| line.starts_with(set)) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [_, _, query, expected, _] = columns.as_slice() else { panic!("{line}") };
        all += 1;
        let hits = index.search(query, 5);
        hit += usize::from(hits.iter().any(|hit| expected.split('|').any(|id| id == hit.term.to_string())));
    }
    assert!(all >= 100);
    hit * 100 / all
}

#[test]
fn the_golden_queries_are_answered_among_the_first_five() {
    assert!(hit_rate("tune") >= 95);
    assert!(hit_rate("held") >= 95);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn anything_can_be_typed(typed in "\\PC{0,300}|[a-z ]{0,40}") {
        let hits = SearchIndex::built_in().search(&typed, 5);
        prop_assert!(hits.len() <= 5);
        prop_assert!(hits.is_sorted_by_key(|hit| Reverse(hit.score)));
    }

    #[test]
    fn any_list_of_lay_words_is_read_or_refused(text in "([a-z\t#\n]|HP:[0-9]{7}){0,20}") {
        let _ = LayWord::parse(&text);
    }
}
