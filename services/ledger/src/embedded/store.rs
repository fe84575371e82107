//! The ledger's file: schema, connections, and the lock that makes one process its owner.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{LedgerError, private_file};

/// `SEML`, so that `file` and SQLite's own tools can tell what it is.
const APPLICATION_ID: i32 = 0x5345_4d4c;
/// The newest layout of tables that this program reads.
const SCHEMA_VERSION: i32 = 1;
/// Connections that wait for the next reader.
const IDLE_MAX: usize = 16;

const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE block (
    number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    header BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE transaction_index (
    id BLOB PRIMARY KEY,
    block INTEGER NOT NULL REFERENCES block (number),
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    policy BLOB,
    block INTEGER NOT NULL REFERENCES block (number),
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE private_hash (
    collection TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    value_hash BLOB NOT NULL,
    block INTEGER NOT NULL REFERENCES block (number),
    position INTEGER NOT NULL,
    PRIMARY KEY (collection, key_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE private_value (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    slot INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (collection, key_hash),
    FOREIGN KEY (collection, key_hash) REFERENCES private_hash (collection, key_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE private_slot (slot INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE private_free (length INTEGER NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY (length, slot))
    STRICT, WITHOUT ROWID;
";

/// Why a ledger's file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns it.
    #[error("{path} is in use by another process: only one may own a ledger; reach it through that process's gRPC")]
    Locked {
        /// The ledger's file.
        path: PathBuf,
    },
    /// It is another kind of file.
    #[error("{path} is no ledger of this program (application id {found:#x}): name another file")]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i32,
    },
    /// A newer program wrote it.
    #[error(
        "{path} was written by a newer program (layout {found}, this one reads up to {supported}): update semblance"
    )]
    Newer {
        /// The ledger's file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The newest this program reads.
        supported: i32,
    },
    /// There is no file to read.
    #[error("there is no ledger at {path}")]
    Missing {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: std::io::Error,
    },
    /// The database refuses.
    #[error("the ledger's file: {0}")]
    Database(#[from] rusqlite::Error),
    /// The newest block does not read back.
    #[error("the newest block does not read back, run `semblance audit verify`: {0}")]
    Damaged(String),
}

/// The database refused; nothing of the present transaction is kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database's own error.
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    /// Something stored does not read back.
    #[error("{0}")]
    Damaged(String),
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

/// Owns the file for this process until it is dropped.
pub(super) struct Owned {
    // Held for its lock, which ends with the process, however that ends.
    _lock: File,
}

/// Takes the lock beside the ledger's file.
pub(super) fn lock(path: &Path) -> Result<Owned, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let failed = |source| OpenError::File { path: lock_path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Owned { _lock: file }),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens the connection that writes, and makes the tables in a new file.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    private_file::make(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    let mut connection = Connection::open(path)?;
    harden(&connection)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(OpenError::NotALedger { path: path.to_owned(), found: application });
    }
    let version = version(&connection, path)?;
    // Purged private data must not stay in free pages.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    if version == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Opens a connection that reads only; the file must be there.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    harden(&connection)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(OpenError::NotALedger { path: path.to_owned(), found: application });
    }
    version(&connection, path)?;
    Ok(connection)
}

/// Makes an empty ledger that nothing but this connection sees and that goes with it: in memory while it is small,
/// then in an unnamed file of the system's folder for temporary ones.
pub(super) fn open_scratch() -> Result<Connection, StoreError> {
    let connection = Connection::open("")?;
    connection.set_prepared_statement_cache_capacity(64);
    // No blocks stand in it that states could refer to, and nothing in it must outlive a crash.
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}

/// The version of the tables; newer ones are refused.
fn version(connection: &Connection, path: &Path) -> Result<i32, OpenError> {
    let found: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found, supported: SCHEMA_VERSION });
    }
    Ok(found)
}

fn harden(connection: &Connection) -> Result<(), OpenError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(())
}

/// Read connections, lent out one a reader.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// The ledger's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a reader on one unchanging view of what is committed now.
    pub(super) fn snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path).map_err(|error| LedgerError::Storage(error.to_string()))?,
        };
        connection.execute_batch("BEGIN")?;
        let result = read(&connection);
        // A connection that cannot end its transaction is dropped, which ends it too.
        if connection.execute_batch("ROLLBACK").is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
        }
        result
    }
}

/// Turns a number into SQLite's signed one; blocks never reach 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Turns SQLite's signed number back.
pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Damaged("a stored number is negative".into()))
}
