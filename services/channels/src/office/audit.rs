//! What the office did and refused, in the order it happened. It stays here: on the ledger it would tell everybody who
//! speaks with whom.

use rusqlite::params;
use semblance_core::id::ChannelId;
use semblance_core::time::Timestamp;

use super::channel::{millis, signed, unsigned};
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
    /// Forgets what is older than a year, and what is more than a million.
    pub(super) fn clean_audit(&self) -> Result<(), OfficeError> {
        let before = Timestamp::from_millis(self.now.millis().saturating_sub(KEPT_MILLIS));
        self.db.prepare_cached("DELETE FROM audit WHERE at < ?1")?.execute([millis(before)])?;
        self.trim_audit(KEPT_ROWS)
    }

    /// Forgets what is more than so many rows: the oldest of whoever has the most, so that nobody makes enough noise to
    /// have forgotten what others did, or what they did themselves before.
    fn trim_audit(&self, most: u64) -> Result<(), OfficeError> {
        loop {
            let rows: i64 = self.db.prepare_cached("SELECT count(*) FROM audit")?.query_row([], |row| row.get(0))?;
            let excess = unsigned(rows).saturating_sub(most);
            if excess == 0 {
                return Ok(());
            }
            let sql = "SELECT actor, count(*) FROM audit GROUP BY actor ORDER BY 2 DESC LIMIT 1";
            let loudest = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
            let (actor, rows) = self.db.prepare_cached(sql)?.query_row([], loudest)?;
            // After half of them somebody else may have more.
            let gone = excess.min(unsigned(rows).div_ceil(2));
            let sql = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE actor = ?1 ORDER BY id LIMIT ?2)";
            self.db.prepare_cached(sql)?.execute(params![actor, signed(gone)])?;
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use semblance_core::id::NetworkId;
    use semblance_core::random::SeededSource;

    use super::*;
    use crate::testing::organisation;

    #[test]
    fn whoever_makes_noise_has_nothing_of_others_forgotten() {
        let random = Arc::new(SeededSource::new([1; 32]));
        let mut office = Office::in_memory(NetworkId::from_bytes([7; 16]), organisation("north"), random).unwrap();
        let now = Timestamp::from_millis(1_700_000_000_000);
        let lines = office.step(now, |desk| {
            for (actor, rows) in [("south", 3), ("east", 2), ("noisy", 40), ("loud", 30), ("north", 1)] {
                (0..rows).try_for_each(|row| desk.note(actor, &format!("{row}"), None, "ok"))?;
            }
            desk.trim_audit(20)?;
            let mut statement = desk.db.prepare_cached("SELECT actor, action FROM audit ORDER BY id")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<Vec<(String, String)>, _>>()?)
        });
        let lines = lines.unwrap();
        let of = |actor: &str| lines.iter().filter(|(one, _)| one == actor).count();
        assert_eq!((lines.len(), of("south"), of("east"), of("north")), (20, 3, 2, 1));
        assert!(of("noisy") >= 5 && of("loud") >= 5, "both lose: {lines:?}");
        assert_eq!(lines.iter().rfind(|(one, _)| one == "noisy").unwrap().1, "39", "the oldest go");
    }
}
