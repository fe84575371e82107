//! The open epochs' indexes: one folder each, one writer each, searched by all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;
use semblance_index::{Block, Change, IndexError, IndexedCase, Merging, Position, Searcher, Writer};

/// What readers see: a searcher for each open epoch. Cheap to clone.
#[derive(Clone, Default)]
pub struct Searchers {
    by_epoch: Arc<RwLock<BTreeMap<EpochNumber, Searcher>>>,
}

impl Searchers {
    /// The searcher of an epoch, if it is open.
    #[must_use]
    pub fn get(&self, epoch: EpochNumber) -> Option<Searcher> {
        self.by_epoch.read().unwrap_or_else(PoisonError::into_inner).get(&epoch).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Searcher> {
        self.by_epoch.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn set(&self, epoch: EpochNumber, searcher: Option<Searcher>) {
        let mut by_epoch = self.by_epoch.write().unwrap_or_else(PoisonError::into_inner);
        match searcher {
            Some(searcher) => by_epoch.insert(epoch, searcher),
            None => by_epoch.remove(&epoch),
        };
    }
}

/// What one block changes in the index of one epoch.
#[derive(Debug, Clone)]
pub(crate) enum CaseChange {
    /// A case is published. Its ordinal is given when it is applied.
    Add(EpochNumber, NewCase),
    /// A case is no longer live, in whichever epoch it stands.
    Withdraw(semblance_core::id::CaseHandle),
}

/// A published case without its place in the order of publication.
#[derive(Debug, Clone)]
pub(crate) struct NewCase {
    /// Its public name.
    pub handle: semblance_core::id::CaseHandle,
    /// The number of its hospital.
    pub hospital: u16,
    /// When it expires.
    pub expires: Timestamp,
    /// Its tokens.
    pub tokens: Vec<semblance_core::token::Token>,
}

/// The writers of all open epochs; belongs to the follower alone.
pub(crate) struct Indexes {
    folder: PathBuf,
    writers: BTreeMap<EpochNumber, Writer>,
    searchers: Searchers,
}

impl Indexes {
    /// Opens what the folder holds.
    ///
    /// # Errors
    /// A file cannot be read, or another process has an index open.
    pub(crate) fn open(folder: &Path) -> Result<Self, IndexError> {
        std::fs::create_dir_all(folder)?;
        let mut indexes = Self { folder: folder.to_owned(), writers: BTreeMap::new(), searchers: Searchers::default() };
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("epoch-")).and_then(|name| name.parse().ok());
            if let Some(number) = number {
                indexes.open_epoch(EpochNumber(number))?;
            }
        }
        Ok(indexes)
    }

    /// What readers see.
    #[must_use]
    pub(crate) fn searchers(&self) -> Searchers {
        self.searchers.clone()
    }

    /// The block to follow from: after the oldest that is safe in every index.
    #[must_use]
    pub(crate) fn next_block(&self) -> u64 {
        let committed = |writer: &Writer| writer.committed().map_or(0, |position| position.block.saturating_add(1));
        self.writers.values().map(committed).min().unwrap_or(0)
    }

    /// The last block that every index has; none if there is no index.
    #[must_use]
    pub(crate) fn position(&self) -> Option<Position> {
        self.writers.values().filter_map(Writer::applied).min_by_key(|position| position.block)
    }

    fn path(&self, epoch: EpochNumber) -> PathBuf {
        self.folder.join(format!("epoch-{:010}", epoch.0))
    }

    /// Begins an epoch, or goes on with it.
    ///
    /// # Errors
    /// The index cannot be opened.
    pub(crate) fn open_epoch(&mut self, epoch: EpochNumber) -> Result<(), IndexError> {
        if !self.writers.contains_key(&epoch) {
            let writer = Writer::open(&self.path(epoch), Merging::Automatic)?;
            self.searchers.set(epoch, Some(writer.searcher()));
            self.writers.insert(epoch, writer);
        }
        Ok(())
    }

    /// Ends an epoch: nothing of it can be found any more, and its files are removed.
    ///
    /// # Errors
    /// The files cannot be removed.
    pub(crate) fn close_epoch(&mut self, epoch: EpochNumber) -> Result<(), IndexError> {
        self.searchers.set(epoch, None);
        if self.writers.remove(&epoch).is_some() {
            std::fs::remove_dir_all(self.path(epoch))?;
        }
        Ok(())
    }

    /// Applies one block to every epoch that has not seen it; its changes show when this returns.
    ///
    /// # Errors
    /// The files cannot be read or written; then the indexes must be opened again.
    pub(crate) fn apply(&mut self, position: Position, changes: &[CaseChange]) -> Result<(), IndexError> {
        for (epoch, writer) in &mut self.writers {
            if writer.applied().is_some_and(|applied| applied.block >= position.block) {
                continue;
            }
            let mut ordinal = writer.next_ordinal();
            let mut of_epoch = Vec::with_capacity(changes.len());
            for change in changes {
                match change {
                    CaseChange::Withdraw(handle) => of_epoch.push(Change::Withdraw(*handle)),
                    CaseChange::Add(of, case) if of == epoch => {
                        // A fingerprint's tokens ascend and are few enough by its type.
                        let indexed = IndexedCase::new(ordinal, case.handle, case.hospital, case.expires, &case.tokens);
                        of_epoch.extend(indexed.ok().map(Change::Add));
                        ordinal = ordinal.saturating_add(1);
                    }
                    CaseChange::Add(..) => {}
                }
            }
            writer.apply(&Block { position, changes: of_epoch })?;
        }
        Ok(())
    }

    /// Makes what was applied survive a crash.
    ///
    /// # Errors
    /// The files cannot be written.
    pub(crate) fn commit(&mut self) -> Result<(), IndexError> {
        for writer in self.writers.values_mut() {
            writer.commit()?;
        }
        Ok(())
    }

    /// Rewrites the files that still hold bytes of cases that left, by withdrawal or by time.
    ///
    /// # Errors
    /// The files cannot be written.
    pub(crate) fn scrub(&mut self) -> Result<(), IndexError> {
        self.writers.values_mut().try_for_each(Writer::scrub)
    }
}
