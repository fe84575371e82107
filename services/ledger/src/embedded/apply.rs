//! Puts the writes of a valid transaction into the tables.

use rusqlite::{Connection, params};
use semblance_core::id::TransactionId;

use super::effects::{Version, WriteSet};
use super::policy::policy_bytes;
use super::slots;
use super::store::{StoreError, signed};
use super::stub::PrivateValues;

/// Writes values, policies and private data. Says whether private data were removed.
pub(super) fn apply(
    connection: &Connection,
    version: Version,
    writes: &WriteSet,
    private: &PrivateValues,
) -> Result<bool, StoreError> {
    apply_public(connection, version, writes)?;
    let mut removed = false;
    for ((collection, key_hash), value_hash) in &writes.private {
        // Replaced values are wiped like purged ones: no old private value stays behind.
        removed |= slots::wipe(connection, collection, key_hash)?;
        match value_hash {
            Some(hash) => connection
                .prepare_cached(
                    "INSERT INTO private_hash (collection, key_hash, value_hash, block, position) \
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
                     value_hash = excluded.value_hash, block = excluded.block, position = excluded.position",
                )?
                .execute(params![collection, key_hash, hash, signed(version.block), version.position])?,
            None => connection
                .prepare_cached("DELETE FROM private_hash WHERE collection = ?1 AND key_hash = ?2")?
                .execute(params![collection, key_hash])?,
        };
    }
    for ((collection, key), value) in private {
        slots::fill(connection, collection, key, value)?;
    }
    Ok(removed)
}

fn apply_public(connection: &Connection, version: Version, writes: &WriteSet) -> Result<(), StoreError> {
    for (key, value) in &writes.public {
        match value {
            Some(value) => connection
                .prepare_cached(
                    "INSERT INTO state (key, value, block, position) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE \
                     SET value = excluded.value, block = excluded.block, position = excluded.position",
                )?
                .execute(params![key, value, signed(version.block), version.position])?,
            None => connection.prepare_cached("DELETE FROM state WHERE key = ?1")?.execute([key])?,
        };
    }
    for (key, policy) in &writes.policies {
        // On a key that holds nothing a policy has no effect.
        connection
            .prepare_cached("UPDATE state SET policy = ?2, block = ?3, position = ?4 WHERE key = ?1")?
            .execute(params![key, policy_bytes(policy), signed(version.block), version.position])?;
    }
    Ok(())
}

/// Remembers where a transaction stands.
pub(super) fn index(connection: &Connection, id: TransactionId, version: Version) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO transaction_index (id, block, position) VALUES (?1, ?2, ?3)")?
        .execute(params![id.as_bytes(), signed(version.block), version.position])?;
    Ok(())
}
