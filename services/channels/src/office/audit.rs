//! What the office did and refused, in the order it happened. It stays here: on the ledger it would tell everybody who
//! speaks with whom.

use rusqlite::params;
use semblance_core::id::ChannelId;
use semblance_core::time::Timestamp;

use super::channel::{millis, signed};
use super::{Desk, Office, OfficeError};
use crate::wire::Refusal;

/// How long what was done and refused is kept, in milliseconds: a year.
const KEPT_MILLIS: u64 = 365 * 86_400_000;
/// How much of it is kept.
const KEPT_ROWS: u64 = 1_000_000;

impl Office {
    /// Records that something was refused.
    ///
    /// # Errors
    /// The database failed.
    pub fn deny(
        &mut self,
        actor: &str,
        action: &str,
        channel: Option<ChannelId>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| desk.note(actor, action, channel, refusal.word()))
    }

    /// The last things that were done or refused, the newest first: time, who, what, and the outcome's word.
    ///
    /// # Errors
    /// The database failed.
    pub fn audit(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(Timestamp, String, String, String)>, OfficeError> {
        self.look(now, |desk| {
            let mut statement =
                desk.db.prepare_cached("SELECT at, actor, action, code FROM audit ORDER BY id DESC LIMIT ?1")?;
            let rows = statement.query_map([limit as i64], |row| {
                let at = Timestamp::from_millis(super::channel::unsigned(row.get(0)?));
                Ok((at, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Desk<'_> {
    /// Forgets what is older than a year, and the oldest of what is more than a million.
    pub(super) fn clean_audit(&self) -> Result<(), OfficeError> {
        let before = Timestamp::from_millis(self.now.millis().saturating_sub(KEPT_MILLIS));
        self.db.prepare_cached("DELETE FROM audit WHERE at < ?1")?.execute([millis(before)])?;
        let sql = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1";
        self.db.prepare_cached(sql)?.execute([signed(KEPT_ROWS)])?;
        Ok(())
    }

    pub(super) fn note(
        &self,
        actor: &str,
        action: &str,
        channel: Option<ChannelId>,
        code: &str,
    ) -> Result<(), OfficeError> {
        self.db
            .prepare_cached("INSERT INTO audit (at, actor, action, channel, code) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![millis(self.now), actor, action, channel.as_ref().map(ChannelId::as_bytes), code])?;
        Ok(())
    }
}
