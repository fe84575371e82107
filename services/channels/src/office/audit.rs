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

/// Whose row it is. Strangers have one name, whatever their number.
const WHO: &str = "CASE WHEN actor LIKE 'stranger%' THEN 'stranger' ELSE actor END";

/// How many rows each may have at most, so that all of them together are not more than so many.
fn share(mut counts: Vec<u64>, most: u64) -> u64 {
    counts.sort_unstable();
    let (mut left, mut those) = (most, counts.len() as u64);
    for count in counts {
        if count.saturating_mul(those) > left {
            break;
        }
        left -= count;
        those -= 1;
    }
    left.checked_div(those).unwrap_or(most)
}

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

    /// If there are more rows than so many, forgets a tenth more than it must: of whoever has the most, what lies between
    /// their first and their last. So nobody makes enough noise to have forgotten what others did, or how they began
    /// themselves.
    fn trim_audit(&self, most: u64) -> Result<(), OfficeError> {
        let rows: i64 = self.db.prepare_cached("SELECT count(*) FROM audit")?.query_row([], |row| row.get(0))?;
        if unsigned(rows) <= most {
            return Ok(());
        }
        let sql = format!("SELECT count(*) FROM audit GROUP BY {WHO}");
        let mut statement = self.db.prepare_cached(&sql)?;
        let counts = statement.query_map([], |row| row.get::<_, i64>(0))?;
        let counts: Vec<u64> = counts.map(|count| count.map(unsigned)).collect::<Result<_, _>>()?;
        let each = share(counts, most - most / 10);
        self.db
            .prepare_cached(&format!(
                "DELETE FROM audit WHERE id IN (SELECT id FROM (
                     SELECT id, row_number() OVER who AS place, count(*) OVER (PARTITION BY {WHO}) AS rows
                     FROM audit WINDOW who AS (PARTITION BY {WHO} ORDER BY id)
                 ) WHERE place > ?1 AND place <= rows - ?2)"
            ))?
            .execute(params![signed(each / 2), signed(each - each / 2)])?;
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
            (2..60).try_for_each(|row| desk.note(&format!("strangers: {row}"), "authenticate", None, "ok"))?;
            desk.trim_audit(134)?;
            desk.trim_audit(40)?;
            let mut statement = desk.db.prepare_cached("SELECT actor, action FROM audit ORDER BY id")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<Vec<(String, String)>, _>>()?)
        });
        let lines = lines.unwrap();
        let of = |actor: &str| lines.iter().filter(|(one, _)| one.starts_with(actor)).count();
        assert_eq!(lines.len(), 36, "a tenth less than forty");
        assert_eq!((of("south"), of("east"), of("north")), (3, 2, 1), "what others did stays");
        assert_eq!((of("noisy"), of("loud"), of("strangers")), (10, 10, 10), "the rest is shared out");
        let noisy: Vec<_> = lines.iter().filter(|(one, _)| one == "noisy").map(|(_, action)| action.as_str()).collect();
        assert_eq!(noisy, ["0", "1", "2", "3", "4", "35", "36", "37", "38", "39"], "how it began, and the last");
    }
}
