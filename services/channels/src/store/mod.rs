//! Where a client or a hub keeps its MLS state: bytes under keys, changed in transactions.

mod memory;
#[cfg(feature = "node")]
mod sqlite;

pub use memory::{MemoryStore, MemoryTransaction};
#[cfg(feature = "node")]
pub use sqlite::{SqliteRows, SqliteStore};
#[cfg(feature = "node")]
pub(crate) use sqlite::{open_private, set_up};

/// A store failed; nothing of the transaction under way has happened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[cfg(feature = "node")]
    #[error("the channels' database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database's file cannot be made.
    #[cfg(feature = "node")]
    #[error("the channels' database {path} cannot be made: {source}")]
    File {
        /// Where.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The database undid the transaction under way by itself, as it does where the disk is full.
    #[cfg(feature = "node")]
    #[error("the channels' database undid what was under way: its disk may be full or failing")]
    Undone,
    /// The store failed in another way, as a browser's does.
    #[error("the channels' store failed: {0}")]
    Failed(String),
    /// Stored bytes do not read back.
    #[error("stored state of a channel cannot be read: {0}")]
    Damaged(String),
    /// A value could not be written as bytes.
    #[error("state of a channel cannot be written: {0}")]
    Encode(String),
}

impl StoreError {
    /// Whether what is stored is to blame, and not the store: trying again does not help, and no other state is concerned.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Encode(_))
    }
}

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Bytes under keys, as of one moment.
pub trait Readable {
    /// The value of a key.
    ///
    /// # Errors
    /// The store failed.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// All keys that begin with these bytes, in order, with their values; at most `limit`.
    ///
    /// # Errors
    /// The store failed.
    fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError>;
}

/// Bytes under keys, inside one transaction.
pub trait KeyValue: Readable {
    /// Sets the value of a key.
    ///
    /// # Errors
    /// The store failed.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;
    /// Removes a key.
    ///
    /// # Errors
    /// The store failed.
    fn delete(&self, key: &[u8]) -> Result<(), StoreError>;
}

/// What can be read in a transaction, and nothing written.
#[derive(Debug)]
pub struct Seen<'a, K>(&'a K);

impl<'a, K> Seen<'a, K> {
    /// Of these rows.
    #[must_use]
    pub const fn of(rows: &'a K) -> Self {
        Self(rows)
    }
}

impl<K: Readable> Readable for Seen<'_, K> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        self.0.scan(prefix, limit)
    }
}

/// A store that changes as a whole or not at all. One that fails says so by an error that is no damage: whoever is told of
/// damage gives up what is damaged.
pub trait Store {
    /// What a transaction sees.
    type Rows<'a>: KeyValue
    where
        Self: 'a;

    /// Runs `change`; what it wrote is durable when this returns without an error, and undone otherwise.
    ///
    /// # Errors
    /// Whatever `change` returns, or the store failed.
    fn transact<R, E: From<StoreError>>(
        &mut self,
        change: impl FnOnce(&Self::Rows<'_>) -> Result<R, E>,
    ) -> Result<R, E>;

    /// Runs `look` on what stands there, which changes nothing and waits for no disk.
    ///
    /// # Errors
    /// Whatever `look` returns, or the store failed.
    fn look<R, E: From<StoreError>>(
        &mut self,
        look: impl FnOnce(&Seen<'_, Self::Rows<'_>>) -> Result<R, E>,
    ) -> Result<R, E>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every store promises.
    fn promises(mut store: impl Store) {
        let put = |key: &'static [u8]| move |rows: &dyn KeyValue| rows.put(key, key);
        for key in [&b"a"[..], b"a1", b"a\xff", b"b"] {
            store.transact(|rows| put(key)(rows)).unwrap();
        }
        let failed: Result<(), StoreError> = store.transact(|rows| {
            rows.delete(b"a")?;
            rows.put(b"a1", b"changed")?;
            rows.put(b"c", b"c")?;
            assert_eq!(rows.get(b"a1")?.as_deref(), Some(&b"changed"[..]), "a transaction sees its own writes");
            Err(StoreError::Damaged("on purpose".to_owned()))
        });
        assert!(failed.is_err());
        store
            .transact(|rows| -> Result<(), StoreError> {
                assert_eq!(rows.get(b"a1")?.as_deref(), Some(&b"a1"[..]), "undone as a whole");
                assert_eq!(rows.get(b"c")?, None);
                let keys: Vec<_> = rows.scan(b"a", 9)?.into_iter().map(|(key, _)| key).collect();
                assert_eq!(keys, [&b"a"[..], b"a1", b"a\xff"]);
                assert_eq!(rows.scan(b"a", 2)?.len(), 2);
                assert_eq!(rows.scan(b"", 9)?.len(), 4);
                Ok(())
            })
            .unwrap();
        let seen = store.look(|rows| Ok::<_, StoreError>((rows.get(b"a1")?, rows.scan(b"a", 9)?.len())));
        assert_eq!(seen.unwrap(), (Some(b"a1".to_vec()), 3));
    }

    #[test]
    fn memory_keeps_the_promises() {
        promises(MemoryStore::default());
    }

    #[cfg(feature = "node")]
    #[test]
    fn sqlite_keeps_the_promises() {
        let folder = tempfile::tempdir().unwrap();
        promises(SqliteStore::open(&folder.path().join("client.sqlite")).unwrap());
    }

    #[cfg(all(feature = "node", unix))]
    #[test]
    fn databases_are_their_owners_alone_in_an_open_folder_too() {
        use std::os::unix::fs::PermissionsExt;
        use std::sync::Arc;

        use semblance_core::id::{NetworkId, OrganisationId};
        use semblance_core::random::SeededSource;

        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let (network, random) = (NetworkId::from_bytes([7; 16]), Arc::new(SeededSource::new([1; 32])));
        let client = SqliteStore::open(&folder.path().join("client.sqlite")).unwrap();
        let hospital = OrganisationId::new("north").unwrap();
        let office =
            crate::office::Office::open(&folder.path().join("channels.sqlite"), network, hospital, random).unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert!(files.len() >= 4, "the databases, with their journals beside them: {files:?}");
        for file in files {
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", file.path().display());
        }
        drop((client, office));
    }
}
