//! The hospital's own database: one SQLite file that one process owns.
//!
//! Every use case changes it in one transaction, so that a crash leaves either all of a step or nothing. Secrets
//! (patient keys, dummy secrets, salts) lie in it unencrypted; the file is created readable by its owner alone, and
//! deleted rows are overwritten. Whoever can read the file can read the patients: encrypt the disk it lies on.

pub mod audit;
pub mod care;
pub mod case;
pub mod channel;
pub mod closed_epoch;
pub mod consent;
pub mod introduction;
pub mod lookup;
pub mod member;
pub mod outbox;
pub mod patient_key;
pub mod publication;
pub mod receipt;
pub mod setting;
pub mod slot;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use semblance_ledger::private_file;

/// Marks a file as a hospital's store ("SEMH").
const APPLICATION_ID: i32 = 0x5345_4d48;
/// One script for each version of the layout, in order; a script is never changed once released.
const MIGRATIONS: &[&str] = &[include_str!("schema-1.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer program wrote the file.
    #[error("the hospital store has layout {found}, this program reads up to {supported}: use the newer program")]
    Newer {
        /// The layout found.
        found: i64,
        /// The newest this program knows.
        supported: i64,
    },
    /// The file is a database of something else.
    #[error("the file is not a hospital store")]
    Foreign,
    /// Another process has it open.
    #[error("the hospital store is in use by another process: stop it, or talk to it over its gRPC")]
    Busy,
    /// A stored value does not read back.
    #[error("the hospital store is damaged: {0}")]
    Damaged(String),
    /// The file or its folder cannot be used.
    #[error("the hospital store cannot be opened: {0}")]
    Io(#[from] std::io::Error),
    /// SQLite failed; nothing of the step was kept.
    #[error("the hospital store failed: {0}")]
    Sqlite(rusqlite::Error),
    /// The step was cut off as the program stopped.
    #[error("the step was cut off as the program stopped")]
    Stopped,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::Busy,
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign,
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

/// The open store. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// Opens the file, making it (mode 0600) when absent, and brings older layouts up to date.
    ///
    /// # Errors
    /// A newer layout, another kind of file, another process holding it, or failing storage.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        private_file::make(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::prepare(Connection::open_with_flags(path, flags)?)
    }

    /// Opens a store that lives in memory, for trials and tests.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(mut connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(std::time::Duration::from_millis(500))?;
        for (name, value) in [
            ("locking_mode", "EXCLUSIVE"),
            ("journal_mode", "WAL"),
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("trusted_schema", "OFF"),
            ("secure_delete", "ON"),
            ("temp_store", "MEMORY"),
        ] {
            connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
                // Some settings answer with their new value, others with no row.
                rusqlite::Error::QueryReturnedNoRows => Ok(()),
                other => Err(other),
            })?;
        }
        migrate(&mut connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs one step in one transaction: all of it is durable when this returns `Ok`, none of it otherwise.
    ///
    /// # Errors
    /// The step's own, or failing storage.
    pub fn step<T, E: From<StoreError>>(&self, step: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        // A panic inside a step rolled its transaction back: the connection is sound.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| E::from(StoreError::from(error)))?;
        let value = step(&transaction)?;
        transaction.commit().map_err(|error| E::from(StoreError::from(error)))?;
        Ok(value)
    }

    /// Runs one step on a thread where blocking is allowed.
    ///
    /// # Errors
    /// The step's own, failing storage, or the program stopping.
    pub async fn run<T, E, F>(&self, step: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || store.step(step)).await {
            Ok(result) => result,
            Err(_) => Err(E::from(StoreError::Stopped)),
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || found > 0) {
        return Err(StoreError::Foreign);
    }
    let supported = MIGRATIONS.len() as i64;
    if found > supported {
        return Err(StoreError::Newer { found, supported });
    }
    for script in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", supported)?;
    transaction.commit()?;
    Ok(())
}

/// Turns a stored value into its type, or says which column is damaged.
fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], FromSqlError> {
    bytes.try_into().map_err(|_| FromSqlError::InvalidBlobSize { expected_size: N, blob_size: bytes.len() })
}

/// Reads a column of fixed length.
fn blob<const N: usize>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<[u8; N]> {
    let value = row.get_ref(column)?;
    value
        .as_blob()
        .and_then(fixed)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(error)))
}

/// Reads a column that may be null, of fixed length otherwise.
fn optional_blob<const N: usize>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<[u8; N]>> {
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null {
        return Ok(None);
    }
    blob(row, column).map(Some)
}

/// Reads a text column into a type that parses.
fn parsed<T>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// Reads a column of words that `from_word` knows.
fn word<T>(row: &rusqlite::Row<'_>, column: usize, from_word: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    from_word(&text).ok_or_else(|| {
        let error = Box::new(WordError(std::any::type_name::<T>()));
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    })
}

/// Reads a column that holds a layout.
fn decoded<T>(
    row: &rusqlite::Row<'_>,
    column: usize,
    decode: impl Fn(&[u8]) -> Result<T, semblance_core::encode::DecodeError>,
) -> rusqlite::Result<T> {
    let bytes: Vec<u8> = row.get(column)?;
    decode(&bytes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
    })
}

/// A number as SQLite stores it; none of ours reaches 2^63.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads a number.
fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// A moment as SQLite stores it.
fn millis(at: semblance_core::time::Timestamp) -> i64 {
    signed(at.millis())
}

/// Reads a moment.
fn moment(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<semblance_core::time::Timestamp> {
    unsigned(row, column).map(semblance_core::time::Timestamp::from_millis)
}

/// Declares an enumeration that is stored as one of a few words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// The word as it is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::store::WordError;

            fn from_str(text: &str) -> Result<Self, $crate::store::WordError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::store::WordError(stringify!($name))),
                }
            }
        }
    };
}
pub(crate) use words;

/// The word names no value of the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a word of {0}")]
pub struct WordError(pub(crate) &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_owned_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hospital.db");
        let store = Store::open(&path).unwrap();
        store.step(|tx| setting::set(tx, "probe", b"1")).unwrap();
        #[cfg(unix)]
        for name in ["hospital.db", "hospital.db-wal"] {
            use std::os::unix::fs::PermissionsExt;
            let Ok(found) = std::fs::metadata(folder.path().join(name)) else { continue };
            assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
        }
        assert!(matches!(Store::open(&path), Err(StoreError::Busy)));
        drop(store);
        let again = Store::open(&path).unwrap();
        assert_eq!(again.step(|tx| setting::get(tx, "probe")).unwrap(), Some(b"1".to_vec()));
    }

    #[test]
    fn a_newer_or_foreign_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hospital.db");
        drop(Store::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let newer = Store::open(&path).err().unwrap();
        assert!(matches!(newer, StoreError::Newer { found: 99, supported: 3 }), "{newer}");

        let other = folder.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE stranger (a)").unwrap();
        assert!(matches!(Store::open(&other), Err(StoreError::Foreign)));
        let text = folder.path().join("text.db");
        std::fs::write(&text, "this is no database, and it is long enough to be looked at as one").unwrap();
        assert!(matches!(Store::open(&text), Err(StoreError::Foreign)));
    }

    #[test]
    fn an_older_layout_is_brought_up_to_date_with_all_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hospital.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(include_str!("schema-1.sql")).unwrap();
        old.execute_batch(
            "INSERT INTO cases VALUES ('a', NULL, NULL, zeroblob(32), zeroblob(32), 1, 5, zeroblob(32));
             INSERT INTO consents VALUES (zeroblob(16), 'a', 1, 0, 9, x'', zeroblob(64), 'live', NULL);
             INSERT INTO publications VALUES (1, zeroblob(16), 'a', zeroblob(16), 1, 1, 3, NULL, 'live', NULL, 5);
             INSERT INTO lookups VALUES (zeroblob(16), 'a', 'dr-kim', 'diagnosis', 'close', 1, 'm', 9, 20000, 7, x'',
                                         NULL, x'', NULL, NULL, NULL, 'asked', NULL, NULL, 5);
             INSERT INTO audit (at, actor, action, subject, code) VALUES (5, 'operator', 'publish', 'a', 'ok');
             PRAGMA user_version = 1;",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        drop(old);
        let store = Store::open(&path).unwrap();
        store
            .step(|tx| -> Result<(), StoreError> {
                let case = "a".parse().unwrap();
                assert_eq!(publication::newest(tx, &case)?.unwrap().state, publication::PublicationState::Live);
                let asked = lookup::page(tx, 0, 9)?.remove(0);
                assert_eq!((asked.slot, asked.count, asked.state), (7, 10, lookup::LookupState::Asked));
                assert_eq!(slot::first_free(tx, asked.day, 7)?, Some(8));
                assert_eq!(audit::page(tx, 0, 9)?[0].clinician, None);
                assert!(introduction::page(tx, 0, 9)?.is_empty() && channel::page(tx, 0, 9)?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_failing_step_leaves_nothing() {
        let store = Store::in_memory().unwrap();
        let failed: Result<(), StoreError> = store.step(|tx| {
            setting::set(tx, "half", b"done")?;
            Err(StoreError::Stopped)
        });
        assert!(failed.is_err());
        assert_eq!(store.step(|tx| setting::get(tx, "half")).unwrap(), None);
    }
}
