//! Any flipped bit in what a ledger has stored is found by verifying its file, and blamed on the block it stands in.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use semblance_ledger::embedded::verify::verify_file;
use semblance_tests::network::TestNetwork;

/// A table, the columns that name a row, and the columns whose bits are flipped.
type Table = (&'static str, &'static [&'static str], &'static [&'static str]);

const TABLES: &[Table] = &[
    ("meta", &["name"], &["name", "value"]),
    ("block", &["number"], &["number", "hash", "header", "data"]),
    ("transaction_index", &["id"], &["id", "block", "position"]),
    ("state", &["key"], &["key", "value", "policy", "block", "position"]),
    ("private_hash", &["collection", "key_hash"], &["collection", "key_hash", "value_hash", "block", "position"]),
    ("private_value", &["collection", "key_hash"], &["collection", "key", "key_hash", "slot"]),
    ("private_slot", &["slot"], &["slot", "value"]),
    ("private_free", &["length", "slot"], &["length", "slot"]),
];

#[tokio::test]
async fn some_flipped_bits_are_found() {
    flip(9_973).await;
}

#[tokio::test]
#[ignore = "slow: thousands of walks over a file"]
async fn many_flipped_bits_are_found() {
    flip(97).await;
}

/// Flips every so-manieth bit of everything stored; each column of each row gets one at least, at places that differ.
async fn flip(every: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, damaged) = (folder.path().join("whole.db"), folder.path().join("damaged.db"));
    small_ledger(&whole).await;
    assert!(verify_file(&whole).unwrap().is_sound());
    let (mut bit, mut flipped) = (0, 0);
    for (table, names, columns) in TABLES {
        for row in rows(&whole, table, names, columns) {
            let (name, cells) = row.split_at(names.len());
            for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| **cell != Value::Null) {
                bit += 31;
                for bit in (bit % bits(cell)..bits(cell)).step_by(every) {
                    std::fs::copy(&whole, &damaged).unwrap();
                    let put = format!(
                        "UPDATE {table} SET {column} = {} WHERE {}",
                        hole(cell),
                        names.join(" = ? AND ") + " = ?"
                    );
                    if damage(&damaged, &put, &with_flipped_bit(cell, bit), name) {
                        flipped += 1;
                        check(&damaged, &format!("bit {bit} of {column} of {table} {name:?}"), block(table, name));
                    }
                }
            }
        }
    }
    assert!(flipped > 200, "only {flipped} bits were flipped");
}

async fn small_ledger(path: &Path) {
    let network = TestNetwork::found(path, 3, 1, 7).await;
    let (north, south) = (network.member("north").id.clone(), network.member("south").id.clone());
    let cases = network.fill(&north, 3).await;
    network.fill(&south, 2).await;
    network.withdraw(&south, &cases[0]).await.unwrap();
    network.purge(&cases[0]).await.unwrap();
}

/// The cells of each row: its name, then the columns.
fn rows(path: &Path, table: &str, names: &[&str], columns: &[&str]) -> Vec<Vec<Value>> {
    let file = Connection::open(path).unwrap();
    let all = [names, columns].concat();
    let mut select = file.prepare(&format!("SELECT {} FROM {table}", all.join(", "))).unwrap();
    let cells = |row: &rusqlite::Row<'_>| (0..all.len()).map(|column| row.get(column)).collect();
    let rows: Vec<_> = select.query_map([], cells).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(!rows.is_empty(), "{table} is empty: there is nothing to damage");
    rows
}

fn bits(cell: &Value) -> usize {
    match cell {
        Value::Integer(_) => 64,
        Value::Text(text) => text.len() * 8,
        Value::Blob(bytes) => bytes.len() * 8,
        Value::Null | Value::Real(_) => panic!("no such column"),
    }
}

/// Text with a flipped bit may be no text any more, and is put as its bytes.
fn with_flipped_bit(cell: &Value, bit: usize) -> Value {
    let flip = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Value::Blob(bytes)
    };
    match cell {
        Value::Integer(number) => Value::Integer(number ^ 1 << bit),
        Value::Text(text) => flip(text.as_bytes()),
        Value::Blob(bytes) => flip(bytes),
        Value::Null | Value::Real(_) => panic!("no such column"),
    }
}

fn hole(cell: &Value) -> &'static str {
    if matches!(cell, Value::Text(_)) { "CAST(? AS TEXT)" } else { "?" }
}

/// Returns whether the file took it; a name that another row has cannot be written at all.
fn damage(path: &Path, put: &str, cell: &Value, name: &[Value]) -> bool {
    let file = Connection::open(path).unwrap();
    file.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").unwrap();
    match file.execute(put, params_from_iter(std::iter::once(cell).chain(name))) {
        Ok(changed) => changed == 1,
        Err(error) => {
            assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ConstraintViolation), "{error}");
            false
        }
    }
}

fn block(table: &str, name: &[Value]) -> Option<u64> {
    match name {
        [Value::Integer(number)] if table == "block" => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn check(path: &Path, what: &str, block: Option<u64>) {
    let report = verify_file(path).unwrap();
    assert!(!report.is_sound(), "{what} was flipped and not found");
    if block.is_some() {
        assert_eq!(report.findings[0].block, block, "{what}: {:?}", report.findings);
    }
}
