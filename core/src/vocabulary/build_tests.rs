use super::*;
use crate::vocabulary::TermError;

const OBO: &str = "data-version: hp/releases/2026-02-16
[Term]\nid: HP:0000001\nname: All
[Term]\nid: HP:0000118\nname: Phenotypic abnormality\nis_a: HP:0000001
[Term]\nid: HP:0000005\nname: Mode of inheritance\nis_a: HP:0000001
[Term]\nid: HP:0000010\nname: Fits\nalt_id: HP:0000011\nis_a: HP:0000118
[Term]\nid: HP:0000020\nname: Long fits\nis_a: HP:0000010
[Term]\nid: HP:0000030\nname: Tremor\nis_a: HP:0000118
[Term]\nid: HP:0000012\nname: obsolete Spells\nis_obsolete: true\nreplaced_by: HP:0000011
[Term]\nid: HP:0000013\nname: obsolete Turns\nis_obsolete: true\nconsider: HP:0000010\nconsider: HP:0000030
[Term]\nid: HP:0000014\nname: obsolete Either\nis_obsolete: true\nreplaced_by: HP:0000010\nreplaced_by: HP:0000030
[Term]\nid: HP:0000015\nname: obsolete Round\nis_obsolete: true\nreplaced_by: HP:0000016
[Term]\nid: HP:0000016\nname: obsolete About\nis_obsolete: true\nreplaced_by: HP:0000015
";
const HPOA: &str = "#version: 2025-01-16\ndatabase_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tbiocuration\n";

fn id(number: u32) -> TermId {
    TermId::new(number).unwrap()
}

/// Rows of disease, qualifier, term, frequency.
fn made(rows: &[(&str, &str, u32, &str)]) -> Built {
    let row = |(disease, qualifier, term, frequency): &(&str, &str, u32, &str)| {
        format!("{disease}\tName of {disease}\t{qualifier}\t{}\tPMID:1\tPCS\t\t{frequency}\t\t\tP\tx\n", id(*term))
    };
    let rows: String = rows.iter().map(row).collect();
    build(OBO.as_bytes(), Some(format!("{HPOA}{rows}").as_bytes())).unwrap()
}

#[test]
fn former_ids_are_followed_to_a_term_or_left_to_a_person() {
    let vocabulary = made(&[]).vocabulary;
    assert_eq!(vocabulary.resolve(id(11)), Resolution::Replaced { by: id(10) });
    assert_eq!(vocabulary.resolve(id(12)), Resolution::Replaced { by: id(10) }, "a replacement that was itself merged");
    assert_eq!(vocabulary.resolve(id(13)), Resolution::Obsolete { consider: vec![id(10), id(30)] });
    assert_eq!(vocabulary.resolve(id(14)), Resolution::Obsolete { consider: vec![id(10), id(30)] }, "two replacements");
    assert_eq!(vocabulary.resolve(id(15)), Resolution::Obsolete { consider: vec![] }, "a circle");
    assert_eq!(vocabulary.resolve(id(99)), Resolution::Unknown);
    let refusal = vocabulary.symptom(id(13)).unwrap_err();
    assert!(matches!(refusal, TermError::Obsolete { .. }));
    assert!(refusal.to_string().ends_with("; consider HP:0000010 (Fits), HP:0000030 (Tremor)"));
}

#[test]
fn every_row_counts_or_is_reported() {
    let built = made(&[
        ("OMIM:1", "", 10, "1/2"),
        ("OMIM:1", "", 12, "1/2"),
        ("OMIM:1", "", 13, ""),
        ("OMIM:2", "", 99, ""),
        ("OMIM:2", "", 20, "often"),
        ("OMIM:2", "NOT", 30, ""),
        ("OMIM:2", "", 5, ""),
        ("nothing", "", 10, ""),
    ]);
    let outcomes: Vec<(usize, Outcome)> =
        built.report.problems.iter().map(|problem| (problem.line, problem.outcome.clone())).collect();
    assert_eq!(outcomes.len(), 5);
    assert_eq!(outcomes[0], (4, Outcome::Moved { from: id(12), to: id(10) }));
    assert_eq!(outcomes[1], (5, Outcome::Obsolete { term: id(13), consider: vec![id(10), id(30)] }));
    assert_eq!(outcomes[2], (6, Outcome::Unknown { term: id(99) }));
    assert!(matches!(outcomes[3], (7, Outcome::Refused { .. })), "kept, without its frequency");
    assert!(matches!(outcomes[4], (10, Outcome::Refused { .. })));
    assert_eq!((built.report.rows, built.report.rows_excluded, built.report.rows_no_symptom), (8, 1, 1));

    let vocabulary = built.vocabulary;
    assert_eq!(vocabulary.annotation_count(id(10)), 2);
    let second = vocabulary.disease("OMIM:2").unwrap();
    assert_eq!((second.terms().len(), second.excluded()), (1, &[id(30)][..]));
    assert!(!second.terms()[0].is_stated());
    assert_eq!(vocabulary.disease("OMIM:1").unwrap().terms()[0].per_mille(), 500, "1/2 and 1/2");
}

#[test]
fn diseases_count_for_the_terms_above() {
    let vocabulary =
        made(&[("OMIM:1", "", 20, ""), ("OMIM:2", "", 10, ""), ("OMIM:3", "", 30, "0/4"), ("OMIM:3", "", 10, "")])
            .vocabulary;
    assert_eq!([118, 10, 20, 30].map(|term| vocabulary.disease_count(id(term))), [3, 3, 1, 0]);
    assert_eq!(vocabulary.information_content(id(10)), 0.0);
    assert_eq!(vocabulary.information_content(id(20)), libm::log(3.0));
    assert_eq!(vocabulary.disease("OMIM:3").unwrap().excluded(), [id(30)], "seen in none of four");
}

#[test]
fn the_same_files_make_the_same_bytes() {
    let rows = [("OMIM:2", "", 10, "1/3"), ("OMIM:1", "", 30, "")];
    assert_eq!(made(&rows).file, made(&rows).file);
    assert_eq!(made(&rows).vocabulary.digest(), crate::id::Digest::of(&made(&rows).file));
}

#[test]
fn a_hierarchy_that_is_none_is_refused() {
    let with = |stanza: &str| build(format!("{OBO}[Term]\n{stanza}").as_bytes(), None).unwrap_err().to_string();
    assert!(with("id: HP:0000040\nname: x\nis_a: HP:0000041\n").contains("a parent is not a term"));
    assert!(with("id: HP:0000010\nname: x\n").contains("the id stands twice"));
    let circle = with("id: HP:0000040\nis_a: HP:0000041\n[Term]\nid: HP:0000041\nis_a: HP:0000040\n");
    assert!(circle.contains("runs in a circle"), "{circle}");
}
