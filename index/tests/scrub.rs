//! The bytes of cases that left are gone from the files after a scrub.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_core::token::Token;
use semblance_index::{Block, Change, IndexedCase, Merging, Position, Writer};
use tantivy::{Index, Term};

const GONE: u64 = 0x0123_4567_89ab_cdef;

fn case(ordinal: u32, own: u64, expires: u64) -> IndexedCase {
    let handle = CaseHandle::from_bytes([ordinal as u8 + 1; 16]);
    let mut tokens: Vec<Token> = [own, 11, 12, 13, 14, 15, 16, 17].map(Token).to_vec();
    tokens.sort();
    IndexedCase::new(ordinal, handle, 3, Timestamp::from_millis(expires), &tokens).unwrap()
}

fn apply(writer: &mut Writer, number: u64, changes: Vec<Change>) {
    writer
        .apply(&Block { position: Position { block: number, time: Timestamp::from_millis(number) }, changes })
        .unwrap();
}

/// Whether tantivy itself still finds the token in any dictionary, deleted or not, and each handle in any column.
fn traces(folder: &Path, tokens: &[u64]) -> (bool, BTreeSet<u64>, u32) {
    let index = Index::open_in_dir(folder).unwrap();
    let field = index.schema().get_field("token").unwrap();
    let searcher = index.reader().unwrap().searcher();
    let (mut found, mut handles, mut deleted) = (false, BTreeSet::new(), 0);
    for segment in searcher.segment_readers() {
        let dictionary = segment.inverted_index(field).unwrap();
        for token in tokens {
            found |= dictionary.get_term_info(&Term::from_field_u64(field, *token)).unwrap().is_some();
        }
        let column = segment.fast_fields().u64("handle-high").unwrap();
        handles.extend((0..segment.max_doc()).filter_map(|document| column.first(document)));
        deleted += segment.num_deleted_docs();
    }
    (found, handles, deleted)
}

/// The segments whose files lie in the folder.
fn on_disk(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.len() > 32 && !name.starts_with('.')).map(|name| name[..32].to_owned()).collect()
}

#[test]
fn nothing_of_a_withdrawn_or_expired_case_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    let add = |ordinal, own, expires| Change::Add(case(ordinal, own, expires));
    apply(&mut writer, 1, vec![add(0, 100, 1000), add(1, GONE, 1000), add(2, GONE + 1, 5)]);
    writer.commit().unwrap();
    apply(&mut writer, 2, vec![add(3, 101, 1000), add(4, GONE + 2, 1000)]);
    writer.commit().unwrap();
    let gone = [GONE, GONE + 1, GONE + 2];
    let high = |ordinal: u8| u64::from_be_bytes([ordinal + 1; 8]);
    assert_eq!(traces(folder.path(), &gone), (true, [0, 1, 2, 3, 4].map(high).into(), 0));

    apply(&mut writer, 6, vec![Change::Withdraw(case(1, GONE, 0).handle())]);
    apply(&mut writer, 7, vec![Change::Withdraw(case(4, GONE, 0).handle())]);
    assert_eq!(writer.searcher().view().collection().cases, 2, "gone from answers at once");
    writer.commit().unwrap();
    assert_eq!(traces(folder.path(), &gone).2, 3, "tantivy marks them, the bytes are still there");
    writer.scrub().unwrap();
    assert_eq!(traces(folder.path(), &gone), (false, [0, 3].map(high).into(), 0));
    let current: BTreeSet<String> = Index::open_in_dir(folder.path())
        .unwrap()
        .searchable_segment_ids()
        .unwrap()
        .iter()
        .map(|id| id.uuid_string())
        .collect();
    assert_eq!(on_disk(folder.path()), current, "no file of an older segment is left");
}

#[test]
fn a_background_scrub_is_picked_up_by_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    apply(&mut writer, 1, vec![Change::Add(case(0, 100, 1000)), Change::Add(case(1, GONE, 1000))]);
    writer.commit().unwrap();
    apply(&mut writer, 2, vec![Change::Withdraw(case(1, GONE, 0).handle())]);
    writer.commit().unwrap();
    assert_eq!(writer.start_scrub().unwrap(), 1);
    writer.settle().unwrap();
    assert!(!traces(folder.path(), &[GONE]).0);
    assert_eq!(on_disk(folder.path()).len(), 1);
    assert_eq!(writer.start_scrub().unwrap(), 0);
}

#[test]
fn an_index_whose_cases_have_all_left_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    apply(&mut writer, 1, vec![Change::Add(case(0, GONE, 3))]);
    writer.commit().unwrap();
    apply(&mut writer, 3, Vec::new());
    writer.scrub().unwrap();
    assert_eq!(on_disk(folder.path()), BTreeSet::new());
    drop(writer);
    let writer = Writer::open(folder.path(), Merging::Off).unwrap();
    assert_eq!(writer.applied().map(|position| position.block), Some(3));
}

#[test]
fn what_time_alone_takes_out_is_scrubbed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    apply(&mut writer, 1, vec![Change::Add(case(0, 100, 1000)), Change::Add(case(1, GONE, 5))]);
    writer.scrub().unwrap();
    assert!(traces(folder.path(), &[GONE]).0, "it is live");
    apply(&mut writer, 5, Vec::new());
    writer.scrub().unwrap();
    assert_eq!(traces(folder.path(), &[GONE]), (false, [u64::from_be_bytes([1; 8])].into(), 0));
    let scrubbed = on_disk(folder.path());
    apply(&mut writer, 6, Vec::new());
    writer.scrub().unwrap();
    assert_eq!(on_disk(folder.path()), scrubbed, "nothing left, so nothing is rewritten");
}
