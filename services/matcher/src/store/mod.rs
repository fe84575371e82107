//! The matcher's own file: stored answers, numbers of hospitals, cases that have not come, denials on their way to the
//! ledger.
//!
//! All of it could be lost without breaking a promise except the denials and the answers under way, as long as the
//! index goes with it, which keeps the numbers of the hospitals; none of it holds a token or a query.

mod answers;
mod denials;
mod hospitals;
mod missing;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::files;

pub use answers::{EntryState, StoredAnswer};
pub use hospitals::Numbering;
pub use missing::MissingCase;

/// The newest layout of the file that this program writes.
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS answer (
    request BLOB PRIMARY KEY,
    digest BLOB NOT NULL,
    entry BLOB NOT NULL,
    answer BLOB NOT NULL,
    expires INTEGER NOT NULL,
    transaction_id BLOB,
    block INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS answer_expires ON answer (expires);
CREATE TABLE IF NOT EXISTS numbering (
    id BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS missing (
    handle BLOB PRIMARY KEY,
    block INTEGER NOT NULL,
    publication BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS hospital (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS denial (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    bytes BLOB NOT NULL
) STRICT;
";

/// Why the matcher's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer program wrote the file.
    #[error("the matcher's store has version {found}, this program reads up to {supported}: use the newer program")]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version this program reads.
        supported: i64,
    },
    /// The file cannot be made.
    #[error("the matcher's store cannot be made: {0}")]
    File(#[from] std::io::Error),
    /// The file cannot be read or written.
    #[error("the matcher's store failed: {0}")]
    Storage(#[from] rusqlite::Error),
    /// A row does not hold what this program wrote.
    #[error("the matcher's store holds a malformed row: {0}")]
    Malformed(&'static str),
    /// More hospitals than have numbers.
    #[error("the index has numbers for {limit} hospitals, there is one more")]
    Hospitals {
        /// How many there may be.
        limit: u16,
    },
}

/// The matcher's own file. Every write is durable when its method returns.
pub struct MatcherStore {
    connection: Mutex<Connection>,
}

impl MatcherStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// It cannot be opened, or a newer program wrote it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        files::make_private(path)?;
        Self::prepare(Connection::open(path)?)
    }

    fn prepare(connection: Connection) -> Result<Self, StoreError> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > SCHEMA_VERSION {
            return Err(StoreError::Newer { found, supported: SCHEMA_VERSION });
        }
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_file_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        assert!(matches!(MatcherStore::prepare(connection), Err(StoreError::Newer { .. })));
    }
}
