//! Published cases whose private data have not come yet: they must be found after a restart as well, since the index
//! goes on from a later block.

use rusqlite::params;
use semblance_contract::event::{CasePublication, Event};
use semblance_core::id::CaseHandle;

use super::{MatcherStore, StoreError};

/// A case that was published in a block and is not in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingCase {
    /// The block that published it.
    pub block: u64,
    /// What the block says of it.
    pub case: CasePublication,
}

impl MatcherStore {
    /// Notes a missing case; again makes no difference.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_missing(&self, missing: &MissingCase) -> Result<(), StoreError> {
        // The event of the block is the publication's own layout.
        let publication = Event::CasesPublished(vec![missing.case.clone()]).payload();
        self.connection().execute(
            "INSERT OR REPLACE INTO missing (handle, block, publication) VALUES (?1, ?2, ?3)",
            params![
                missing.case.handle.as_bytes().as_slice(),
                i64::try_from(missing.block).unwrap_or(i64::MAX),
                publication
            ],
        )?;
        Ok(())
    }

    /// Forgets a case: it came, or it has left.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remove_missing(&self, handle: CaseHandle) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM missing WHERE handle = ?1", [handle.as_bytes().as_slice()])?;
        Ok(())
    }

    /// All missing cases.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn missing(&self) -> Result<Vec<MissingCase>, StoreError> {
        let malformed = || StoreError::Malformed("missing case");
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT block, publication FROM missing")?;
        let mut rows = statement.query([])?;
        let mut missing = Vec::new();
        while let Some(row) = rows.next()? {
            let block = u64::try_from(row.get::<_, i64>(0)?).map_err(|_| malformed())?;
            let event = Event::decode("cases-published", &row.get::<_, Vec<u8>>(1)?).map_err(|_| malformed())?;
            let Some(Event::CasesPublished(cases)) = event else { return Err(malformed()) };
            missing.extend(cases.into_iter().map(|case| MissingCase { block, case }));
        }
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use semblance_core::id::{ConsentId, OrganisationId};
    use semblance_core::time::Timestamp;
    use semblance_core::token::EpochNumber;

    use super::*;

    #[test]
    fn missing_cases_are_kept_until_they_are_forgotten() {
        let store = MatcherStore::prepare(Connection::open_in_memory().unwrap()).unwrap();
        let missing = |number| MissingCase {
            block: 7,
            case: CasePublication {
                handle: CaseHandle::from_bytes([number; 16]),
                hospital: OrganisationId::new("north").unwrap(),
                consent: ConsentId::from_bytes([2; 16]),
                epoch: EpochNumber(1),
                expires: Timestamp::from_millis(1000),
                private_hash: [3; 32],
                replaces: (number == 2).then(|| CaseHandle::from_bytes([1; 16])),
            },
        };
        for number in [1, 2, 2] {
            store.put_missing(&missing(number)).unwrap();
        }
        assert_eq!(store.missing().unwrap(), [missing(1), missing(2)]);
        store.remove_missing(missing(1).case.handle).unwrap();
        assert_eq!(store.missing().unwrap(), [missing(2)]);
    }
}
