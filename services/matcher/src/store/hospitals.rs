//! Small numbers for hospitals, as the index keeps them.

use rusqlite::OptionalExtension;
use semblance_core::id::OrganisationId;
use semblance_core::random::RandomSource;

use super::{MatcherStore, StoreError};

/// The name of one numbering of the hospitals: two files that keep numbers belong together if they name the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbering([u8; 16]);

impl Numbering {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl MatcherStore {
    /// The name of this file's numbering, drawn when it is first asked for.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn numbering(&self, random: &dyn RandomSource) -> Result<Numbering, StoreError> {
        let connection = self.connection();
        let known = connection.query_row("SELECT id FROM numbering", [], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        if let Some(known) = known {
            return known.try_into().map(Numbering).map_err(|_| StoreError::Malformed("numbering"));
        }
        let drawn = Numbering(random.array());
        connection.execute("INSERT INTO numbering (id) VALUES (?1)", [drawn.0.as_slice()])?;
        Ok(drawn)
    }

    /// The number of a hospital; a new one gets the next. Numbers are this matcher's own and never change.
    ///
    /// # Errors
    /// The file cannot be read or written, or there is no number left.
    pub fn hospital_number(&self, hospital: &OrganisationId) -> Result<u16, StoreError> {
        let connection = self.connection();
        let known = connection
            .query_row("SELECT number FROM hospital WHERE name = ?1", [hospital.as_str()], |row| row.get::<_, i64>(0))
            .optional()?;
        let number = match known {
            Some(number) => number,
            None => {
                let next: i64 =
                    connection.query_row("SELECT coalesce(max(number) + 1, 0) FROM hospital", [], |row| row.get(0))?;
                if u16::try_from(next).is_err() {
                    return Err(StoreError::Hospitals { limit: u16::MAX });
                }
                connection.execute("INSERT INTO hospital (number, name) VALUES (?1, ?2)", (next, hospital.as_str()))?;
                next
            }
        };
        u16::try_from(number).map_err(|_| StoreError::Malformed("hospital number"))
    }

    /// The hospital of a number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn hospital_of(&self, number: u16) -> Result<Option<OrganisationId>, StoreError> {
        let connection = self.connection();
        let name = connection
            .query_row("SELECT name FROM hospital WHERE number = ?1", [number], |row| row.get::<_, String>(0))
            .optional()?;
        name.map(|name| OrganisationId::new(&name).map_err(|_| StoreError::Malformed("hospital"))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use semblance_core::random::SeededSource;

    use super::*;

    #[test]
    fn a_numbering_has_one_name() {
        let random = SeededSource::new([1; 32]);
        let store = || MatcherStore::prepare(Connection::open_in_memory().unwrap()).unwrap();
        let (one, other) = (store(), store());
        let name = one.numbering(&random).unwrap();
        assert_eq!(one.numbering(&random).unwrap(), name);
        assert_ne!(other.numbering(&random).unwrap(), name);
    }

    #[test]
    fn numbers_stay() {
        let store = MatcherStore::prepare(Connection::open_in_memory().unwrap()).unwrap();
        let (north, south) = (OrganisationId::new("north").unwrap(), OrganisationId::new("south").unwrap());
        assert_eq!(store.hospital_number(&north).unwrap(), 0);
        assert_eq!(store.hospital_number(&south).unwrap(), 1);
        assert_eq!(store.hospital_number(&north).unwrap(), 0);
        assert_eq!(store.hospital_of(1).unwrap(), Some(south));
        assert_eq!(store.hospital_of(2).unwrap(), None);
    }
}
