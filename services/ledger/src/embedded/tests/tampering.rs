//! Whatever is changed in the file is found, and named.

use rusqlite::{Connection, params};
use semblance_core::signature::{SigningKey, Statement};

use super::super::verify::{Finding, Report, audit_head, check_head};
use super::*;
use crate::Validation;
use crate::embedded::block::{BlockData, Header, RecordedTransaction};
use crate::suite::NETWORK;
use crate::suite::scratch::call;

/// A few blocks of everything: values, policies, private data, events, conflicts.
async fn fixture() -> Fixture {
    let mut fixture = Fixture::new(2, 1).await;
    fixture.node(0).submit(call("append", &["key", "one"])).await.unwrap();
    fixture.node(1).submit(call("own", &["case", "hospital-2"])).await.unwrap();
    fixture.put_private("secret", b"a private value").await;
    let refused = fixture.node(0).submit(endorsed("put", &["case", "x"], &["hospital-1"])).await;
    assert!(refused.is_err());
    fixture.node(0).submit(call("delete", &["key"])).await.unwrap();
    fixture.ledger = None;
    fixture
}

fn findings(fixture: &Fixture) -> Vec<Finding> {
    verify_scratch(&fixture.path()).unwrap().findings
}

/// Changes one value of one row, looks, and puts it back.
fn with_change(fixture: &Fixture, table: &str, column: &str, row: i64, change: impl Fn(&mut Vec<u8>)) -> Vec<Finding> {
    let connection = Connection::open(fixture.path()).unwrap();
    connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
    let find = format!("SELECT CAST({column} AS BLOB) FROM {table} ORDER BY 1, {column} LIMIT 1 OFFSET {row}");
    let before: Vec<u8> = connection.query_row(&find, [], |row| row.get(0)).unwrap();
    let mut after = before.clone();
    change(&mut after);
    let update = format!("UPDATE {table} SET {column} = ?1 WHERE {column} = ?2");
    assert!(connection.execute(&update, params![after, before]).unwrap() > 0);
    let found = findings(fixture);
    connection.execute(&update, params![before, after]).unwrap();
    found
}

#[tokio::test]
async fn every_flipped_bit_of_a_block_is_found_and_its_block_named() {
    let fixture = fixture().await;
    assert_eq!(findings(&fixture), []);
    let connection = Connection::open(fixture.path()).unwrap();
    let blocks: i64 = connection.query_row("SELECT count(*) FROM block", [], |row| row.get(0)).unwrap();
    for number in 0..blocks {
        for column in ["hash", "header", "data"] {
            let query = format!("SELECT {column} FROM block WHERE number = {number}");
            let before: Vec<u8> = connection.query_row(&query, [], |row| row.get(0)).unwrap();
            let update = format!("UPDATE block SET {column} = ?1 WHERE number = {number}");
            let step = before.len().div_ceil(60);
            for place in (0..before.len()).step_by(step) {
                let mut after = before.clone();
                after[place] ^= 1 << (place % 8);
                connection.execute(&update, [&after]).unwrap();
                let found = findings(&fixture);
                let first = found.first().unwrap_or_else(|| panic!("block {number}, {column}, byte {place}"));
                assert_eq!(first.block, Some(u64::try_from(number).unwrap()), "{first}");
            }
            connection.execute(&update, [&before]).unwrap();
        }
    }
    assert_eq!(findings(&fixture), []);
}

#[tokio::test]
async fn a_changed_transaction_is_named() {
    let fixture = fixture().await;
    let last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    let connection = Connection::open(fixture.path()).unwrap();
    let before: Vec<u8> =
        connection.query_row("SELECT data FROM block WHERE number = 2", [], |row| row.get(0)).unwrap();
    let mut after = before.clone();
    last(&mut after);
    connection.execute("UPDATE block SET data = ?1 WHERE number = 2", [&after]).unwrap();
    let found = findings(&fixture);
    assert_eq!((found[0].block, found[0].transaction), (Some(2), Some(0)));
    assert_eq!(found[0].to_string(), "block 2, transaction 0: its bytes are not those that were recorded");
}

/// Writes a block anew with another outcome of its transaction, with hashes that fit.
fn judge_anew(fixture: &Fixture, number: u64, validation: Validation) {
    let connection = Connection::open(fixture.path()).unwrap();
    let stored = chain::blocks(&connection, number, 1).unwrap().remove(0);
    let transaction = BlockData::decode(&stored.data).unwrap().transactions.remove(0);
    let transaction = RecordedTransaction { validation, ..RecordedTransaction::decode(&transaction).unwrap() };
    let data = BlockData::of(vec![transaction.encode()]);
    let header = Header { data: data.hash(), ..Header::decode(&stored.header, NETWORK).unwrap() };
    chain::append(&connection, &header, &data).unwrap();
}

#[tokio::test]
async fn a_transaction_took_effect_or_not_for_the_recorded_reason() {
    for (number, said, is) in [
        (5, Validation::MvccConflict, Validation::Valid),
        (5, Validation::EndorsementPolicyFailure, Validation::Valid),
        (4, Validation::Valid, Validation::EndorsementPolicyFailure),
        (4, Validation::PhantomConflict, Validation::EndorsementPolicyFailure),
    ] {
        let fixture = fixture().await;
        judge_anew(&fixture, number, said);
        let found = findings(&fixture);
        assert_eq!(found[0].block, Some(number));
        assert_eq!(found[0].what, format!("recorded as {said:?}, but it is {is:?}"));
    }
}

#[tokio::test]
async fn every_changed_row_of_the_tables_is_found() {
    let fixture = fixture().await;
    let flip = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    let columns = [
        ("state", "value"),
        ("state", "policy"),
        ("private_hash", "value_hash"),
        ("private_hash", "key_hash"),
        ("private_slot", "value"),
        ("private_value", "key_hash"),
        ("transaction_index", "id"),
    ];
    for (table, column) in columns {
        let row = i64::from(column == "policy") * 3;
        let found = with_change(&fixture, table, column, row, flip);
        assert!(!found.is_empty(), "{table}.{column}");
    }
    for statement in [
        "UPDATE state SET key = 'casf' WHERE key = 'case'",
        "UPDATE state SET block = 3 WHERE key = 'case'",
        "UPDATE state SET position = 1 WHERE key = 'case'",
        "UPDATE state SET policy = NULL WHERE key = 'case'",
        "DELETE FROM state WHERE key = 'case'",
        "INSERT INTO state VALUES ('new', x'00', NULL, 1, 0)",
        "UPDATE private_value SET key = 'other'",
        "UPDATE private_value SET collection = 'fingerprints_hospital-2'",
        "DELETE FROM private_value",
        "DELETE FROM private_slot",
        "INSERT INTO private_slot (value) VALUES (x'01')",
        "INSERT INTO private_free SELECT length(value), slot FROM private_slot",
        "INSERT INTO private_free VALUES (15, 77)",
        "UPDATE private_value SET slot = 77",
        "DELETE FROM private_hash",
        "UPDATE transaction_index SET block = 1 WHERE block = 2",
        "DELETE FROM transaction_index WHERE block = 2",
        "DELETE FROM block WHERE number = 5",
        "DELETE FROM block WHERE number = 2",
        "UPDATE meta SET value = x'00000000000000000000000000000000' WHERE name = 'network'",
        "DELETE FROM meta WHERE name = 'network'",
    ] {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("ledger.db");
        std::fs::copy(fixture.path(), &path).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
        assert!(connection.execute(statement, []).unwrap() > 0, "{statement}");
        drop(connection);
        assert!(!verify_scratch(&path).unwrap().is_sound(), "{statement}");
    }
    assert_eq!(findings(&fixture), []);
}

#[tokio::test]
async fn a_kept_head_finds_a_rewritten_history() {
    let mut first = Fixture::new(1, 0).await;
    for number in 0..3 {
        first.node(0).submit(call("append", &["key", &number.to_string()])).await.unwrap();
    }
    let key = SigningKey::from_seed(&[1; 32]);
    let head = audit_head(&first.ledger().head().unwrap(), first.parties[0].id.clone(), START).sign(&key);
    first.node(0).submit(call("append", &["key", "later"])).await.unwrap();
    let report = first.ledger().verify().await.unwrap();
    assert_eq!(check_head(&report, head.statement()), Ok(()));

    // A second ledger of the same members, sound in itself, with another history.
    let second = Fixture::new(1, 0).await;
    for number in 0..5 {
        second.node(0).submit(call("append", &["key", &format!("rewritten {number}")])).await.unwrap();
    }
    let rewritten: Report = second.ledger().verify().await.unwrap();
    assert!(rewritten.is_sound());
    assert!(check_head(&rewritten, head.statement()).unwrap_err().to_string().contains("rewritten"));
    let cut = Report { hashes: report.hashes[..2].to_vec(), blocks: 2, ..report };
    assert!(check_head(&cut, head.statement()).is_err());
    first.ledger = None;
}
