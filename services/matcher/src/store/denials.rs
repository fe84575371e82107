//! Denials that wait for the ledger: written down before the caller hears of them, dropped when they are recorded.

use semblance_core::denial::Denial;
use semblance_core::record::Record;

use super::{MatcherStore, StoreError};

/// A denial that waits, and its place in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDenial {
    /// Its place.
    pub place: i64,
    /// The denial.
    pub denial: Denial,
}

impl MatcherStore {
    /// Writes a denial down.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_denial(&self, denial: &Denial) -> Result<(), StoreError> {
        self.connection().execute("INSERT INTO denial (bytes) VALUES (?1)", [denial.encode()])?;
        Ok(())
    }

    /// The denials that have waited longest.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn waiting_denials(&self, limit: usize) -> Result<Vec<WaitingDenial>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT place, bytes FROM denial ORDER BY place LIMIT ?1")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query([limit])?;
        let mut waiting = Vec::new();
        while let Some(row) = rows.next()? {
            let denial = Denial::decode(&row.get::<_, Vec<u8>>(1)?).map_err(|_| StoreError::Malformed("denial"))?;
            waiting.push(WaitingDenial { place: row.get(0)?, denial });
        }
        Ok(waiting)
    }

    /// Drops the denials up to this place: the ledger holds them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn denials_recorded(&self, up_to: i64) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM denial WHERE place <= ?1", [up_to])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use semblance_core::denial::DenialCode;
    use semblance_core::id::{ClinicianPseudonym, DenialId, OrganisationId};
    use semblance_core::time::Timestamp;

    use super::*;

    #[test]
    fn denials_wait_in_order_until_they_are_recorded() {
        let store = MatcherStore::prepare(Connection::open_in_memory().unwrap()).unwrap();
        let denial = |number| Denial {
            id: DenialId::from_bytes([number; 16]),
            organisation: OrganisationId::new("matcher").unwrap(),
            code: DenialCode::BadSignature,
            subject: ClinicianPseudonym::from_bytes([0; 32]),
            request: None,
            time: Timestamp::from_millis(1),
        };
        for number in 1..=3 {
            store.put_denial(&denial(number)).unwrap();
        }
        let waiting = store.waiting_denials(2).unwrap();
        assert_eq!(waiting.iter().map(|waiting| &waiting.denial).collect::<Vec<_>>(), [&denial(1), &denial(2)]);
        store.denials_recorded(waiting[1].place).unwrap();
        assert_eq!(store.waiting_denials(10).unwrap()[0].denial, denial(3));
    }
}
