//! A store in SQLite, for devices that have a disk.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{KeyValue, Readable, Row, Seen, Store, StoreError};

/// One table of keys and values in a database of its own.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
}

/// The rows of the table `rows`, inside a transaction that somebody else ends.
#[derive(Debug)]
pub struct SqliteRows<'a>(&'a Connection);

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS rows (
    key   BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;";

impl SqliteStore {
    /// Opens or makes the database. What is deleted is overwritten: keys of the past must not stay in the file.
    ///
    /// # Errors
    /// The file cannot be opened as such a database.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::prepare(open_private(path)?)
    }

    /// A database that is gone with the program.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, StoreError> {
        set_up(&connection)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }
}

/// Opens or makes a database that its owner alone may read.
pub(crate) fn open_private(path: &Path) -> Result<Connection, StoreError> {
    let cannot = |source| StoreError::File { path: path.to_owned(), source };
    semblance_ledger::private_file::make(path).map_err(cannot)?;
    Ok(Connection::open(path)?)
}

/// How every database of channels is opened: durable, and without traces of what was deleted.
pub(crate) fn set_up(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // A prepared statement stays as it is, whatever is bound to it; otherwise those with a LIMIT are prepared each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

impl<'a> SqliteRows<'a> {
    /// The table `rows` of another database, which has to have one and to be in a transaction.
    #[must_use]
    pub const fn of(connection: &'a Connection) -> Self {
        Self(connection)
    }

    /// A full or failing disk makes SQLite undo the whole transaction; what is written after that would last by itself.
    fn check_under_way(&self) -> Result<(), StoreError> {
        if self.0.is_autocommit() { Err(StoreError::Undone) } else { Ok(()) }
    }
}

impl Store for SqliteStore {
    type Rows<'a> = SqliteRows<'a>;

    fn transact<R, E: From<StoreError>>(
        &mut self,
        change: impl FnOnce(&Self::Rows<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let result = change(&SqliteRows(&transaction))?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(result)
    }

    fn look<R, E: From<StoreError>>(
        &mut self,
        look: impl FnOnce(&Seen<'_, Self::Rows<'_>>) -> Result<R, E>,
    ) -> Result<R, E> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(StoreError::from)?;
        look(&Seen::of(&SqliteRows(&transaction)))
    }
}

impl Readable for SqliteRows<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.0.prepare_cached("SELECT value FROM rows WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT key, value FROM rows WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) ORDER BY key LIMIT ?3";
        let mut statement = self.0.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![prefix, end_of(prefix), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl KeyValue for SqliteRows<'_> {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.check_under_way()?;
        let sql =
            "INSERT INTO rows (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.0.prepare_cached(sql)?.execute(params![key, value])?;
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        self.check_under_way()?;
        self.0.prepare_cached("DELETE FROM rows WHERE key = ?1")?.execute([key])?;
        Ok(())
    }
}

/// The first key after all keys with a prefix; none if there is no such key.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_transaction_lasts_that_a_full_disk_has_undone() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&folder.path().join("client.sqlite")).unwrap();
        store.connection.pragma_update(None, "max_page_count", 20).unwrap();
        // A small cache, so that the database is written to before the transaction ends.
        store.connection.pragma_update(None, "cache_size", 1).unwrap();
        let ended = store.transact(|rows| -> Result<(), StoreError> {
            rows.put(b"before", b"1")?;
            assert!(rows.put(b"large", &[7; 1 << 20]).is_err(), "there is no room");
            assert!(rows.put(b"after", b"1").is_err(), "it would last by itself");
            assert!(rows.delete(b"after").is_err());
            Ok(())
        });
        assert!(ended.is_err());
        for key in [&b"before"[..], b"large", b"after"] {
            assert_eq!(store.look(|rows| rows.get(key)).unwrap(), None);
        }
        store.transact(|rows| rows.put(b"later", b"1")).unwrap();
    }
}
