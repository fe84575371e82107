//! Taking the ledger's blocks into the index, and keeping the files in order.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Wake, Waker};

use semblance_core::id::CaseHandle;
use tantivy::directory::MmapDirectory;
use tantivy::directory::error::LockError;
use tantivy::index::{SegmentId, SegmentMeta};
use tantivy::indexer::{LogMergePolicy, MergePolicy, NoMergePolicy};
use tantivy::{FutureResult, Index, IndexReader, IndexWriter, ReloadPolicy, TantivyError, Term};

use crate::case::{Block, Change, IndexedCase};
use crate::error::IndexError;
use crate::position::{Mark, Position};
use crate::schema::Fields;
use crate::search::Searcher;
use crate::segment::Segment;
use crate::state::State;

/// Memory in which tantivy builds a segment.
const MEMORY: usize = 64 << 20;
/// From so many uncommitted cases on, a block ends with a commit: while catching up with a long ledger the tail stays
/// small.
const TAIL_MAX: u32 = 1 << 16;
/// So many segments of like size are merged into one.
const MERGE_AT: usize = 5;

/// Whether segments are merged as they become many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merging {
    /// In the background, after commits.
    Automatic,
    /// Only by [`Writer::scrub`]: for tests and measurements.
    Off,
}

/// The one writer of an index.
///
/// A block shows in answers when [`apply`](Self::apply) returns, and survives a crash when a later
/// [`commit`](Self::commit) returns; after a crash the index stands at its last commit, whole, and says where that is.
/// The bytes of cases that left stay in the files until [`scrub`](Self::scrub) has run: call it at least as often as
/// the matcher's stated time demands.
pub struct Writer {
    index: Index,
    writer: IndexWriter,
    reader: IndexReader,
    fields: Fields,
    state: Arc<RwLock<State>>,
    ordinal: Option<u32>,
    committed: Option<Position>,
    applied: Option<Position>,
    merging: Merging,
    merges: Vec<Merge>,
    /// Whether the files may hold bytes of cases that left, for whatever reason.
    stale: bool,
    broken: bool,
}

/// A merge in the background.
struct Merge {
    segments: Vec<SegmentId>,
    outcome: Pin<Box<FutureResult<Option<SegmentMeta>>>>,
}

impl Writer {
    /// Opens the index in a folder, or begins one there. Afterwards it stands at its last commit.
    ///
    /// # Errors
    /// Someone else has it open, another version of the program wrote it, or its files cannot be read.
    pub fn open(folder: &Path, merging: Merging) -> Result<Self, IndexError> {
        std::fs::create_dir_all(folder)?;
        let directory = MmapDirectory::open(folder).map_err(TantivyError::from)?;
        let index = Index::open_or_create(directory, Fields::schema()).map_err(unusable)?;
        let fields = Fields::of(&index.schema())?;
        let mark = index.load_metas()?.payload.as_deref().map(Mark::decode).transpose()?;
        let writer = index.writer_with_num_threads(1, MEMORY).map_err(|error| locked(error, folder))?;
        writer.set_merge_policy(Box::new(NoMergePolicy));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let position = mark.map(|mark| mark.position);
        let state = State { position: position.unwrap_or_default(), ..State::default() };
        let opened = Self {
            index,
            writer,
            reader,
            fields,
            state: Arc::new(RwLock::new(state)),
            ordinal: mark.and_then(|mark| mark.ordinal),
            committed: position,
            applied: position,
            merging,
            merges: Vec::new(),
            stale: true,
            broken: false,
        };
        opened.refresh(false)?;
        opened.write().count()?;
        Ok(opened)
    }

    /// Something to search with.
    #[must_use]
    pub fn searcher(&self) -> Searcher {
        Searcher::new(Arc::clone(&self.state))
    }

    /// The last block applied; none in a new index.
    #[must_use]
    pub const fn applied(&self) -> Option<Position> {
        self.applied
    }

    /// The ordinal that the next case gets at least.
    #[must_use]
    pub const fn next_ordinal(&self) -> u32 {
        match self.ordinal {
            Some(last) => last.saturating_add(1),
            None => 0,
        }
    }

    /// The last block that survives a crash; a follower resumes after it.
    #[must_use]
    pub const fn committed(&self) -> Option<Position> {
        self.committed
    }

    /// Takes one block in. When this returns its changes show, all of them; on an error in the block itself none does
    /// and the writer goes on, after an error of the files the index must be opened again.
    ///
    /// # Errors
    /// The block or an ordinal is not the next, or the files cannot be read or written.
    pub fn apply(&mut self, block: &Block) -> Result<(), IndexError> {
        self.check_whole()?;
        let ordinal = self.check(block)?;
        let outcome = self.take(block, ordinal);
        self.broken = outcome.is_err();
        outcome
    }

    fn check(&self, block: &Block) -> Result<Option<u32>, IndexError> {
        if let Some(last) = self.applied
            && block.position.block <= last.block
        {
            return Err(IndexError::BlockOrder { found: block.position.block, last: last.block });
        }
        let mut ordinal = self.ordinal;
        for case in added(block) {
            if let Some(last) = ordinal
                && case.ordinal() <= last
            {
                return Err(IndexError::OrdinalOrder { found: case.ordinal(), last });
            }
            ordinal = Some(case.ordinal());
        }
        Ok(ordinal)
    }

    fn take(&mut self, block: &Block, ordinal: Option<u32>) -> Result<(), IndexError> {
        // A ledger's time never goes back; should it, what had expired stays expired.
        let now = block.position.time.max(self.applied.unwrap_or_default().time);
        let position = Position { block: block.position.block, time: now };
        let withdrawn: BTreeSet<CaseHandle> = withdrawn(block).collect();
        let leaving = self.read().leaving(&withdrawn, now)?;
        for case in added(block) {
            self.writer.add_document(self.fields.document(case))?;
        }
        let mut state = self.write();
        added(block).for_each(|case| state.add(case));
        let gone = state.remove(&leaving, &withdrawn, now);
        state.position = position;
        let recent = state.tail.columns.len();
        drop(state);
        self.stale |= !gone.is_empty();
        for ordinal in gone {
            self.writer.delete_term(Term::from_field_u64(self.fields.ordinal, u64::from(ordinal)));
        }
        (self.applied, self.ordinal) = (Some(position), ordinal);
        if recent >= TAIL_MAX { self.write_down() } else { Ok(()) }
    }

    /// Makes everything applied so far survive a crash, and returns where that is.
    ///
    /// # Errors
    /// The files cannot be written; the index must then be opened again.
    pub fn commit(&mut self) -> Result<Option<Position>, IndexError> {
        self.check_whole()?;
        let outcome = self.write_down();
        self.broken = outcome.is_err();
        outcome.map(|()| self.committed)
    }

    fn write_down(&mut self) -> Result<(), IndexError> {
        let fresh = self.applied != self.committed;
        if let Some(position) = self.applied
            && fresh
        {
            let mut prepared = self.writer.prepare_commit()?;
            prepared.set_payload(&Mark { position, ordinal: self.ordinal }.encode());
            prepared.commit()?;
            self.committed = Some(position);
        }
        self.refresh(fresh)?;
        self.collect_merges();
        if self.merging == Merging::Automatic {
            self.merge_like_sized()?;
        }
        self.writer.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Rewrites every segment that still holds bytes of cases that left, by withdrawal or by time, and deletes the old
    /// files. Commits first.
    ///
    /// # Errors
    /// The files cannot be written; the index must then be opened again.
    pub fn scrub(&mut self) -> Result<(), IndexError> {
        self.commit()?;
        let outcome = self.rewrite();
        self.broken = outcome.is_err();
        outcome
    }

    /// Waits for the merges at work in the background, and for those that follow from them.
    ///
    /// # Errors
    /// The files cannot be read or written; the index must then be opened again.
    pub fn settle(&mut self) -> Result<(), IndexError> {
        self.check_whole()?;
        while !self.merges.is_empty() {
            let outcome = self.finish_merges().and_then(|()| self.write_down());
            self.broken = outcome.is_err();
            outcome?;
        }
        Ok(())
    }

    fn finish_merges(&mut self) -> Result<(), IndexError> {
        std::mem::take(&mut self.merges).into_iter().try_for_each(Merge::finish)
    }

    fn rewrite(&mut self) -> Result<(), IndexError> {
        if !self.stale {
            return Ok(());
        }
        self.finish_merges()?;
        for segment in self.index.searchable_segment_metas()? {
            if segment.has_deletes() {
                self.writer.merge(&[segment.id()]).wait()?;
            }
        }
        self.refresh(false)?;
        self.writer.garbage_collect_files().wait()?;
        self.stale = false;
        Ok(())
    }

    /// Begins to rewrite in the background what [`scrub`](Self::scrub) would; a later commit picks the result up.
    /// Returns how many segments are being rewritten.
    ///
    /// # Errors
    /// The list of segments cannot be read.
    pub fn start_scrub(&mut self) -> Result<usize, IndexError> {
        self.check_whole()?;
        let idle = self.idle()?;
        let stale = idle.into_iter().filter(SegmentMeta::has_deletes);
        let groups: Vec<Vec<SegmentId>> = stale.map(|segment| vec![segment.id()]).collect();
        let count = groups.len();
        self.merge(groups);
        Ok(count)
    }

    /// How many segments the committed cases stand in.
    ///
    /// # Errors
    /// The list of segments cannot be read.
    pub fn segments(&self) -> Result<usize, IndexError> {
        Ok(self.index.searchable_segment_ids()?.len())
    }

    fn merge_like_sized(&mut self) -> Result<(), IndexError> {
        let mut policy = LogMergePolicy::default();
        policy.set_min_num_segments(MERGE_AT);
        let candidates = policy.compute_merge_candidates(&self.idle()?);
        self.merge(candidates.into_iter().map(|candidate| candidate.0).collect());
        Ok(())
    }

    /// The segments that no merge is at work on.
    fn idle(&self) -> Result<Vec<SegmentMeta>, IndexError> {
        let busy: HashSet<SegmentId> = self.merges.iter().flat_map(|merge| merge.segments.iter().copied()).collect();
        let mut segments = self.index.searchable_segment_metas()?;
        segments.retain(|segment| !busy.contains(&segment.id()));
        Ok(segments)
    }

    fn merge(&mut self, groups: Vec<Vec<SegmentId>>) {
        for segments in groups {
            let outcome = Box::pin(self.writer.merge(&segments));
            self.merges.push(Merge { segments, outcome });
        }
    }

    /// Forgets merges that have ended. A failed one leaves its segments as they were, to be tried again.
    fn collect_merges(&mut self) {
        self.merges.retain_mut(|merge| match merge.outcome.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => true,
            Poll::Ready(Ok(_)) => false,
            Poll::Ready(Err(error)) => {
                tracing::warn!(%error, "merging index segments failed");
                false
            }
        });
    }

    /// Brings the searched segments in line with the committed ones. With `tail`, the tail has just become one.
    fn refresh(&self, tail: bool) -> Result<(), IndexError> {
        self.reader.reload()?;
        let searcher = self.reader.searcher();
        let current: HashSet<SegmentId> =
            searcher.segment_readers().iter().map(|segment| segment.segment_id()).collect();
        let (known, dead) = {
            let state = self.read();
            let known: HashSet<SegmentId> = state.segments.iter().map(|segment| segment.id).collect();
            (known, state.dead_outside(&current, tail))
        };
        let mut new = Vec::new();
        for segment in searcher.segment_readers() {
            if !known.contains(&segment.segment_id()) {
                let mut segment = Segment::open(segment, &self.fields)?;
                segment.bury(&dead);
                new.push(segment);
            }
        }
        if tail || !new.is_empty() || known != current {
            self.write().exchange(&current, new, tail);
        }
        Ok(())
    }

    fn check_whole(&self) -> Result<(), IndexError> {
        if self.broken { Err(IndexError::Broken) } else { Ok(()) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Merge {
    /// Waits for the end. The future may have been polled before, so that tantivy's own `wait` is not allowed.
    fn finish(mut self) -> Result<(), IndexError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            match self.outcome.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => return outcome.map(|_| ()).map_err(IndexError::from),
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn added(block: &Block) -> impl Iterator<Item = &IndexedCase> {
    block.changes.iter().filter_map(|change| match change {
        Change::Add(case) => Some(case),
        Change::Withdraw(_) => None,
    })
}

fn withdrawn(block: &Block) -> impl Iterator<Item = CaseHandle> {
    block.changes.iter().filter_map(|change| match change {
        Change::Add(_) => None,
        Change::Withdraw(handle) => Some(*handle),
    })
}

fn locked(error: TantivyError, folder: &Path) -> IndexError {
    match error {
        TantivyError::LockFailure(LockError::LockBusy, _) => IndexError::Locked(PathBuf::from(folder)),
        other => other.into(),
    }
}

fn unusable(error: TantivyError) -> IndexError {
    match error {
        TantivyError::SchemaError(_) => IndexError::Unusable("another version of the program wrote it"),
        other => other.into(),
    }
}
