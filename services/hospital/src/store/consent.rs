//! Consents that this hospital's patients gave.

use rusqlite::{OptionalExtension, Transaction, params};
use semblance_core::id::ConsentId;
use semblance_core::time::Timestamp;

use super::case::LocalCaseId;
use super::{StoreError, blob, introduction, millis, moment, parsed, words};

words! {
    /// How far a consent got.
    ConsentState {
        /// The ledger has not acknowledged it yet.
        Queued = "queued",
        /// It stands on the ledger.
        Live = "live",
        /// Its withdrawal is signed and waits for the ledger.
        Withdrawing = "withdrawing",
        /// It is withdrawn, for ever.
        Withdrawn = "withdrawn",
        /// Its time is over.
        Expired = "expired",
        /// The ledger refused it.
        Refused = "refused",
    }
}

/// A stored consent.
#[derive(Clone)]
pub struct StoredConsent {
    /// Its random name on the ledger.
    pub consent: ConsentId,
    /// The case it is about.
    pub local_id: LocalCaseId,
    /// Its number in the patient key's sequence.
    pub sequence: u32,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub expires: Timestamp,
    /// The exact bytes that the patient's key signed.
    pub statement: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
    /// How far it got.
    pub state: ConsentState,
    /// Why it was refused.
    pub code: Option<String>,
}

const COLUMNS: &str = "consent, local_id, sequence, not_before, expires, statement, signature, state, code";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredConsent> {
    Ok(StoredConsent {
        consent: ConsentId::from_bytes(blob(row, 0)?),
        local_id: parsed(row, 1)?,
        sequence: row.get(2)?,
        not_before: moment(row, 3)?,
        expires: moment(row, 4)?,
        statement: row.get(5)?,
        signature: blob(row, 6)?,
        state: parsed(row, 7)?,
        code: row.get(8)?,
    })
}

/// Stores a consent.
///
/// # Errors
/// Failing storage.
pub fn insert(tx: &Transaction<'_>, consent: &StoredConsent) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO consents (consent, local_id, sequence, not_before, expires, statement, signature, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        consent.consent.as_bytes(),
        consent.local_id.as_str(),
        consent.sequence,
        millis(consent.not_before),
        millis(consent.expires),
        consent.statement,
        consent.signature,
        consent.state.as_str(),
    ])?;
    Ok(())
}

/// Reads a consent.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, consent: ConsentId) -> Result<Option<StoredConsent>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM consents WHERE consent = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([consent.as_bytes()], read).optional()?)
}

/// Reads the newest consent of a case.
///
/// # Errors
/// Failing storage.
pub fn newest(tx: &Transaction<'_>, id: &LocalCaseId) -> Result<Option<StoredConsent>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM consents WHERE local_id = ?1 ORDER BY sequence DESC LIMIT 1");
    Ok(tx.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// Reads the live consents whose time is over, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn overdue(tx: &Transaction<'_>, now: Timestamp, limit: usize) -> Result<Vec<StoredConsent>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM consents WHERE state = 'live' AND expires <= ?1 LIMIT ?2");
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map(params![millis(now), i64::try_from(limit).unwrap_or(i64::MAX)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records how far a consent got. With one that ends, what rests on it ends: introductions, and channels opened on them.
///
/// # Errors
/// Failing storage.
pub fn set_state(
    tx: &Transaction<'_>,
    consent: ConsentId,
    state: ConsentState,
    code: Option<&str>,
) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE consents SET state = ?2, code = ?3 WHERE consent = ?1")?.execute(params![
        consent.as_bytes(),
        state.as_str(),
        code
    ])?;
    match state {
        ConsentState::Withdrawing | ConsentState::Withdrawn | ConsentState::Expired => {
            introduction::end_of(tx, consent)
        }
        ConsentState::Queued | ConsentState::Live | ConsentState::Refused => Ok(()),
    }
}
