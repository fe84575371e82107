//! Single values by name.

use rusqlite::{OptionalExtension, Transaction, params};
use semblance_core::random::RandomSource;

use super::StoreError;

/// The next block to follow, eight bytes big-endian.
pub const NEXT_BLOCK: &str = "next-block";
/// The time of the last block that was followed, in milliseconds since 1970, eight bytes big-endian.
pub const FOLLOWED_UNTIL: &str = "followed-until";
/// The secret under which clinicians' weekly pseudonyms are made, 32 bytes.
pub const PSEUDONYM_SECRET: &str = "pseudonym-secret";

/// Reads a value.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(tx.query_row("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0)).optional()?)
}

/// Writes a value.
///
/// # Errors
/// Failing storage.
pub fn set(tx: &Transaction<'_>, name: &str, value: &[u8]) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, value],
    )?;
    Ok(())
}

/// Reads a number, 0 when it was never set.
///
/// # Errors
/// Failing storage, or a value that is no number.
pub fn number(tx: &Transaction<'_>, name: &str) -> Result<u64, StoreError> {
    let Some(bytes) = get(tx, name)? else { return Ok(0) };
    let bytes = <[u8; 8]>::try_from(bytes).map_err(|_| StoreError::Damaged(format!("setting {name}")))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Reads a secret of 32 bytes, drawing it the first time.
///
/// # Errors
/// Failing storage, or a value of another length.
pub fn secret(tx: &Transaction<'_>, name: &str, random: &dyn RandomSource) -> Result<[u8; 32], StoreError> {
    if let Some(bytes) = get(tx, name)? {
        return <[u8; 32]>::try_from(bytes).map_err(|_| StoreError::Damaged(format!("setting {name}")));
    }
    let drawn: [u8; 32] = random.array();
    set(tx, name, &drawn)?;
    Ok(drawn)
}
