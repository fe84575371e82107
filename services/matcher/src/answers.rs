//! Answers kept for retries: whoever asks the same request again gets what was answered, never a new search.
//!
//! An answer is stored before its entry is submitted, so that a crash between the two loses neither. It is dropped
//! when the request has expired. The query is not stored: an answer names cases and places in the query, no token.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use semblance_core::id::{Digest, RequestId, TransactionId};
use semblance_core::time::Timestamp;

/// The newest layout of the file that this program writes.
const SCHEMA_VERSION: i64 = 1;

/// Why stored answers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnswerStoreError {
    /// A newer program wrote the file.
    #[error("the answer store has version {found}, this program reads up to {supported}: use the newer program")]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version this program reads.
        supported: i64,
    },
    /// The file cannot be read or written.
    #[error("the answer store failed: {0}")]
    Storage(#[from] rusqlite::Error),
    /// A row does not hold what this program wrote.
    #[error("the answer store holds a malformed row: {0}")]
    Malformed(&'static str),
}

/// Where a stored answer's entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryState {
    /// Perhaps on the ledger: the program ended, or the ledger's answer was lost, before it was known.
    Pending,
    /// On the ledger.
    Committed {
        /// The transaction that holds it.
        transaction: TransactionId,
        /// The block that holds it.
        block: u64,
    },
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The digest of the signed request it answers.
    pub request_digest: Digest,
    /// The ledger entry, as it was or will be submitted.
    pub entry: Vec<u8>,
    /// The answer.
    pub answer: Vec<u8>,
    /// When the request expires and the answer is dropped.
    pub expires: Timestamp,
    /// Where the entry is.
    pub state: EntryState,
}

/// The file of stored answers.
pub struct AnswerStore {
    connection: Mutex<Connection>,
}

impl AnswerStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// It cannot be opened, or a newer program wrote it.
    pub fn open(path: &Path) -> Result<Self, AnswerStoreError> {
        Self::prepare(Connection::open(path)?)
    }

    fn prepare(connection: Connection) -> Result<Self, AnswerStoreError> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > SCHEMA_VERSION {
            return Err(AnswerStoreError::Newer { found, supported: SCHEMA_VERSION });
        }
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS answer (
                request BLOB PRIMARY KEY,
                digest BLOB NOT NULL,
                entry BLOB NOT NULL,
                answer BLOB NOT NULL,
                expires INTEGER NOT NULL,
                transaction_id BLOB,
                block INTEGER
            ) STRICT;
            CREATE INDEX IF NOT EXISTS answer_expires ON answer (expires);",
        )?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored answer to a request.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn get(&self, request: RequestId) -> Result<Option<StoredAnswer>, AnswerStoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT digest, entry, answer, expires, transaction_id, block FROM answer WHERE request = ?1",
        )?;
        let row = statement
            .query_row([request.as_bytes().as_slice()], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                    row.get::<_, i64>(3)?,
                    row.get::<_, Option<Vec<u8>>>(4)?,
                    row.get::<_, Option<i64>>(5)?,
                ))
            })
            .optional()?;
        let Some((digest, entry, answer, expires, transaction, block)) = row else { return Ok(None) };
        let state = match (transaction, block) {
            (Some(transaction), Some(block)) => EntryState::Committed {
                transaction: TransactionId::from_bytes(array(&transaction, "transaction")?),
                block: u64::try_from(block).map_err(|_| AnswerStoreError::Malformed("block"))?,
            },
            _ => EntryState::Pending,
        };
        let expires = u64::try_from(expires).map_err(|_| AnswerStoreError::Malformed("expires"))?;
        Ok(Some(StoredAnswer {
            request_digest: Digest::from_bytes(array(&digest, "digest")?),
            entry,
            answer,
            expires: Timestamp::from_millis(expires),
            state,
        }))
    }

    /// Stores an answer whose entry is about to be submitted. Durable when it returns.
    ///
    /// # Errors
    /// The file cannot be written, or the request already has an answer.
    pub fn put(&self, request: RequestId, stored: &StoredAnswer) -> Result<(), AnswerStoreError> {
        let expires = i64::try_from(stored.expires.millis()).unwrap_or(i64::MAX);
        self.connection().execute(
            "INSERT INTO answer (request, digest, entry, answer, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                request.as_bytes().as_slice(),
                stored.request_digest.as_bytes().as_slice(),
                stored.entry,
                stored.answer,
                expires
            ],
        )?;
        Ok(())
    }

    /// Marks the entry as being on the ledger.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn committed(
        &self,
        request: RequestId,
        transaction: TransactionId,
        block: u64,
    ) -> Result<(), AnswerStoreError> {
        let block = i64::try_from(block).unwrap_or(i64::MAX);
        self.connection().execute(
            "UPDATE answer SET transaction_id = ?2, block = ?3 WHERE request = ?1",
            params![request.as_bytes().as_slice(), transaction.as_bytes().as_slice(), block],
        )?;
        Ok(())
    }

    /// Drops an answer whose entry the ledger refused.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remove(&self, request: RequestId) -> Result<(), AnswerStoreError> {
        self.connection().execute("DELETE FROM answer WHERE request = ?1", [request.as_bytes().as_slice()])?;
        Ok(())
    }

    /// Drops the answers to requests that have expired, and tells how many.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn drop_expired(&self, now: Timestamp) -> Result<usize, AnswerStoreError> {
        let now = i64::try_from(now.millis()).unwrap_or(i64::MAX);
        Ok(self.connection().execute("DELETE FROM answer WHERE expires < ?1", [now])?)
    }
}

fn array<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], AnswerStoreError> {
    bytes.try_into().map_err(|_| AnswerStoreError::Malformed(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> StoredAnswer {
        StoredAnswer {
            request_digest: Digest::of(b"request"),
            entry: b"entry".to_vec(),
            answer: b"answer".to_vec(),
            expires: Timestamp::from_millis(1000),
            state: EntryState::Pending,
        }
    }

    #[test]
    fn an_answer_survives_reopening_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.sqlite");
        let request = RequestId::from_bytes([1; 16]);
        let store = AnswerStore::open(&path).unwrap();
        store.put(request, &stored()).unwrap();
        assert!(store.put(request, &stored()).is_err());
        drop(store);
        let store = AnswerStore::open(&path).unwrap();
        assert_eq!(store.get(request).unwrap(), Some(stored()));
        let transaction = TransactionId::from_bytes([2; 32]);
        store.committed(request, transaction, 7).unwrap();
        let state = EntryState::Committed { transaction, block: 7 };
        assert_eq!(store.get(request).unwrap(), Some(StoredAnswer { state, ..stored() }));
        assert_eq!(store.drop_expired(Timestamp::from_millis(1000)).unwrap(), 0);
        assert_eq!(store.drop_expired(Timestamp::from_millis(1001)).unwrap(), 1);
        assert_eq!(store.get(request).unwrap(), None);
    }

    #[test]
    fn a_newer_file_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(AnswerStore::prepare(connection), Err(AnswerStoreError::Newer { found: 2, .. })));
    }
}
