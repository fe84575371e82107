//! Answers kept for retries: whoever asks the same request again gets what was answered, never a new search.
//!
//! An answer is stored before its entry is submitted, so that a crash between the two loses neither. It is dropped
//! when the request has expired. The query is not stored: an answer names cases and places in the query, no token.

use rusqlite::{OptionalExtension, params};
use semblance_core::id::{Digest, RequestId, TransactionId};
use semblance_core::time::Timestamp;

use super::{MatcherStore, StoreError};

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

impl MatcherStore {
    /// The stored answer to a request.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn answer(&self, request: RequestId) -> Result<Option<StoredAnswer>, StoreError> {
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
                block: u64::try_from(block).map_err(|_| StoreError::Malformed("block"))?,
            },
            _ => EntryState::Pending,
        };
        let expires = u64::try_from(expires).map_err(|_| StoreError::Malformed("expires"))?;
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
    pub fn put_answer(&self, request: RequestId, stored: &StoredAnswer) -> Result<(), StoreError> {
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
    pub fn answer_committed(
        &self,
        request: RequestId,
        transaction: TransactionId,
        block: u64,
    ) -> Result<(), StoreError> {
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
    pub fn remove_answer(&self, request: RequestId) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM answer WHERE request = ?1", [request.as_bytes().as_slice()])?;
        Ok(())
    }

    /// Drops the answers to requests that have expired, and tells how many.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn drop_expired_answers(&self, now: Timestamp) -> Result<usize, StoreError> {
        let now = i64::try_from(now.millis()).unwrap_or(i64::MAX);
        Ok(self.connection().execute("DELETE FROM answer WHERE expires < ?1", [now])?)
    }
}

fn array<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Malformed(what))
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
        let store = MatcherStore::open(&path).unwrap();
        store.put_answer(request, &stored()).unwrap();
        assert!(store.put_answer(request, &stored()).is_err());
        drop(store);
        let store = MatcherStore::open(&path).unwrap();
        assert_eq!(store.answer(request).unwrap(), Some(stored()));
        let transaction = TransactionId::from_bytes([2; 32]);
        store.answer_committed(request, transaction, 7).unwrap();
        let state = EntryState::Committed { transaction, block: 7 };
        assert_eq!(store.answer(request).unwrap(), Some(StoredAnswer { state, ..stored() }));
        assert_eq!(store.drop_expired_answers(Timestamp::from_millis(1000)).unwrap(), 0);
        assert_eq!(store.drop_expired_answers(Timestamp::from_millis(1001)).unwrap(), 1);
        assert_eq!(store.answer(request).unwrap(), None);
    }
}
