//! What this hospital wants on the ledger and the ledger has not acknowledged yet.
//!
//! A row is written in the transaction that makes the local change, and leaves in the transaction that records the
//! outcome; so a crash in between loses nothing. Every operation carries ids of its own and may be sent twice.

use rusqlite::{Transaction, params};
use semblance_core::time::Timestamp;

use super::{StoreError, millis, parsed, unsigned, words};

words! {
    /// The kinds of ledger operation, in the order in which they are sent.
    Kind {
        /// A withdrawal, first of all: nothing may delay it.
        Withdraw = "withdraw",
        /// A patient's key.
        RegisterKey = "register-key",
        /// A consent.
        Grant = "grant",
        /// A fingerprint.
        Publish = "publish",
        /// The purge of a withdrawn fingerprint.
        Purge = "purge",
        /// A proposed introduction.
        Propose = "propose",
        /// The answer to one.
        Answer = "answer",
        /// The opening of a channel.
        OpenChannel = "open-channel",
        /// The opening of a symptom group.
        OpenGroup = "open-group",
        /// A denial, for every member to see.
        Deny = "deny",
    }
}

/// One operation that waits.
#[derive(Clone)]
pub struct Waiting {
    /// Its number, ascending.
    pub id: i64,
    /// What it is.
    pub kind: Kind,
    /// The id it concerns, in hexadecimal.
    pub subject: String,
    /// Its arguments, as the use case wrote them.
    pub payload: Vec<u8>,
    /// How often it was sent.
    pub attempts: u32,
}

/// Queues an operation; one that waits already is left as it is.
///
/// # Errors
/// Failing storage.
pub fn add(tx: &Transaction<'_>, kind: Kind, subject: &str, payload: &[u8], now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO outbox (kind, subject, payload, due, at) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (kind, subject) DO NOTHING",
    )?
    .execute(params![kind.as_str(), subject, payload, millis(now)])?;
    Ok(())
}

/// No operation is put off so far: one that seems to be was put off by a clock that ran ahead, and is due.
const AHEAD_MILLIS: u64 = 2 * DELAY_MILLIS_MAX;
/// The longest that an operation is put off.
const DELAY_MILLIS_MAX: u64 = 5 * 60 * 1_000;

/// Reads the operations of a kind that are due, oldest first, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn due(tx: &Transaction<'_>, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<Waiting>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT id, kind, subject, payload, attempts FROM outbox WHERE kind = ?1 AND (due <= ?2 OR due > ?3)
         ORDER BY id LIMIT ?4",
    )?;
    let (limit, ahead) = (i64::try_from(limit).unwrap_or(i64::MAX), millis(now.plus(AHEAD_MILLIS)));
    let rows = select.query_map(params![kind.as_str(), millis(now), ahead, limit], |row| {
        Ok(Waiting {
            id: row.get(0)?,
            kind: parsed(row, 1)?,
            subject: row.get(2)?,
            payload: row.get(3)?,
            attempts: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts an operation off after a failure that may pass: 1 s, doubled each time, at most 5 minutes.
///
/// # Errors
/// Failing storage.
pub fn put_off(tx: &Transaction<'_>, waiting: &Waiting, now: Timestamp) -> Result<(), StoreError> {
    let delay = 1_000_u64.saturating_mul(1 << waiting.attempts.min(9)).min(DELAY_MILLIS_MAX);
    tx.prepare_cached("UPDATE outbox SET due = ?2 WHERE id = ?1")?
        .execute(params![waiting.id, millis(now.plus(delay))])?;
    Ok(())
}

/// Gives an operation other arguments for its next try.
///
/// # Errors
/// Failing storage.
pub fn rewrite(tx: &Transaction<'_>, id: i64, payload: &[u8]) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE outbox SET payload = ?2 WHERE id = ?1")?.execute(params![id, payload])?;
    Ok(())
}

/// Removes an operation whose outcome is recorded in the same transaction.
///
/// # Errors
/// Failing storage.
pub fn remove(tx: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Removes an operation that another one made pointless, unless it was sent already. Returns whether it is gone.
///
/// # Errors
/// Failing storage.
pub fn cancel_unsent(tx: &Transaction<'_>, kind: Kind, subject: &str) -> Result<bool, StoreError> {
    let gone = tx.execute(
        "DELETE FROM outbox WHERE kind = ?1 AND subject = ?2 AND attempts = 0",
        params![kind.as_str(), subject],
    )?;
    Ok(gone > 0)
}

/// Whether an operation waits.
///
/// # Errors
/// Failing storage.
pub fn waits(tx: &Transaction<'_>, kind: Kind, subject: &str) -> Result<bool, StoreError> {
    let mut select = tx.prepare_cached("SELECT 1 FROM outbox WHERE kind = ?1 AND subject = ?2")?;
    Ok(select.exists(params![kind.as_str(), subject])?)
}

/// Notes that an operation is being sent: from now on its outcome may be on the ledger without our knowing.
///
/// # Errors
/// Failing storage.
pub fn sending(tx: &Transaction<'_>, batch: &[Waiting]) -> Result<(), StoreError> {
    let mut update = tx.prepare_cached("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?1")?;
    for waiting in batch {
        update.execute([waiting.id])?;
    }
    Ok(())
}

/// Counts what waits.
///
/// # Errors
/// Failing storage.
pub fn count(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    Ok(tx.query_row("SELECT count(*) FROM outbox", [], |row| unsigned(row, 0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_clock_that_ran_ahead_delays_nothing_once_it_is_set() {
        let store = Store::in_memory().unwrap();
        let (now, ahead) = (Timestamp::from_millis(1_000), Timestamp::from_millis(86_400_000));
        store
            .step(|tx| -> Result<(), StoreError> {
                add(tx, Kind::Withdraw, "aa", b"1", ahead)?;
                let found = due(tx, Kind::Withdraw, now, 10)?;
                assert_eq!(found.len(), 1);
                put_off(tx, &found[0], ahead)?;
                assert_eq!(due(tx, Kind::Withdraw, now, 10)?.len(), 1);
                // What is put off by the right clock waits, however often it was tried.
                put_off(tx, &Waiting { attempts: 40, ..found[0].clone() }, now)?;
                assert!(due(tx, Kind::Withdraw, now, 10)?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn an_operation_waits_longer_each_time_and_is_queued_once() {
        let store = Store::in_memory().unwrap();
        let now = Timestamp::from_millis(1_000);
        store
            .step(|tx| -> Result<(), StoreError> {
                add(tx, Kind::Grant, "aa", b"1", now)?;
                add(tx, Kind::Grant, "aa", b"2", now)?;
                let first = due(tx, Kind::Grant, now, 10)?;
                assert_eq!((first.len(), first[0].payload.as_slice()), (1, b"1".as_slice()));
                sending(tx, &first)?;
                assert!(!cancel_unsent(tx, Kind::Grant, "aa")?);
                put_off(tx, &first[0], now)?;
                assert!(due(tx, Kind::Grant, now.plus(999), 10)?.is_empty());
                let second = due(tx, Kind::Grant, now.plus(1_000), 10)?;
                assert_eq!(second[0].attempts, 1);
                sending(tx, &second)?;
                put_off(tx, &second[0], now)?;
                assert!(due(tx, Kind::Grant, now.plus(1_999), 10)?.is_empty());
                remove(tx, second[0].id)?;
                assert_eq!(count(tx)?, 0);
                Ok(())
            })
            .unwrap();
    }
}
