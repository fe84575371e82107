//! Epochs that the ledger closed: what was published in them is purged.

use rusqlite::Transaction;
use semblance_core::token::EpochNumber;

use super::StoreError;

/// Notes that an epoch is closed.
///
/// # Errors
/// Failing storage.
pub fn add(tx: &Transaction<'_>, epoch: EpochNumber) -> Result<(), StoreError> {
    tx.execute("INSERT INTO closed_epochs (epoch) VALUES (?1) ON CONFLICT DO NOTHING", [epoch.0])?;
    Ok(())
}

/// Whether an epoch is known to be closed.
///
/// # Errors
/// Failing storage.
pub fn contains(tx: &Transaction<'_>, epoch: EpochNumber) -> Result<bool, StoreError> {
    Ok(tx.prepare_cached("SELECT 1 FROM closed_epochs WHERE epoch = ?1")?.exists([epoch.0])?)
}
