//! Which transaction withdrew which consent, as read block by block.

use rusqlite::{OptionalExtension, params};
use semblance_core::id::{ConsentId, TransactionId};
use semblance_core::time::Timestamp;

use super::channel::{millis, signed, unsigned};
use super::{Desk, Office, OfficeError};

impl Office {
    /// The next block of the ledger to read.
    ///
    /// # Errors
    /// The database failed.
    pub fn next_block(&mut self, now: Timestamp) -> Result<u64, OfficeError> {
        self.look(now, |desk| {
            let found = desk
                .db
                .prepare_cached("SELECT value FROM settings WHERE name = 'next-block'")?
                .query_row([], |row| row.get(0))
                .optional()?;
            Ok(found.map_or(0, unsigned))
        })
    }

    /// Takes what a block says: these consents were withdrawn by these transactions. Everything that rests on them ends
    /// in the same transaction that notes the block as read.
    ///
    /// # Errors
    /// The database failed; the block is to be taken again.
    pub fn take_block(
        &mut self,
        (number, at): (u64, Timestamp),
        withdrawn: &[(ConsentId, TransactionId)],
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| {
            for (consent, transaction) in withdrawn {
                desk.db
                    .prepare_cached(
                        "INSERT INTO withdrawn (consent, transaction_id, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![consent.as_bytes(), transaction.as_bytes(), millis(at)])?;
                desk.end_consent(*consent, Some(*transaction))?;
            }
            desk.db
                .prepare_cached(
                    "INSERT INTO settings (name, value) VALUES ('next-block', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute([signed(number.saturating_add(1))])?;
            Ok(())
        })
    }

    /// By which transaction a consent was withdrawn, and when, as far as blocks were read.
    ///
    /// # Errors
    /// The database failed.
    pub fn withdrawal(
        &mut self,
        consent: ConsentId,
        now: Timestamp,
    ) -> Result<Option<(TransactionId, Timestamp)>, OfficeError> {
        self.look(now, |desk| {
            let found = desk
                .db
                .prepare_cached("SELECT transaction_id, at FROM withdrawn WHERE consent = ?1")?
                .query_row([consent.as_bytes()], |row| {
                    let at = Timestamp::from_millis(unsigned(row.get(1)?));
                    Ok((TransactionId::from_bytes(row.get(0)?), at))
                })
                .optional()?;
            Ok(found)
        })
    }
}

impl Desk<'_> {
    /// Whether a consent was withdrawn, as far as blocks were read. What comes with facts from before has to be held
    /// against this in its own transaction: the block may have been read since.
    pub(super) fn is_withdrawn(&self, consent: ConsentId) -> Result<bool, OfficeError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM withdrawn WHERE consent = ?1)";
        Ok(self.db.prepare_cached(sql)?.query_row([consent.as_bytes()], |row| row.get(0))?)
    }
}
