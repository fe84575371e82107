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

/// Blocks after which a case that stays away is looked for again at the latest.
const SELDOM: u64 = 1024;

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
    /// expired are forgotten. Each is looked for again after one block, two, four, and so on up to [`SELDOM`]: a rebuild
    /// passes over every case that was purged since, and may not ask for all of them at every block.
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
        let due = |one: &&MissingCase| {
            let waited = block.saturating_sub(one.block);
            (waited.is_power_of_two() || (waited > 0 && waited.is_multiple_of(SELDOM)))
                && indexes.awaits(one.case.epoch, block)
        };
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

#[cfg(test)]
mod tests {
    use semblance_core::id::{ConsentId, OrganisationId};
    use semblance_core::token::Token;
    use semblance_index::Position;

    use super::*;
    use crate::indexes::NewCase;
    use crate::store::Numbering;

    const EPOCH: EpochNumber = EpochNumber(1);

    fn publication() -> CasePublication {
        CasePublication {
            handle: CaseHandle::from_bytes([1; 16]),
            hospital: OrganisationId::new("north").unwrap(),
            consent: ConsentId::from_bytes([2; 16]),
            epoch: EPOCH,
            expires: Timestamp::from_millis(1000),
            private_hash: [3; 32],
            replaces: None,
        }
    }

    /// A matcher's file, and its index of one epoch.
    fn open(folder: &std::path::Path) -> (Arc<MatcherStore>, Indexes) {
        let store = Arc::new(MatcherStore::open(&folder.join("matcher.sqlite")).unwrap());
        let mut indexes = Indexes::open(&folder.join("index"), Numbering::from_bytes([1; 16])).unwrap();
        indexes.open_epoch(EPOCH).unwrap();
        (store, indexes)
    }

    #[test]
    fn a_case_is_forgotten_when_the_committed_index_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut indexes) = open(folder.path());
        let now = Timestamp::from_millis(10);
        let mut missing = Missing::load(Arc::clone(&store), &indexes).unwrap();
        missing.put(7, &publication()).unwrap();
        assert_eq!(missing.due(7, now, &indexes).unwrap(), [], "its own block brings it by itself");
        assert_eq!(missing.due(8, now, &indexes).unwrap().len(), 1);

        let case = publication();
        let tokens = (1..=8).map(Token).collect();
        let new = NewCase { handle: case.handle, hospital: 0, expires: case.expires, tokens };
        let changes = [CaseChange::Add(EPOCH, new)];
        indexes.apply(Position { block: 8, time: now }, &changes).unwrap();
        missing.settle(&changes, &indexes);
        assert_eq!(missing.due(9, now, &indexes).unwrap(), []);
        assert_eq!(store.missing().unwrap().len(), 1, "a crash now would take the index back");
        indexes.commit().unwrap();

        // A crash between the commit and the note of it.
        let mut again = Missing::load(Arc::clone(&store), &indexes).unwrap();
        assert_eq!(again.due(9, now, &indexes).unwrap(), [], "it would be taken in twice");
        missing.committed().unwrap();
        assert_eq!(store.missing().unwrap(), []);
    }

    #[test]
    fn what_has_expired_or_lost_its_epoch_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(MatcherStore::open(&folder.path().join("matcher.sqlite")).unwrap());
        let indexes = Indexes::open(&folder.path().join("index"), Numbering::from_bytes([1; 16])).unwrap();
        let mut missing = Missing::load(Arc::clone(&store), &indexes).unwrap();
        missing.put(7, &publication()).unwrap();
        missing.due(8, Timestamp::from_millis(999), &indexes).unwrap();
        assert_eq!(store.missing().unwrap().len(), 1);
        missing.due(9, Timestamp::from_millis(1000), &indexes).unwrap();
        assert_eq!(store.missing().unwrap(), []);
        missing.put(10, &publication()).unwrap();
        missing.close_epoch(EpochNumber(2)).unwrap();
        assert_eq!(store.missing().unwrap().len(), 1);
        missing.close_epoch(EPOCH).unwrap();
        assert_eq!(store.missing().unwrap(), []);
    }

    #[test]
    fn a_rebuild_does_not_ask_for_everything_at_every_block() {
        let folder = tempfile::tempdir().unwrap();
        let (store, indexes) = open(folder.path());
        let mut missing = Missing::load(store, &indexes).unwrap();
        missing.put(7, &publication()).unwrap();
        let asked = (8..1008).filter(|block| !missing.due(*block, Timestamp::default(), &indexes).unwrap().is_empty());
        assert_eq!(asked.collect::<Vec<u64>>(), [8, 9, 11, 15, 23, 39, 71, 135, 263, 519]);
    }
}
