//! Where private values stand in the file: in slots that never move.
//!
//! SQLite overwrites what it deletes, but when it moves rows between pages it may leave copies of them in what becomes
//! free, and a later purge of the row would not reach those. So the table of slots only grows, which moves nothing, and
//! a value is purged by writing zeros of the same length over it. Free slots are used again for values of their length.

use rusqlite::{Connection, OptionalExtension, params};

use super::private::hashed;
use super::store::StoreError;

/// Writes zeros over the value of a private key. Says whether there was one.
pub(super) fn wipe(connection: &Connection, collection: &str, key_hash: &[u8; 32]) -> Result<bool, StoreError> {
    let mut find =
        connection.prepare_cached("SELECT slot FROM private_value WHERE collection = ?1 AND key_hash = ?2")?;
    let slot: Option<i64> = find.query_row(params![collection, key_hash], |row| row.get(0)).optional()?;
    let Some(slot) = slot else { return Ok(false) };
    connection
        .prepare_cached("DELETE FROM private_value WHERE collection = ?1 AND key_hash = ?2")?
        .execute(params![collection, key_hash])?;
    connection
        .prepare_cached(
            "INSERT INTO private_free (length, slot) SELECT length(value), slot FROM private_slot WHERE slot = ?1",
        )?
        .execute([slot])?;
    connection
        .prepare_cached("UPDATE private_slot SET value = zeroblob(length(value)) WHERE slot = ?1")?
        .execute([slot])?;
    Ok(true)
}

/// Puts a value into a free slot of its length, or into a new one.
pub(super) fn fill(connection: &Connection, collection: &str, key: &str, value: &[u8]) -> Result<(), StoreError> {
    let length = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let mut find = connection.prepare_cached("SELECT slot FROM private_free WHERE length = ?1 LIMIT 1")?;
    let free: Option<i64> = find.query_row([length], |row| row.get(0)).optional()?;
    let slot = match free {
        Some(slot) => {
            connection
                .prepare_cached("DELETE FROM private_free WHERE length = ?1 AND slot = ?2")?
                .execute([length, slot])?;
            let filled = connection
                .prepare_cached("UPDATE private_slot SET value = ?2 WHERE slot = ?1 AND length(value) = ?3")?
                .execute(params![slot, value, length])?;
            if filled == 0 {
                return Err(StoreError::Damaged(format!("private slot {slot} is not as the list of free ones says")));
            }
            slot
        }
        None => {
            connection.prepare_cached("INSERT INTO private_slot (value) VALUES (?1)")?.execute([value])?;
            connection.last_insert_rowid()
        }
    };
    connection
        .prepare_cached("INSERT INTO private_value (collection, key, key_hash, slot) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![collection, key, hashed(collection, key).1, slot])?;
    Ok(())
}
