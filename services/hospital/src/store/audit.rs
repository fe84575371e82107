//! What was done and what was denied at this hospital, in the order it happened.

use rusqlite::{Transaction, params};
use semblance_core::time::Timestamp;

use super::{StoreError, millis, moment};

/// One line of the local audit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AuditLine {
    /// Its number, ascending.
    pub id: i64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Who: the caller by certificate, or `node`, `ledger`.
    pub actor: String,
    /// Of a look-up, the clinician whom the actor named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinician: Option<String>,
    /// What was attempted.
    pub action: String,
    /// On what: a case, a request, a file.
    pub subject: String,
    /// `ok`, or the code of the denial.
    pub code: String,
}

/// Adds a line.
///
/// # Errors
/// Failing storage.
pub fn add(
    tx: &Transaction<'_>,
    at: Timestamp,
    actor: &str,
    action: &str,
    subject: &str,
    code: &str,
) -> Result<(), StoreError> {
    add_named(tx, at, (actor, None), action, subject, code)
}

/// Adds a line of an actor who names a clinician.
///
/// # Errors
/// Failing storage.
pub fn add_named(
    tx: &Transaction<'_>,
    at: Timestamp,
    (actor, clinician): (&str, Option<&str>),
    action: &str,
    subject: &str,
    code: &str,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO audit (at, actor, clinician, action, subject, code) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![millis(at), actor, clinician, action, subject, code])?;
    Ok(())
}

/// Reads the lines that follow number `after`, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn page(tx: &Transaction<'_>, after: i64, limit: usize) -> Result<Vec<AuditLine>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT id, at, actor, action, subject, code, clinician FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = select.query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(AuditLine {
            id: row.get(0)?,
            at: moment(row, 1)?.millis(),
            actor: row.get(2)?,
            action: row.get(3)?,
            subject: row.get(4)?,
            code: row.get(5)?,
            clinician: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
