//! What may be said about a found case.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use semblance_core::id::CaseHandle;
use semblance_core::query::{Breadth, Group, Query, Weight};
use semblance_core::time::Timestamp;
use semblance_core::token::{EpochNumber, Token};
use semblance_index::{Block, Change, Filters, GroupMatch, IndexedCase, Merging, Position, Support, Writer};

const OWN: u16 = 9;

fn add(writer: &mut Writer, cases: &[(u16, &[u64])]) {
    let block = writer.applied().map_or(0, |position| position.block + 1);
    let number = |index: usize| block as u32 * 100 + index as u32;
    let change = |(index, (hospital, tokens)): (usize, &(u16, &[u64]))| {
        let tokens: Vec<Token> = tokens.iter().map(|token| Token(*token)).collect();
        let handle = CaseHandle::from_bytes([number(index) as u8; 16]);
        let expires = Timestamp::from_millis(1_000_000);
        Change::Add(IndexedCase::new(number(index), handle, *hospital, expires, &tokens).unwrap())
    };
    let changes = cases.iter().enumerate().map(change).collect();
    writer.apply(&Block { position: Position { block, time: Timestamp::from_millis(block) }, changes }).unwrap();
}

#[test]
fn rare_tokens_are_not_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    // 1, 2, 3 and 100 are common; 4 is common at one hospital only; 5 is carried by four others and the asker's own.
    add(&mut writer, &[(0, &[1, 2, 3, 4, 5, 100]), (0, &[1, 2, 3, 4, 5]), (0, &[1, 2, 3, 4, 100])]);
    writer.commit().unwrap();
    add(&mut writer, &[(0, &[1, 2, 4, 100]), (0, &[2, 4, 100]), (1, &[1, 2, 3, 5, 100]), (1, &[1, 3, 5])]);
    add(&mut writer, &[(OWN, &[1, 5, 7]), (OWN, &[5])]);
    let searcher = writer.searcher();
    let view = searcher.view();
    let support = |token| view.support(Token(token), Some(OWN)).unwrap();
    assert!(support(1).suffices() && support(2).suffices() && support(3).suffices() && support(100).suffices());
    assert_eq!(support(4), Support { cases: 5, hospitals: 1 });
    assert_eq!(support(5), Support { cases: 4, hospitals: 2 });
    assert_eq!(support(7), Support::default());
    assert!(view.support(Token(5), None).unwrap().suffices());

    let close = |tokens: &[u64]| {
        let groups = tokens.iter().map(|token| Group { own: Token(*token), relatives: Vec::new() }).collect();
        Query::new(EpochNumber(1), Breadth::Close, groups, 10).unwrap()
    };
    let query = close(&[1, 2, 3, 4, 5, 7]);
    let hits = view.search(&query, Filters::of(OWN)).unwrap();
    let explanations = view.explain(&query, Some(OWN), &hits).unwrap();
    let own = |(group, token): (u8, u64)| GroupMatch { group, weight: Weight::OWN, value: view.idf(Token(token)) };
    assert_eq!(hits[0].handle, CaseHandle::from_bytes([1; 16]));
    assert_eq!(explanations[0].groups, [(0, 1), (1, 2), (2, 3)].map(own));
    assert!(explanations[0].rarer, "it also shares 4 and 5");
    assert_eq!(explanations[0].shown.reached(), explanations[0].shown.possible(), "of what counts, all is shared");
    let possible: u64 = [1, 2, 3].iter().map(|token| u64::from(view.idf(Token(*token)))).sum();
    assert_eq!(explanations[0].shown.possible(), possible);
}

#[test]
fn a_relative_never_counts_for_more_than_the_symptom() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    // Token 1 is everywhere; 10 is rarer and still explainable.
    let mut cases: Vec<(u16, &[u64])> = vec![(0, &[1, 2, 3, 4, 5]); 40];
    cases.extend(vec![(1, [1, 2, 3, 4, 5].as_slice()); 40]);
    cases.extend([(0, [2, 3, 4, 10].as_slice()), (0, &[2, 3, 4, 10]), (0, &[2, 3, 4, 10]), (1, &[2, 3, 4, 10])]);
    cases.extend([(1, [2, 3, 4, 10].as_slice()), (1, &[2, 3, 4, 10])]);
    add(&mut writer, &cases);
    let relatives = |from: u64| (0..7).map(|step| Token(from + step)).collect();
    let mut groups = vec![Group { own: Token(1), relatives: relatives(10) }];
    groups.extend([2, 3, 4, 5].map(|own| Group { own: Token(own), relatives: relatives(own * 1000) }));
    let query = Query::new(EpochNumber(1), Breadth::Wide, groups, 10).unwrap();
    let searcher = writer.searcher();
    let view = searcher.view();
    let hits = view.search(&query, Filters { exclude: None, shared_min: 3 }).unwrap();
    let place = hits.iter().position(|hit| hit.ordinal == 80).unwrap();
    let explanation = &view.explain(&query, None, &hits).unwrap()[place];
    let value = view.idf(Token(1));
    assert_eq!(explanation.groups[0], GroupMatch { group: 0, weight: Weight::RELATIVE, value });
    let worth = |token| u64::from(view.idf(Token(token)));
    assert!(worth(10) * 4 / 10 > worth(1), "the relative's gain exceeds the symptom's worth");
    assert_eq!(explanation.shown.reached(), [1, 2, 3, 4].map(worth).iter().sum::<u64>());
    assert_eq!(explanation.shown.possible(), [1, 2, 3, 4, 5].map(worth).iter().sum::<u64>());
    assert!(!explanation.rarer);
}

#[test]
fn a_case_carries_its_own_tokens_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    add(&mut writer, &[(0, &[1, 2, 3, 4]), (1, &[2, 3, 9])]);
    writer.commit().unwrap();
    add(&mut writer, &[(2, &[1, 2, 3, 4, 5])]);
    let searcher = writer.searcher();
    let carries = |name: u8, tokens: &[u64]| {
        let tokens: Vec<Token> = tokens.iter().map(|token| Token(*token)).collect();
        searcher.view().carries_all(CaseHandle::from_bytes([name; 16]), &tokens).unwrap()
    };
    // Names are ordinals: 0 and 1 are committed, 100 is in the tail.
    for (name, tokens) in [(0, &[4, 1, 3][..]), (0, &[1, 2, 3, 4]), (1, &[9]), (100, &[5, 1])] {
        assert!(carries(name, tokens), "{name} carries {tokens:?}");
    }
    for (name, tokens) in
        [(0, &[1, 2, 9][..]), (0, &[1, 5]), (0, &[77]), (1, &[1, 9]), (100, &[1, 9]), (7, &[1]), (0, &[])]
    {
        assert!(!carries(name, tokens), "{name} does not carry {tokens:?}");
    }
    let holds = |name: u8| searcher.view().holds(CaseHandle::from_bytes([name; 16]));
    assert!(holds(0) && holds(1) && holds(100) && !holds(7));
    let block = writer.applied().unwrap().block + 1;
    let changes = [0, 100].map(|name| Change::Withdraw(CaseHandle::from_bytes([name; 16]))).to_vec();
    writer.apply(&Block { position: Position { block, time: Timestamp::from_millis(block) }, changes }).unwrap();
    assert!(!carries(0, &[1]) && !carries(100, &[1]) && carries(1, &[2, 3]), "who left carries nothing");
    assert!(!holds(0) && !holds(100) && holds(1));
}
