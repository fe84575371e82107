//! The open epochs' indexes: one folder each, one writer each, searched by all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_core::token::{EpochNumber, Token};
use semblance_index::{Block, Change, IndexError, IndexedCase, Merging, Position, Searcher, Writer};

use crate::files;
use crate::store::Numbering;

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
    Withdraw(CaseHandle),
}

/// A published case without its place in the order of publication.
#[derive(Debug, Clone)]
pub(crate) struct NewCase {
    /// Its public name.
    pub handle: CaseHandle,
    /// The number of its hospital.
    pub hospital: u16,
    /// When it expires.
    pub expires: Timestamp,
    /// Its tokens.
    pub tokens: Vec<Token>,
}

/// How the folder of an open epoch's index begins.
const EPOCH: &str = "epoch-";
/// How the folder of one begins that is being removed.
const CLOSED: &str = "closed-";
/// The file that names the numbering of the hospitals.
const NUMBERING: &str = "numbering";

fn named(folder: &Path, prefix: &str, epoch: EpochNumber) -> PathBuf {
    folder.join(format!("{prefix}{:010}", epoch.0))
}

/// The epochs of the folders that begin so.
fn numbered(folder: &Path, prefix: &str) -> Result<Vec<EpochNumber>, IndexError> {
    let mut epochs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|name| name.parse().ok());
        epochs.extend(number.map(EpochNumber));
    }
    Ok(epochs)
}

/// Removes the index of an epoch. It gets another name first, so that a crash half-way leaves no half of an index that
/// would be opened.
fn discard(folder: &Path, epoch: EpochNumber) -> Result<(), IndexError> {
    let (open, closed) = (named(folder, EPOCH, epoch), named(folder, CLOSED, epoch));
    if closed.exists() {
        std::fs::remove_dir_all(&closed)?;
    }
    std::fs::rename(&open, &closed)?;
    files::sync_folder(&closed)?;
    Ok(std::fs::remove_dir_all(&closed)?)
}

/// Removes what a crash left of removed indexes.
fn sweep(folder: &Path) -> Result<(), IndexError> {
    for epoch in numbered(folder, CLOSED)? {
        std::fs::remove_dir_all(named(folder, CLOSED, epoch))?;
    }
    Ok(())
}

/// Removes all indexes unless they are of this numbering.
fn settle_numbering(folder: &Path, numbering: Numbering) -> Result<(), IndexError> {
    let path = folder.join(NUMBERING);
    if path.exists() && std::fs::read(&path)? == numbering.as_bytes() {
        return Ok(());
    }
    for epoch in numbered(folder, EPOCH)? {
        tracing::warn!(epoch = epoch.0, "the index is of another matcher's file, building it anew from the ledger");
        discard(folder, epoch)?;
    }
    Ok(files::replace(&path, numbering.as_bytes())?)
}

/// The writers of all open epochs; belongs to the follower alone.
pub(crate) struct Indexes {
    folder: PathBuf,
    writers: BTreeMap<EpochNumber, Writer>,
    searchers: Searchers,
}

impl Indexes {
    /// Opens what the folder holds. Indexes that keep the numbers of another numbering of the hospitals are removed:
    /// they would name the wrong ones, and are built anew from the ledger.
    ///
    /// # Errors
    /// A file cannot be read, or another process has an index open.
    pub(crate) fn open(folder: &Path, numbering: Numbering) -> Result<Self, IndexError> {
        files::make_folder(folder)?;
        sweep(folder)?;
        settle_numbering(folder, numbering)?;
        let mut indexes = Self { folder: folder.to_owned(), writers: BTreeMap::new(), searchers: Searchers::default() };
        for epoch in numbered(folder, EPOCH)? {
            indexes.open_epoch(epoch)?;
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

    /// Whether an epoch is open here and its index has not seen this block.
    #[must_use]
    pub(crate) fn awaits(&self, epoch: EpochNumber, block: u64) -> bool {
        self.writers.get(&epoch).is_some_and(|writer| writer.applied().is_none_or(|applied| applied.block < block))
    }

    /// Whether the index of an epoch holds a live case.
    #[must_use]
    pub(crate) fn holds(&self, epoch: EpochNumber, handle: CaseHandle) -> bool {
        self.searchers.get(epoch).is_some_and(|searcher| searcher.view().holds(handle))
    }

    /// Begins an epoch, or goes on with it.
    ///
    /// # Errors
    /// The index cannot be opened.
    pub(crate) fn open_epoch(&mut self, epoch: EpochNumber) -> Result<(), IndexError> {
        if !self.writers.contains_key(&epoch) {
            let folder = named(&self.folder, EPOCH, epoch);
            files::make_folder(&folder)?;
            let writer = Writer::open(&folder, Merging::Automatic)?;
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
        let Some(writer) = self.writers.remove(&epoch) else { return Ok(()) };
        // First: it may be merging, and holds a lock in the folder.
        drop(writer);
        discard(&self.folder, epoch)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const MINE: Numbering = Numbering::from_bytes([1; 16]);
    const OTHERS: Numbering = Numbering::from_bytes([2; 16]);
    const EPOCHS: [EpochNumber; 2] = [EpochNumber(1), EpochNumber(2)];

    /// Two epochs with a case each, of which the one in the second expires at 50.
    fn filled(folder: &Path) -> Indexes {
        let mut indexes = Indexes::open(folder, MINE).unwrap();
        EPOCHS.into_iter().for_each(|epoch| indexes.open_epoch(epoch).unwrap());
        let add = |epoch: EpochNumber, expires| {
            let handle = CaseHandle::from_bytes([epoch.0 as u8; 16]);
            let tokens = (1..=8).map(Token).collect();
            CaseChange::Add(epoch, NewCase { handle, hospital: 0, expires: Timestamp::from_millis(expires), tokens })
        };
        apply(&mut indexes, 1, &[add(EPOCHS[0], 1000), add(EPOCHS[1], 50)]);
        indexes.commit().unwrap();
        indexes
    }

    fn apply(indexes: &mut Indexes, block: u64, changes: &[CaseChange]) {
        indexes.apply(Position { block, time: Timestamp::from_millis(block) }, changes).unwrap();
    }

    fn cases(indexes: &Indexes) -> Vec<(EpochNumber, u32)> {
        let count = |epoch: &EpochNumber| indexes.searchers().get(*epoch).unwrap().view().collection().cases;
        indexes.writers.keys().map(|epoch| (*epoch, count(epoch))).collect()
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn an_epoch_that_is_closed_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut indexes = filled(folder.path());
        indexes.close_epoch(EPOCHS[0]).unwrap();
        indexes.close_epoch(EPOCHS[0]).unwrap();
        assert!(indexes.searchers().get(EPOCHS[0]).is_none());
        assert_eq!(names(folder.path()), ["epoch-0000000002", NUMBERING].map(str::to_owned).into());
        drop(indexes);
        let indexes = Indexes::open(folder.path(), MINE).unwrap();
        assert_eq!((cases(&indexes), indexes.next_block()), (vec![(EPOCHS[1], 1)], 2));
    }

    #[test]
    fn a_crash_while_an_epoch_is_closed_is_made_up_for() {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path()));
        // The folder has its new name, and half of its files are gone.
        let half = named(folder.path(), CLOSED, EPOCHS[0]);
        std::fs::rename(named(folder.path(), EPOCH, EPOCHS[0]), &half).unwrap();
        std::fs::remove_file(half.join("meta.json")).unwrap();
        let mut indexes = Indexes::open(folder.path(), MINE).unwrap();
        assert_eq!(cases(&indexes), [(EPOCHS[1], 1)]);
        assert!(!half.exists());
        // Even if the same epoch is closed again, with the old half still there.
        std::fs::create_dir(named(folder.path(), CLOSED, EPOCHS[1])).unwrap();
        std::fs::write(named(folder.path(), CLOSED, EPOCHS[1]).join("left"), "over").unwrap();
        indexes.close_epoch(EPOCHS[1]).unwrap();
        assert_eq!(names(folder.path()), [NUMBERING.to_owned()].into());
    }

    #[test]
    fn indexes_with_another_files_numbers_are_built_anew() {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path()));
        let kept = Indexes::open(folder.path(), MINE).unwrap();
        assert_eq!((cases(&kept), kept.next_block()), (EPOCHS.map(|epoch| (epoch, 1)).to_vec(), 2));
        drop(kept);
        let anew = Indexes::open(folder.path(), OTHERS).unwrap();
        assert_eq!((cases(&anew), anew.next_block()), (Vec::new(), 0));
        drop(anew);
        // An index of which it is not known whose numbers it has.
        drop(filled(folder.path()));
        std::fs::remove_file(folder.path().join(NUMBERING)).unwrap();
        assert_eq!(cases(&Indexes::open(folder.path(), MINE).unwrap()), []);
    }

    #[test]
    fn cases_that_expire_are_scrubbed_without_a_withdrawal() {
        let folder = tempfile::tempdir().unwrap();
        let mut indexes = filled(folder.path());
        indexes.scrub().unwrap();
        let files = || names(&named(folder.path(), EPOCH, EPOCHS[1]));
        let before: BTreeSet<String> = files().into_iter().filter(|name| name.ends_with(".idx")).collect();
        assert_eq!(before.len(), 1);
        apply(&mut indexes, 50, &[]);
        assert_eq!(cases(&indexes), [(EPOCHS[0], 1), (EPOCHS[1], 0)]);
        indexes.scrub().unwrap();
        assert!(files().is_disjoint(&before), "the file with the tokens is gone");
    }
}
