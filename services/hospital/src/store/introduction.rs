//! Introductions that this hospital proposed, or that were proposed to it.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use semblance_core::id::{CaseHandle, ConsentId, IntroductionId, OrganisationId, RequestId};
use semblance_core::introduction::{ConsentOpening, Parties, Reason, Side};
use semblance_core::limits::ANSWER_MAX;
use semblance_core::time::Timestamp;

use super::case::LocalCaseId;
use super::{StoreError, blob, channel, millis, moment, optional_blob, parsed, word, words};

words! {
    /// How far an introduction got.
    IntroductionState {
        /// This hospital's proposal is signed; the ledger has not acknowledged it yet.
        Queued = "queued",
        /// It stands on the ledger and is not answered.
        Proposed = "proposed",
        /// This hospital's answer is signed; the ledger has not acknowledged it yet.
        Answering = "answering",
        /// Both sides agreed.
        Accepted = "accepted",
        /// The other side, or this one, said no.
        Declined = "declined",
        /// Nobody answered in time.
        Expired = "expired",
        /// A consent that it rests on has ended.
        Ended = "ended",
        /// The ledger refused it, or the answer is not to be believed.
        Refused = "refused",
    }
}

/// One side of an introduction: the consent it rests on, and who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// The consent of the side's case.
    pub consent: ConsentOpening,
    /// Who takes part.
    pub parties: Parties,
}

/// A stored introduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIntroduction {
    /// Its random name on the ledger.
    pub introduction: IntroductionId,
    /// Whether this hospital proposed it.
    pub outgoing: bool,
    /// On which side of the look-up this hospital stands.
    pub side: Side,
    /// The look-up in which the cases met.
    pub lookup: RequestId,
    /// The found case's place in the answer, from 1.
    pub rank: u8,
    /// Which of its ten on this look-up the proposer took, from 0.
    pub number: u8,
    /// The other hospital.
    pub other: OrganisationId,
    /// The own case that it is about.
    pub local_id: LocalCaseId,
    /// The found one of the two cases.
    pub handle: CaseHandle,
    /// Why contact is asked for.
    pub reason: Reason,
    /// Opens the commitment to the recipient.
    pub salt: [u8; 32],
    /// Until when it may be answered, inclusive.
    pub expires: Timestamp,
    /// This hospital's side; absent until it agrees.
    pub own: Option<Party>,
    /// The other side; absent until it agrees.
    pub theirs: Option<Party>,
    /// How far it got.
    pub state: IntroductionState,
    /// Why it was declined or refused.
    pub code: Option<String>,
    /// When it was signed here, or when the ledger showed it.
    pub at: Timestamp,
}

const COLUMNS: &str =
    "introduction, outgoing, side, lookup, rank, number, other, local_id, handle, reason, salt, expires,
                       own_consent, own_salt, own_parties, other_consent, other_salt, other_parties, state, code, at";

fn read(row: &Row<'_>) -> rusqlite::Result<StoredIntroduction> {
    Ok(StoredIntroduction {
        introduction: IntroductionId::from_bytes(blob(row, 0)?),
        outgoing: row.get(1)?,
        side: word(row, 2, Side::from_word)?,
        lookup: RequestId::from_bytes(blob(row, 3)?),
        rank: row.get(4)?,
        number: row.get(5)?,
        other: parsed(row, 6)?,
        local_id: parsed(row, 7)?,
        handle: CaseHandle::from_bytes(blob(row, 8)?),
        reason: word(row, 9, Reason::from_word)?,
        salt: blob(row, 10)?,
        expires: moment(row, 11)?,
        own: party(row, 12)?,
        theirs: party(row, 15)?,
        state: parsed(row, 18)?,
        code: row.get(19)?,
        at: moment(row, 20)?,
    })
}

/// Reads consent, salt and parties from three columns.
fn party(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Party>> {
    let Some(consent) = optional_blob(row, column)? else { return Ok(None) };
    let consent = ConsentOpening { consent: ConsentId::from_bytes(consent), salt: blob(row, column + 1)? };
    let bits: u8 = row.get(column + 2)?;
    Ok(Some(Party { consent, parties: Parties { clinicians: bits & 1 != 0, patient: bits & 2 != 0 } }))
}

/// What stands in the three columns of a side.
type PartyColumns = (Option<[u8; 16]>, Option<[u8; 32]>, Option<u8>);

fn columns(party: Option<Party>) -> PartyColumns {
    let Some(Party { consent, parties }) = party else { return (None, None, None) };
    let bits = u8::from(parties.clinicians) | u8::from(parties.patient) << 1;
    (Some(*consent.consent.as_bytes()), Some(consent.salt), Some(bits))
}

/// Stores an introduction; one that is there already is left as it is. Returns whether it is new.
///
/// # Errors
/// Failing storage.
pub fn add(tx: &Transaction<'_>, introduction: &StoredIntroduction) -> Result<bool, StoreError> {
    let (own, theirs) = (columns(introduction.own), columns(introduction.theirs));
    let sql = format!(
        "INSERT INTO introductions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
         ?16, ?17, ?18, ?19, ?20, ?21) ON CONFLICT (introduction) DO NOTHING"
    );
    let added = tx.prepare_cached(&sql)?.execute(params![
        introduction.introduction.as_bytes(),
        introduction.outgoing,
        introduction.side.word(),
        introduction.lookup.as_bytes(),
        introduction.rank,
        introduction.number,
        introduction.other.as_str(),
        introduction.local_id.as_str(),
        introduction.handle.as_bytes(),
        introduction.reason.word(),
        introduction.salt,
        millis(introduction.expires),
        own.0,
        own.1,
        own.2,
        theirs.0,
        theirs.1,
        theirs.2,
        introduction.state.as_str(),
        introduction.code,
        millis(introduction.at),
    ])?;
    Ok(added > 0)
}

/// Reads an introduction.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, id: IntroductionId) -> Result<Option<StoredIntroduction>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM introductions WHERE introduction = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([id.as_bytes()], read).optional()?)
}

/// Reads introductions, newest first, skipping `skip`, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn page(tx: &Transaction<'_>, skip: usize, limit: usize) -> Result<Vec<StoredIntroduction>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM introductions ORDER BY at DESC, introduction LIMIT ?1 OFFSET ?2");
    let (limit, skip) = (i64::try_from(limit).unwrap_or(i64::MAX), i64::try_from(skip).unwrap_or(i64::MAX));
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map(params![limit, skip], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether one side's introduction about this match is under way or accepted.
///
/// # Errors
/// Failing storage.
pub fn stands(tx: &Transaction<'_>, lookup: RequestId, handle: CaseHandle, outgoing: bool) -> Result<bool, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT 1 FROM introductions WHERE lookup = ?1 AND handle = ?2 AND outgoing = ?3
         AND state IN ('queued', 'proposed', 'answering', 'accepted')",
    )?;
    Ok(select.exists(params![lookup.as_bytes(), handle.as_bytes(), outgoing])?)
}

/// The first of this hospital's numbers on a look-up that it has not used.
///
/// # Errors
/// Failing storage.
pub fn free_number(tx: &Transaction<'_>, lookup: RequestId) -> Result<Option<u8>, StoreError> {
    let mut select = tx.prepare_cached("SELECT number FROM introductions WHERE lookup = ?1 AND outgoing = 1")?;
    let used = select.query_map([lookup.as_bytes()], |row| row.get(0))?.collect::<Result<Vec<u8>, _>>()?;
    Ok((0..).take(ANSWER_MAX).find(|number| !used.contains(number)))
}

/// Records how far an introduction got.
///
/// # Errors
/// Failing storage.
pub fn set_state(
    tx: &Transaction<'_>,
    id: IntroductionId,
    state: IntroductionState,
    code: Option<&str>,
) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE introductions SET state = ?2, code = ?3 WHERE introduction = ?1")?.execute(params![
        id.as_bytes(),
        state.as_str(),
        code
    ])?;
    Ok(())
}

/// Records that this side agreed, with what; the answer waits for the ledger.
///
/// # Errors
/// Failing storage.
pub fn set_own(tx: &Transaction<'_>, id: IntroductionId, own: Option<Party>) -> Result<(), StoreError> {
    let (consent, salt, parties) = columns(own);
    tx.prepare_cached(
        "UPDATE introductions SET own_consent = ?2, own_salt = ?3, own_parties = ?4 WHERE introduction = ?1",
    )?
    .execute(params![id.as_bytes(), consent, salt, parties])?;
    Ok(())
}

/// Records that the other side agreed, with what.
///
/// # Errors
/// Failing storage.
pub fn set_theirs(tx: &Transaction<'_>, id: IntroductionId, theirs: Party) -> Result<(), StoreError> {
    let (consent, salt, parties) = columns(Some(theirs));
    tx.prepare_cached(
        "UPDATE introductions SET other_consent = ?2, other_salt = ?3, other_parties = ?4 WHERE introduction = ?1",
    )?
    .execute(params![id.as_bytes(), consent, salt, parties])?;
    Ok(())
}

/// Ends what rests on a consent, of either side: introductions, and the channels that were opened on them.
///
/// # Errors
/// Failing storage.
pub fn end_of(tx: &Transaction<'_>, consent: ConsentId) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE introductions SET state = 'ended', code = NULL WHERE (own_consent = ?1 OR other_consent = ?1)
         AND state IN ('queued', 'proposed', 'answering', 'accepted')",
    )?
    .execute([consent.as_bytes()])?;
    channel::end_with_introductions(tx)
}

/// Ends the introductions that nobody answered in time.
///
/// # Errors
/// Failing storage.
pub fn expire(tx: &Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE introductions SET state = 'expired' WHERE state = 'proposed' AND expires < ?1")?
        .execute([millis(now)])?;
    Ok(())
}
