//! From the ledger's blocks into the indexes.
//!
//! One task follows the blocks in order. A block's changes show together; what a block published is read as private
//! data and checked against the hash on the chain by the contract. When the ledger cannot be reached the task tries
//! again; when the index's files fail it stops, since what it would answer could be wrong.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use semblance_contract::event::{CasePublication, Event};
use semblance_core::fingerprint::PrivateValue;
use semblance_core::id::CaseHandle;
use semblance_core::limits::PAGE_MAX;
use semblance_core::time::Timestamp;
use semblance_index::{IndexError, Position};
use semblance_ledger::LedgerError;
use semblance_ledger::client::{Block, LedgerClient};
use tokio::sync::watch;

use crate::budget::{Asker, Budgets};
use crate::indexes::{CaseChange, Indexes, NewCase};
use crate::members::Members;
use crate::missing::Missing;
use crate::store::{MatcherStore, MissingCase, StoreError};

/// How long a busy ledger may keep the index from being committed.
const COMMIT_EVERY: Duration = Duration::from_secs(2);
/// How long the ledger must be quiet before the index is committed.
const QUIET: Duration = Duration::from_millis(100);
/// How often bytes of cases that left are removed from the files.
const SCRUB_EVERY: Duration = Duration::from_secs(30);
/// How long to wait before the ledger is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Why following ended.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The index's files failed.
    #[error("the index failed: {0}")]
    Index(#[from] IndexError),
    /// The matcher's own file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger cannot be reached, or answered what it must not.
    #[error("the ledger failed: {0}")]
    Ledger(#[from] LedgerError),
}

impl FollowError {
    /// Whether trying again may help.
    const fn passes(&self) -> bool {
        matches!(self, Self::Ledger(_))
    }
}

/// Follows the ledger.
pub(crate) struct Follower {
    ledger: LedgerClient,
    indexes: Indexes,
    store: Arc<MatcherStore>,
    members: Members,
    budgets: Arc<Budgets>,
    progress: watch::Sender<Option<Position>>,
    next: u64,
    missing: Missing,
    uncommitted: bool,
}

impl Follower {
    /// Stands where the indexes stand. `progress` gets the last block applied.
    ///
    /// # Errors
    /// The matcher's own file cannot be read.
    pub(crate) fn new(
        ledger: LedgerClient,
        indexes: Indexes,
        store: Arc<MatcherStore>,
        members: Members,
        budgets: Arc<Budgets>,
        progress: watch::Sender<Option<Position>>,
    ) -> Result<Self, StoreError> {
        let next = indexes.next_block();
        let missing = Missing::load(Arc::clone(&store), &indexes)?;
        Ok(Self { ledger, indexes, store, members, budgets, progress, next, missing, uncommitted: false })
    }

    /// Follows until told to stop, then commits.
    ///
    /// # Errors
    /// The index's files or the matcher's own file failed.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), FollowError> {
        loop {
            let outcome = tokio::select! {
                outcome = self.follow() => outcome,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match outcome {
                Ok(()) => tracing::warn!("the ledger's blocks ended, following again"),
                Err(error) if error.passes() => tracing::warn!(%error, "following the ledger failed, trying again"),
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_AFTER) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.commit()
    }

    /// Makes what was applied survive a crash.
    fn commit(&mut self) -> Result<(), FollowError> {
        self.indexes.commit()?;
        Ok(self.missing.committed()?)
    }

    async fn follow(&mut self) -> Result<(), FollowError> {
        self.members.learn(&self.ledger).await?;
        let mut blocks = self.ledger.events(self.next).await?;
        let mut committed = tokio::time::Instant::now();
        let mut scrubbed = committed;
        loop {
            match tokio::time::timeout(QUIET, blocks.next()).await {
                Ok(Some(block)) => {
                    self.take(block?).await?;
                    if committed.elapsed() < COMMIT_EVERY {
                        continue;
                    }
                }
                Ok(None) => return Ok(()),
                Err(_) => {}
            }
            if std::mem::take(&mut self.uncommitted) {
                self.commit()?;
            }
            committed = tokio::time::Instant::now();
            if scrubbed.elapsed() >= SCRUB_EVERY {
                self.indexes.scrub()?;
                scrubbed = committed;
            }
        }
    }

    /// Takes one block in, whole.
    async fn take(&mut self, block: Block) -> Result<(), FollowError> {
        let changes = self.changes(&block).await?;
        let position = Position { block: block.number, time: block.timestamp };
        self.indexes.apply(position, &changes)?;
        self.missing.settle(&changes, &self.indexes);
        self.uncommitted = true;
        self.next = block.number.saturating_add(1);
        self.progress.send_replace(Some(position));
        Ok(())
    }

    async fn changes(&mut self, block: &Block) -> Result<Vec<CaseChange>, FollowError> {
        let mut changes = Vec::new();
        let due = self.missing.due(block.number, block.timestamp, &self.indexes)?;
        self.add(due, block.timestamp, &mut changes).await?;
        for (transaction, event) in &block.events {
            match event {
                Event::CasesPublished(cases) => {
                    for replaced in cases.iter().filter_map(|case| case.replaces) {
                        self.leave(replaced, &mut changes)?;
                    }
                    // An index that has this block already has dealt with its cases.
                    let new = cases.iter().filter(|case| self.indexes.awaits(case.epoch, block.number)).cloned();
                    let new = new.map(|case| MissingCase { block: block.number, case }).collect();
                    self.add(new, block.timestamp, &mut changes).await?;
                }
                Event::ConsentWithdrawn(_, cases) | Event::CasesExpired(cases) | Event::CasesPurged(cases) => {
                    for case in cases {
                        self.leave(case.handle, &mut changes)?;
                    }
                }
                Event::LookupsRecorded(lookups) => {
                    for lookup in lookups {
                        let asker =
                            Asker { hospital: lookup.hospital.clone(), clinician: lookup.clinician, slot: lookup.slot };
                        self.budgets.record(lookup.request, asker);
                        // An answer whose entry's fate was unknown is answered for now.
                        self.store.answer_committed(lookup.request, *transaction, block.number)?;
                    }
                    self.budgets.forget_before(block.timestamp.day());
                }
                Event::EpochOpened(epoch) => self.indexes.open_epoch(*epoch)?,
                Event::EpochClosed(epoch) => {
                    self.indexes.close_epoch(*epoch)?;
                    self.missing.close_epoch(*epoch)?;
                }
                Event::NetworkCreated(_) | Event::MemberRegistered(_) | Event::KeyRotated(_) => {
                    self.members.learn(&self.ledger).await?;
                }
                Event::PatientKeysRegistered(..) | Event::ConsentsGranted(..) | Event::DenialsRecorded(..) => {}
                // Who talks to whom is no matter of a matcher's.
                Event::IntroductionProposed(..)
                | Event::IntroductionAnswered(..)
                | Event::ChannelOpened(..)
                | Event::GroupOpened(..) => {}
            }
        }
        Ok(changes)
    }

    fn leave(&mut self, case: CaseHandle, changes: &mut Vec<CaseChange>) -> Result<(), StoreError> {
        changes.push(CaseChange::Withdraw(case));
        self.missing.remove(case)
    }

    /// Reads the private data of published cases. What is not there is remembered: either a later block ends the case,
    /// or its data come late.
    async fn add(
        &mut self,
        cases: Vec<MissingCase>,
        now: Timestamp,
        changes: &mut Vec<CaseChange>,
    ) -> Result<(), FollowError> {
        for part in cases.chunks(PAGE_MAX) {
            let handles: Vec<CaseHandle> = part.iter().map(|one| one.case.handle).collect();
            let values = self.ledger.fingerprints(&handles).await?;
            for (one, value) in part.iter().zip(values) {
                match value {
                    Some(value) => changes.extend(self.checked(&one.case, &value)?),
                    None if one.case.expires > now => self.missing.put(one.block, &one.case)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// A case with its tokens. One whose private value is malformed is passed over: the contract checks the form at
    /// publication, so that only a broken contract brings one here.
    fn checked(&self, case: &CasePublication, value: &PrivateValue) -> Result<Option<CaseChange>, FollowError> {
        if value.sha256().as_bytes() != &case.private_hash {
            tracing::error!(case = %case.handle, "the private data of a case have another hash than its publication");
            return Ok(None);
        }
        let new = NewCase {
            handle: case.handle,
            hospital: self.store.hospital_number(&case.hospital)?,
            expires: case.expires,
            tokens: value.fingerprint().tokens().to_vec(),
        };
        Ok(Some(CaseChange::Add(case.epoch, new)))
    }
}
