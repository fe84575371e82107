//! The network's members as the ledger last showed them, for the time when it cannot be asked and as what a later
//! record must continue.

use rusqlite::{OptionalExtension, Transaction, params};
use semblance_core::id::OrganisationId;
use semblance_core::organisation::Organisation;
use semblance_core::record::Record;

use super::StoreError;

/// Keeps a member's record in place of an earlier one.
///
/// # Errors
/// Failing storage.
pub fn put(tx: &Transaction<'_>, member: &Organisation) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO members (organisation, record) VALUES (?1, ?2)
         ON CONFLICT (organisation) DO UPDATE SET record = excluded.record",
    )?
    .execute(params![member.id.as_str(), member.encode()])?;
    Ok(())
}

/// Keeps the record of a member of whom nothing is known yet.
///
/// # Errors
/// Failing storage.
pub fn seed(tx: &Transaction<'_>, member: &Organisation) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO members (organisation, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![member.id.as_str(), member.encode()])?;
    Ok(())
}

/// Reads a member's record.
///
/// # Errors
/// Failing storage, or a record that does not read back.
pub fn get(tx: &Transaction<'_>, organisation: &OrganisationId) -> Result<Option<Organisation>, StoreError> {
    let record: Option<Vec<u8>> = tx
        .prepare_cached("SELECT record FROM members WHERE organisation = ?1")?
        .query_row([organisation.as_str()], |row| row.get(0))
        .optional()?;
    let damaged = |_| StoreError::Damaged("a member's record".to_owned());
    record.map(|record| Organisation::decode(&record).map_err(damaged)).transpose()
}
