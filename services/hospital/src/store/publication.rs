//! What of this hospital's cases stands, or shall stand, on the ledger.

use rusqlite::{OptionalExtension, Transaction, params};
use semblance_core::id::{CaseHandle, ConsentId};
use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;

use super::case::LocalCaseId;
use super::{StoreError, blob, millis, moment, optional_blob, parsed, unsigned, words};

words! {
    /// How far a publication got.
    PublicationState {
        /// The ledger has not acknowledged it yet.
        Queued = "queued",
        /// It can be found.
        Live = "live",
        /// A corrected one took its place; its private data waits to be purged.
        Replaced = "replaced",
        /// Its consent is withdrawn; its private data waits to be purged.
        Withdrawn = "withdrawn",
        /// Its consent's time is over; its private data waits to be purged.
        Expired = "expired",
        /// Its epoch is closed; its private data waits to be purged.
        Closed = "closed",
        /// Nothing of it is left but its handle and two hashes.
        Purged = "purged",
        /// The ledger refused it.
        Refused = "refused",
    }
}

/// One publication of a case.
#[derive(Clone)]
pub struct Publication {
    /// Its random public name.
    pub handle: CaseHandle,
    /// The case.
    pub local_id: LocalCaseId,
    /// The consent it stands on.
    pub consent: ConsentId,
    /// The epoch of its tokens.
    pub epoch: EpochNumber,
    /// The revision of the case it was made from.
    pub revision: u32,
    /// How many observed symptoms it was made from.
    pub terms: u32,
    /// The publication it takes the place of.
    pub replaces: Option<CaseHandle>,
    /// How far it got.
    pub state: PublicationState,
    /// Why it was refused.
    pub code: Option<String>,
    /// When it was made.
    pub at: Timestamp,
}

const COLUMNS: &str = "handle, local_id, consent, epoch, revision, terms, replaces, state, code, at";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Publication> {
    Ok(Publication {
        handle: CaseHandle::from_bytes(blob(row, 0)?),
        local_id: parsed(row, 1)?,
        consent: ConsentId::from_bytes(blob(row, 2)?),
        epoch: EpochNumber(row.get(3)?),
        revision: row.get(4)?,
        terms: row.get(5)?,
        replaces: optional_blob(row, 6)?.map(CaseHandle::from_bytes),
        state: parsed(row, 7)?,
        code: row.get(8)?,
        at: moment(row, 9)?,
    })
}

/// Stores a publication.
///
/// # Errors
/// Failing storage.
pub fn insert(tx: &Transaction<'_>, publication: &Publication) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO publications (handle, local_id, consent, epoch, revision, terms, replaces, state, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        publication.handle.as_bytes(),
        publication.local_id.as_str(),
        publication.consent.as_bytes(),
        publication.epoch.0,
        publication.revision,
        publication.terms,
        publication.replaces.map(|handle| *handle.as_bytes()),
        publication.state.as_str(),
        millis(publication.at),
    ])?;
    Ok(())
}

/// Reads a publication.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, handle: CaseHandle) -> Result<Option<Publication>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM publications WHERE handle = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([handle.as_bytes()], read).optional()?)
}

/// Reads the newest publication of a case, whatever became of it.
///
/// # Errors
/// Failing storage.
pub fn newest(tx: &Transaction<'_>, id: &LocalCaseId) -> Result<Option<Publication>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM publications WHERE local_id = ?1 ORDER BY number DESC LIMIT 1");
    Ok(tx.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// Reads the publications of a case in one epoch that are queued or live, newest first.
///
/// # Errors
/// Failing storage.
pub fn standing(tx: &Transaction<'_>, id: &LocalCaseId, epoch: EpochNumber) -> Result<Vec<Publication>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM publications WHERE local_id = ?1 AND epoch = ?2 AND state IN ('queued', 'live')
         ORDER BY number DESC"
    );
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map(params![id.as_str(), epoch.0], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads the publications that stand on a consent and are not purged yet.
///
/// # Errors
/// Failing storage.
pub fn of_consent(tx: &Transaction<'_>, consent: ConsentId) -> Result<Vec<Publication>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM publications WHERE consent = ?1 AND state <> 'purged' ORDER BY number");
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map([consent.as_bytes()], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads the live publications of an epoch.
///
/// # Errors
/// Failing storage.
pub fn live_in(tx: &Transaction<'_>, epoch: EpochNumber) -> Result<Vec<CaseHandle>, StoreError> {
    let mut select =
        tx.prepare_cached("SELECT handle FROM publications WHERE epoch = ?1 AND state = 'live' ORDER BY number")?;
    let rows = select.query_map([epoch.0], |row| Ok(CaseHandle::from_bytes(blob(row, 0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts the purged publications that stood on a consent.
///
/// # Errors
/// Failing storage.
pub fn purged_of(tx: &Transaction<'_>, consent: ConsentId) -> Result<u64, StoreError> {
    let mut select = tx.prepare_cached("SELECT count(*) FROM publications WHERE consent = ?1 AND state = 'purged'")?;
    Ok(select.query_row([consent.as_bytes()], |row| unsigned(row, 0))?)
}

/// Records how far a publication got.
///
/// # Errors
/// Failing storage.
pub fn set_state(
    tx: &Transaction<'_>,
    handle: CaseHandle,
    state: PublicationState,
    code: Option<&str>,
) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE publications SET state = ?2, code = ?3 WHERE handle = ?1")?.execute(params![
        handle.as_bytes(),
        state.as_str(),
        code
    ])?;
    Ok(())
}
