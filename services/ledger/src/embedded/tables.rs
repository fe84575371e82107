//! Compares the tables with the state that a replay of the blocks gives.

use rusqlite::{Connection, Row};

use super::effects::{PrivateKey, Version};
use super::policy::policy_bytes;
use super::private::{hashed, sha256};
use super::store::{StoreError, unsigned};
use super::verify::name;
use super::view::Tables;

/// Compares one table and adds what it finds.
type Part = fn(&Connection, Tables<'_>, &mut Vec<String>) -> Result<(), StoreError>;

/// What of the tables is not as the blocks say, in words.
pub(super) fn compare(connection: &Connection, replay: Tables<'_>, limit: usize) -> Vec<String> {
    let mut findings = Vec::new();
    for part in [state as Part, private_hashes, private_values, private_slots, transactions, structure] {
        if let Err(error) = part(connection, replay, &mut findings) {
            findings.push(format!("the file cannot be read: {error}"));
        }
    }
    findings.truncate(limit);
    findings
}

fn state(connection: &Connection, replay: Tables<'_>, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT block, position, key, value, policy FROM state ORDER BY key")?;
    let mut rows = statement.query([])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let version = version(row)?;
        let (key, value, policy): (String, Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let Some((held, written)) = replay.value(&key)? else {
            findings.push(format!("state {key:?}: no block has written it"));
            continue;
        };
        seen += 1;
        if value != held {
            findings.push(format!("state {key:?}: its value is not the one that {} wrote", place(written)));
        }
        if version != written {
            findings.push(format!("state {key:?}: its version is not {}", place(written)));
        }
        if policy != replay.policy(&key)?.as_ref().map(policy_bytes) {
            findings.push(format!("state {key:?}: its policy is not the one that the blocks set"));
        }
    }
    missing("state", "state", seen, replay, findings)
}

fn private_hashes(connection: &Connection, replay: Tables<'_>, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT block, position, collection, key_hash, value_hash FROM private_hash")?;
    let mut rows = statement.query([])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let version = version(row)?;
        let (key, hash) = (private_key(row, 2)?, row.get::<_, Vec<u8>>(4)?);
        let Some((expected, written)) = replay.private_hash(&key)? else {
            findings.push(format!("private hash {}: no block has written it", private_name(&key)));
            continue;
        };
        seen += 1;
        if hash != expected || version != written {
            findings.push(format!("private hash {}: not what {} wrote", private_name(&key), place(written)));
        }
    }
    missing("private hashes", "private_hash", seen, replay, findings)
}

fn private_values(connection: &Connection, replay: Tables<'_>, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare("SELECT collection, key_hash, key, value FROM private_value LEFT JOIN private_slot USING (slot)")?;
    let mut rows = statement.query([])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let stored = private_key(row, 0)?;
        let (key, value): (String, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        let Some((expected, written)) = replay.private_hash(&stored)? else {
            findings.push(format!("private value {}: it was purged or never written", private_name(&stored)));
            continue;
        };
        seen += 1;
        if value.is_none_or(|value| expected != sha256(&value)) {
            findings.push(format!(
                "private value {}: it does not have the hash that {} recorded",
                private_name(&stored),
                place(written)
            ));
        }
        if hashed(&stored.0, &key) != stored {
            findings.push(format!("private value {}: its key does not have its hash", private_name(&stored)));
        }
    }
    missing("private values", "private_hash", seen, replay, findings)
}

/// Every slot either holds a value or is free, and then holds zeros alone.
fn private_slots(connection: &Connection, _replay: Tables<'_>, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let mut statement = connection.prepare(
        "SELECT slot, private_value.slot IS NOT NULL, private_free.slot IS NOT NULL, length = length(value), value \
         FROM private_slot LEFT JOIN private_value USING (slot) LEFT JOIN private_free USING (slot)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (slot, used, free): (i64, bool, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (length_agrees, value): (Option<bool>, Vec<u8>) = (row.get(3)?, row.get(4)?);
        if used == free || length_agrees == Some(false) {
            findings.push(format!("private slot {slot}: it must be either in use or free, under its length"));
        } else if free && value.iter().any(|byte| *byte != 0) {
            findings.push(format!("private slot {slot}: a purged value is still there"));
        }
    }
    let dangling = "SELECT count(*) FROM private_free WHERE slot NOT IN (SELECT slot FROM private_slot)";
    let dangling: i64 = connection.query_row(dangling, [], |row| row.get(0))?;
    if dangling > 0 {
        findings.push(format!("private slots: {dangling} that are said to be free do not exist"));
    }
    Ok(())
}

fn transactions(connection: &Connection, replay: Tables<'_>, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT block, position, id FROM transaction_index")?;
    let mut rows = statement.query([])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let (version, id) = (version(row)?, row.get::<_, Vec<u8>>(2)?);
        if replay.place_of(&id)? == Some(version) {
            seen += 1;
        } else {
            findings.push(format!("index of transactions: {} is not where it says", name(&id)));
        }
    }
    missing("index of transactions", "transaction_index", seen, replay, findings)
}

/// What SQLite itself finds wrong with the file.
fn structure(connection: &Connection, _replay: Tables<'_>, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let mut statement = connection.prepare("PRAGMA integrity_check(10)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.push(format!("the file's structure: {line}"));
        }
    }
    Ok(())
}

/// Compares how many rows were found again with how many the replay has.
fn missing(
    what: &str,
    table: &str,
    seen: i64,
    replay: Tables<'_>,
    findings: &mut Vec<String>,
) -> Result<(), StoreError> {
    let expected: i64 = replay.0.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    if seen != expected {
        findings.push(format!("{what}: {} are missing", expected.saturating_sub(seen)));
    }
    Ok(())
}

fn version(row: &Row<'_>) -> Result<Version, StoreError> {
    Ok(Version { block: unsigned(row.get(0)?)?, position: row.get(1)? })
}

fn private_key(row: &Row<'_>, first: usize) -> Result<PrivateKey, StoreError> {
    let hash: Vec<u8> = row.get(first + 1)?;
    let hash = <[u8; 32]>::try_from(hash)
        .map_err(|_| StoreError::Damaged("the hash of a private key has another length".into()))?;
    Ok((row.get(first)?, hash))
}

fn private_name((collection, key): &PrivateKey) -> String {
    format!("{collection:?}/{}", hex::encode(key))
}

fn place(version: Version) -> String {
    format!("transaction {} of block {}", version.position, version.block)
}
