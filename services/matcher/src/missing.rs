//! Published cases that the index does not hold, because their private data have not come to this matcher's peer.
//!
//! They outlive a restart in the matcher's file: the index goes on from a later block and would never see them again.
//! One is forgotten for good only when the index holds it and is committed, or when it has left.

use std::collections::BTreeMap;
use std::sync::Arc;

use semblance_contract::event::CasePublication;
use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;

use crate::indexes::{CaseChange, Indexes};
use crate::store::{MatcherStore, MissingCase, StoreError};

/// The missing cases, in RAM and in the matcher's file.
pub(crate) struct Missing {
    store: Arc<MatcherStore>,
    cases: BTreeMap<CaseHandle, MissingCase>,
    /// In the index, but not yet in what it has committed.
    arrived: Vec<CaseHandle>,
}

impl Missing {
    /// Reads what was missing, and forgets what the index holds after all.
    ///
    /// # Errors
    /// The matcher's file cannot be read or written.
    pub(crate) fn load(store: Arc<MatcherStore>, indexes: &Indexes) -> Result<Self, StoreError> {
        let mut missing = Self { cases: BTreeMap::new(), arrived: Vec::new(), store };
        for one in missing.store.missing()? {
            if indexes.holds(one.case.epoch, one.case.handle) {
                missing.store.remove_missing(one.case.handle)?;
            } else {
                missing.cases.insert(one.case.handle, one);
            }
        }
        Ok(missing)
    }

    /// Notes a case that a block published and whose data are not there.
    ///
    /// # Errors
    /// The matcher's file cannot be written.
    pub(crate) fn put(&mut self, block: u64, case: &CasePublication) -> Result<(), StoreError> {
        let one = MissingCase { block, case: case.clone() };
        if self.cases.get(&case.handle) != Some(&one) {
            self.store.put_missing(&one)?;
            self.cases.insert(case.handle, one);
        }
        Ok(())
    }

    /// Forgets a case that has left, if it is missing.
    ///
    /// # Errors
    /// The matcher's file cannot be written.
    pub(crate) fn remove(&mut self, handle: CaseHandle) -> Result<(), StoreError> {
        if self.cases.remove(&handle).is_some() {
            self.store.remove_missing(handle)?;
        }
        Ok(())
    }

    /// Forgets the cases of an epoch that is closed.
    ///
    /// # Errors
    /// The matcher's file cannot be written.
    pub(crate) fn close_epoch(&mut self, epoch: EpochNumber) -> Result<(), StoreError> {
        self.remove_those(|case| case.epoch == epoch)
    }

    fn remove_those(&mut self, condition: impl Fn(&CasePublication) -> bool) -> Result<(), StoreError> {
        let those = self.cases.values().filter(|one| condition(&one.case)).map(|one| one.case.handle);
        those.collect::<Vec<_>>().into_iter().try_for_each(|handle| self.remove(handle))
    }

    /// The cases of earlier blocks that may have come and that the index can take with this block. Those that have
    /// expired are forgotten.
    ///
    /// # Errors
    /// The matcher's file cannot be written.
    pub(crate) fn due(
        &mut self,
        block: u64,
        now: Timestamp,
        indexes: &Indexes,
    ) -> Result<Vec<MissingCase>, StoreError> {
        self.remove_those(|case| case.expires <= now)?;
        let due = |one: &&MissingCase| one.block < block && indexes.awaits(one.case.epoch, block);
        Ok(self.cases.values().filter(due).cloned().collect())
    }

    /// Learns from the changes of a block, once they are applied, which cases have come.
    pub(crate) fn settle(&mut self, changes: &[CaseChange], indexes: &Indexes) {
        for change in changes {
            if let CaseChange::Add(epoch, case) = change
                && self.cases.contains_key(&case.handle)
                && indexes.holds(*epoch, case.handle)
            {
                self.cases.remove(&case.handle);
                self.arrived.push(case.handle);
            }
        }
    }

    /// Forgets for good what had come: the index is committed.
    ///
    /// # Errors
    /// The matcher's file cannot be written.
    pub(crate) fn committed(&mut self) -> Result<(), StoreError> {
        self.arrived.drain(..).try_for_each(|handle| self.store.remove_missing(handle))
    }
}
