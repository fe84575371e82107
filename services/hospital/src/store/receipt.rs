//! Who found this hospital's cases: the receipts on the ledger that its keys opened.

use rusqlite::{OptionalExtension, Transaction, params};
use semblance_core::id::{CaseHandle, OrganisationId, RequestId};
use semblance_core::time::Timestamp;

use super::case::LocalCaseId;
use super::{StoreError, blob, millis, moment, parsed, signed, unsigned};

/// One opened receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The look-up.
    pub request: RequestId,
    /// The slot of the entry that held it, 0 to 9.
    pub slot: u8,
    /// Our case that was found.
    pub handle: CaseHandle,
    /// Its local id; absent when this store does not know the handle.
    pub local_id: Option<LocalCaseId>,
    /// Who asked.
    pub asker: OrganisationId,
    /// Why, as the purpose's word.
    pub purpose: String,
    /// Whether the asker's case had few symptoms.
    pub short: bool,
    /// Who answered.
    pub matcher: OrganisationId,
    /// The place among the matches, from 1.
    pub rank: u8,
    /// The ledger height of the index that answered.
    pub height: u64,
    /// The block of the entry.
    pub block: u64,
    /// The block's time.
    pub at: Timestamp,
}

const COLUMNS: &str = "request, slot, handle, local_id, asker, purpose, short, matcher, rank, height, block, at";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Receipt> {
    let known = row.get_ref(3)? != rusqlite::types::ValueRef::Null;
    Ok(Receipt {
        request: RequestId::from_bytes(blob(row, 0)?),
        slot: row.get(1)?,
        handle: CaseHandle::from_bytes(blob(row, 2)?),
        local_id: if known { Some(parsed(row, 3)?) } else { None },
        asker: parsed(row, 4)?,
        purpose: row.get(5)?,
        short: row.get(6)?,
        matcher: parsed(row, 7)?,
        rank: row.get(8)?,
        height: unsigned(row, 9)?,
        block: unsigned(row, 10)?,
        at: moment(row, 11)?,
    })
}

/// Stores a receipt; one that is there already is left as it is.
///
/// # Errors
/// Failing storage.
pub fn add(tx: &Transaction<'_>, receipt: &Receipt) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO receipts (request, slot, handle, local_id, asker, purpose, short, matcher, rank, height, block, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (request, slot) DO NOTHING",
    )?
    .execute(params![
        receipt.request.as_bytes(),
        receipt.slot,
        receipt.handle.as_bytes(),
        receipt.local_id.as_ref().map(LocalCaseId::as_str),
        receipt.asker.as_str(),
        receipt.purpose,
        receipt.short,
        receipt.matcher.as_str(),
        receipt.rank,
        signed(receipt.height),
        signed(receipt.block),
        millis(receipt.at),
    ])?;
    Ok(())
}

/// Reads receipts, newest block first, skipping `skip`, at most `limit`; of one case, or of all.
///
/// # Errors
/// Failing storage.
pub fn page(
    tx: &Transaction<'_>,
    case: Option<&LocalCaseId>,
    skip: usize,
    limit: usize,
) -> Result<Vec<Receipt>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM receipts WHERE ?1 IS NULL OR local_id = ?1
         ORDER BY block DESC, request, slot LIMIT ?2 OFFSET ?3"
    );
    let mut select = tx.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let rows = select.query_map(params![case.map(LocalCaseId::as_str), limit, skip], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads the receipt of a look-up that stood in a slot.
///
/// # Errors
/// Failing storage.
pub fn in_slot(tx: &Transaction<'_>, request: RequestId, slot: u8) -> Result<Option<Receipt>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM receipts WHERE request = ?1 AND slot = ?2");
    Ok(tx.prepare_cached(&sql)?.query_row(params![request.as_bytes(), slot], read).optional()?)
}

/// Reads the receipt of a look-up for the case at a place of the answer.
///
/// # Errors
/// Failing storage.
pub fn at_rank(tx: &Transaction<'_>, request: RequestId, rank: u8) -> Result<Option<Receipt>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM receipts WHERE request = ?1 AND rank = ?2 ORDER BY slot LIMIT 1");
    Ok(tx.prepare_cached(&sql)?.query_row(params![request.as_bytes(), rank], read).optional()?)
}
