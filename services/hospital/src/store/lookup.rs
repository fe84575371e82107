//! Look-ups that this hospital asked, with the answers they got.

use rusqlite::{OptionalExtension, Transaction, params};
use semblance_core::id::{OrganisationId, RequestId, TransactionId};
use semblance_core::time::{Day, Timestamp};
use semblance_core::token::EpochNumber;

use super::case::LocalCaseId;
use super::{StoreError, blob, millis, moment, optional_blob, parsed, signed, unsigned, words};

words! {
    /// How far a look-up got.
    LookupState {
        /// It is signed and stored; the matcher's answer is not here yet.
        Asked = "asked",
        /// The matcher answered; the entry on the own ledger is not checked yet.
        Answered = "answered",
        /// It was checked; the report says what passed.
        Shown = "shown",
        /// The matcher or the ledger refused it; there is no entry.
        Refused = "refused",
        /// The answer did not pass the checks.
        Failed = "failed",
    }
}

/// One look-up.
#[derive(Clone)]
pub struct StoredLookup {
    /// Its random name; a retry keeps it.
    pub request: RequestId,
    /// The own case it is made from.
    pub local_id: LocalCaseId,
    /// The clinician, as this hospital knows them.
    pub clinician: String,
    /// The purpose's word.
    pub purpose: String,
    /// `close` or `wide`.
    pub breadth: String,
    /// The epoch of its tokens.
    pub epoch: EpochNumber,
    /// The matcher asked.
    pub matcher: OrganisationId,
    /// How many cases were asked for.
    pub count: u8,
    /// Until when it may be recorded.
    pub expires: Timestamp,
    /// The day of its slot.
    pub day: Day,
    /// The slot's number on that day.
    pub slot: u16,
    /// The signed request, exactly as it goes to the matcher.
    pub signed: Vec<u8>,
    /// The query's opening, until the answer is checked.
    pub opening: Option<Vec<u8>>,
    /// The case's terms in the order of the query's groups, four bytes each.
    pub groups: Vec<u8>,
    /// The matcher's answer as it came.
    pub answer: Option<Vec<u8>>,
    /// The transaction and the block that are said to hold the entry.
    pub placed: Option<(TransactionId, u64)>,
    /// How far it got.
    pub state: LookupState,
    /// Why it was refused or failed.
    pub code: Option<String>,
    /// What was shown, as JSON.
    pub report: Option<String>,
    /// When it was asked.
    pub at: Timestamp,
}

pub(super) const COLUMNS: &str = "request, local_id, clinician, purpose, breadth, epoch, matcher, expires, day, slot, signed, \
                       opening, groups, answer, placed, block, state, code, report, at, count";

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredLookup> {
    Ok(StoredLookup {
        request: RequestId::from_bytes(blob(row, 0)?),
        local_id: parsed(row, 1)?,
        clinician: row.get(2)?,
        purpose: row.get(3)?,
        breadth: row.get(4)?,
        epoch: EpochNumber(row.get(5)?),
        matcher: parsed(row, 6)?,
        expires: moment(row, 7)?,
        day: Day::from_number(row.get(8)?),
        slot: row.get(9)?,
        signed: row.get(10)?,
        opening: row.get(11)?,
        groups: row.get(12)?,
        answer: row.get(13)?,
        placed: match optional_blob(row, 14)? {
            Some(transaction) => Some((TransactionId::from_bytes(transaction), unsigned(row, 15)?)),
            None => None,
        },
        state: parsed(row, 16)?,
        code: row.get(17)?,
        report: row.get(18)?,
        at: moment(row, 19)?,
        count: row.get(20)?,
    })
}

/// Stores a look-up before it is asked.
///
/// # Errors
/// Failing storage, or its slot is taken.
pub fn insert(tx: &Transaction<'_>, lookup: &StoredLookup) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO lookups (request, local_id, clinician, purpose, breadth, epoch, matcher, expires, day,
                              slot, hold, signed, opening, groups, state, at, count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'open', ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        lookup.request.as_bytes(),
        lookup.local_id.as_str(),
        lookup.clinician,
        lookup.purpose,
        lookup.breadth,
        lookup.epoch.0,
        lookup.matcher.as_str(),
        millis(lookup.expires),
        lookup.day.number(),
        lookup.slot,
        lookup.signed,
        lookup.opening,
        lookup.groups,
        lookup.state.as_str(),
        millis(lookup.at),
        lookup.count,
    ])?;
    Ok(())
}

/// Reads a look-up.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, request: RequestId) -> Result<Option<StoredLookup>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM lookups WHERE request = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([request.as_bytes()], read).optional()?)
}

/// What makes a question the same as one that waits for its answer.
pub struct SameQuestion {
    /// The own case.
    pub local_id: LocalCaseId,
    /// The clinician.
    pub clinician: String,
    /// The purpose's word.
    pub purpose: &'static str,
    /// `close` or `wide`.
    pub breadth: &'static str,
    /// The epoch.
    pub epoch: EpochNumber,
    /// The matcher asked.
    pub matcher: OrganisationId,
    /// How many cases are asked for.
    pub count: u8,
    /// When the case was last changed: it was asked after that.
    pub since: Timestamp,
    /// It does not expire before that.
    pub until: Timestamp,
}

/// Finds the newest request in which a question waits for its answer.
///
/// # Errors
/// Failing storage.
pub fn waiting(tx: &Transaction<'_>, same: &SameQuestion) -> Result<Option<RequestId>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT request FROM lookups WHERE state = 'asked' AND at >= ?8 AND expires > ?9 AND local_id = ?1
         AND clinician = ?2 AND purpose = ?3 AND breadth = ?4 AND epoch = ?5 AND matcher = ?6 AND count = ?7
         ORDER BY at DESC LIMIT 1",
    )?;
    let found = select.query_row(
        params![
            same.local_id.as_str(),
            same.clinician,
            same.purpose,
            same.breadth,
            same.epoch.0,
            same.matcher.as_str(),
            same.count,
            millis(same.since),
            millis(same.until),
        ],
        |row| Ok(RequestId::from_bytes(blob(row, 0)?)),
    );
    Ok(found.optional()?)
}

/// Reads look-ups, newest first, skipping `skip`, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn page(tx: &Transaction<'_>, skip: usize, limit: usize) -> Result<Vec<StoredLookup>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM lookups ORDER BY at DESC, request LIMIT ?1 OFFSET ?2");
    let mut select = tx.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let rows = select.query_map(params![limit, skip], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many look-ups a clinician has made from this day on, refused ones left out.
///
/// # Errors
/// Failing storage.
pub fn count_since(tx: &Transaction<'_>, clinician: &str, day: Day) -> Result<u32, StoreError> {
    let mut select =
        tx.prepare_cached("SELECT count(*) FROM lookups WHERE clinician = ?1 AND day >= ?2 AND state <> 'refused'")?;
    Ok(select.query_row(params![clinician, day.number()], |row| row.get(0))?)
}

/// Keeps the matcher's answer and where it says the entry stands.
///
/// # Errors
/// Failing storage.
pub fn set_answer(
    tx: &Transaction<'_>,
    request: RequestId,
    answer: &[u8],
    transaction: TransactionId,
    block: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE lookups SET answer = ?2, placed = ?3, block = ?4, state = 'answered'
         WHERE request = ?1 AND state = 'asked'",
    )?
    .execute(params![request.as_bytes(), answer, transaction.as_bytes(), signed(block)])?;
    Ok(())
}

/// Forgets an answer that no entry confirms, so that the same request is asked again.
///
/// # Errors
/// Failing storage.
pub fn ask_again(tx: &Transaction<'_>, request: RequestId) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE lookups SET answer = NULL, placed = NULL, block = NULL, state = 'asked'
         WHERE request = ?1 AND state = 'answered'",
    )?
    .execute([request.as_bytes()])?;
    Ok(())
}

/// Records how a look-up ended, unless it is shown already; its opening goes.
///
/// # Errors
/// Failing storage.
pub fn finish(
    tx: &Transaction<'_>,
    request: RequestId,
    state: LookupState,
    code: Option<&str>,
    report: Option<&str>,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE lookups SET state = ?2, code = ?3, report = ?4, opening = NULL,
                            hold = CASE ?2 WHEN 'shown' THEN 'used' ELSE hold END
         WHERE request = ?1 AND state <> 'shown'",
    )?
    .execute(params![request.as_bytes(), state.as_str(), code, report])?;
    Ok(())
}
