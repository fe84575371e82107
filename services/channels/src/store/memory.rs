//! A store in memory: for the browser, which keeps its rows in IndexedDB, and for simulations.

use std::cell::RefCell;
use std::collections::BTreeMap;

use zeroize::Zeroize;

use super::{KeyValue, Readable, Row, Seen, Store, StoreError};

/// Rows in memory. Cloning it copies everything, as a snapshot of a device.
#[derive(Default, Clone)]
pub struct MemoryStore {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MemoryStore {
    /// Every key and value, to keep elsewhere or to look through.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MemoryStore").field("rows", &self.rows.len()).finish()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.rows.values_mut().for_each(Zeroize::zeroize);
    }
}

/// A transaction: what it changed, over the rows as they were.
pub struct MemoryTransaction<'a> {
    base: &'a BTreeMap<Vec<u8>, Vec<u8>>,
    changes: RefCell<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl Store for MemoryStore {
    type Rows<'a> = MemoryTransaction<'a>;

    fn transact<R, E: From<StoreError>>(
        &mut self,
        change: impl FnOnce(&Self::Rows<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let transaction = MemoryTransaction { base: &self.rows, changes: RefCell::default() };
        let result = change(&transaction)?;
        for (key, value) in transaction.changes.into_inner() {
            let before = match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
            if let Some(mut before) = before {
                before.zeroize();
            }
        }
        Ok(result)
    }

    fn look<R, E: From<StoreError>>(
        &mut self,
        look: impl FnOnce(&Seen<'_, Self::Rows<'_>>) -> Result<R, E>,
    ) -> Result<R, E> {
        look(&Seen::of(&MemoryTransaction { base: &self.rows, changes: RefCell::default() }))
    }
}

impl Readable for MemoryTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changes.borrow().get(key) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.base.get(key).cloned()),
        }
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let changes = self.changes.borrow();
        let within = |(key, _): &(&Vec<u8>, _)| key.starts_with(prefix);
        let start = prefix.to_vec();
        let mut found: BTreeMap<&Vec<u8>, &Vec<u8>> = self
            .base
            .range(start.clone()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| !changes.contains_key(*key))
            .collect();
        let changed = changes.range(start..).take_while(within);
        found.extend(changed.filter_map(|(key, value)| value.as_ref().map(|value| (key, value))));
        Ok(found.into_iter().take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl KeyValue for MemoryTransaction<'_> {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.changes.borrow_mut().insert(key.to_vec(), Some(value.to_vec()));
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        self.changes.borrow_mut().insert(key.to_vec(), None);
        Ok(())
    }
}
