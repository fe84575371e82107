//! Who of the hospital's clinicians looks after which case.

use rusqlite::{Transaction, params};

use super::StoreError;
use super::case::LocalCaseId;

/// Assigns a clinician to a case; the same again changes nothing.
///
/// # Errors
/// Failing storage.
pub fn assign(tx: &Transaction<'_>, id: &LocalCaseId, clinician: &str) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO case_clinicians (local_id, clinician) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![id.as_str(), clinician])?;
    Ok(())
}

/// Whether a clinician looks after a case: assigned to it, or having looked up cases similar to it.
///
/// # Errors
/// Failing storage.
pub fn looks_after(tx: &Transaction<'_>, id: &LocalCaseId, clinician: &str) -> Result<bool, StoreError> {
    let found: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM case_clinicians WHERE local_id = ?1 AND clinician = ?2)
                 OR EXISTS (SELECT 1 FROM lookups WHERE local_id = ?1 AND clinician = ?2)",
        )?
        .query_row(params![id.as_str(), clinician], |row| row.get(0))?;
    Ok(found)
}
