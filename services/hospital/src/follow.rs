//! Follows the ledger: opens receipts, learns of withdrawals that others submitted and of expiries.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use semblance_contract::event::{Event, OwnedCase};
use semblance_core::id::{CaseHandle, ConsentId};
use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;
use semblance_ledger::{BlockEvents, Validation};

use crate::error::HospitalError;
use crate::introduction::IntroductionChange;
use crate::service::HospitalService;
use crate::settled::{end_publication, end_publications};
use crate::store::channel::{self, StoredChannel};
use crate::store::consent::{self, ConsentState};
use crate::store::publication::{self, PublicationState};
use crate::store::receipt::{self, Receipt};
use crate::store::{StoreError, audit, closed_epoch, introduction, setting};

/// How long the running node waits before it looks at the outbox again.
const TICK: Duration = Duration::from_secs(1);
/// Pause after the ledger could not be followed.
const PAUSE: Duration = Duration::from_secs(2);
/// Blocks that hold nothing for us are noted together: at most so many are read again after a crash.
const NOTE_EVERY: u64 = 64;

impl HospitalService {
    /// Follows the ledger, empties the outbox and ends what has expired, until `stop` is ready.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = stop => {}
            () = self.follow_for_ever() => {}
            () = self.tick_for_ever() => {}
        }
    }

    async fn follow_for_ever(&self) {
        loop {
            if let Err(error) = self.follow(None).await {
                tracing::warn!(code = error.code(), "the ledger cannot be followed");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn tick_for_ever(&self) {
        loop {
            for done in [self.send().await.map(|_| ()), self.expire().await.map(|_| ())] {
                if let Err(error) = done {
                    tracing::warn!(code = error.code(), "the outbox could not be emptied");
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Reads the blocks that are there and not read yet; returns when none has come for `idle`.
    ///
    /// # Errors
    /// The ledger cannot be read, or the store failed.
    pub async fn catch_up(&self, idle: Duration) -> Result<u64, HospitalError> {
        self.follow(Some(idle)).await?;
        Ok(self.followed())
    }

    async fn follow(&self, idle: Option<Duration>) -> Result<(), HospitalError> {
        // A follower that is at work already does it for us.
        let Ok(_one) = self.inner.following.try_lock() else { return Ok(()) };
        let from = self.followed();
        let mut blocks = self.inner.chain.blocks(from).await?;
        let mut noted = from;
        loop {
            let next = match idle {
                None => blocks.next().await,
                Some(idle) => match tokio::time::timeout(idle, blocks.next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                },
            };
            let Some(block) = next else { break };
            let block = block?;
            let changes = self.read_block(&block).await?;
            let position = block.number.saturating_add(1);
            self.inner.followed_until.store(block.timestamp.millis(), Ordering::SeqCst);
            if !changes.is_empty() || position.saturating_sub(noted) >= NOTE_EVERY {
                self.apply(changes, position).await?;
                noted = position;
            }
            self.inner.next_block.store(position, Ordering::SeqCst);
        }
        if noted < self.followed() {
            self.apply(Vec::new(), self.followed()).await?;
        }
        Ok(())
    }

    /// What a block holds for this hospital. Events of transactions that took no effect are passed over.
    async fn read_block(&self, block: &BlockEvents) -> Result<Vec<Change>, HospitalError> {
        let mut changes = Vec::new();
        for outcome in block.transactions.iter().filter(|outcome| outcome.validation == Validation::Valid) {
            let Some((name, payload)) = &outcome.event else { continue };
            match Event::decode(name, payload) {
                Ok(Some(event)) => changes.extend(self.read_event(event, block).await?),
                // A newer contract's event, or one that is not what the contract writes. It may have concerned us:
                // whoever reads the audit must learn that this node passed over something.
                unread => {
                    let code = if unread.is_ok() { "unknown-event" } else { "malformed-event" };
                    tracing::warn!(block = block.number, code, "an event cannot be read");
                    changes.push(Change::Doubt { action: "follow", subject: outcome.transaction.to_string(), code });
                }
            }
        }
        Ok(changes)
    }

    async fn read_event(&self, event: Event, block: &BlockEvents) -> Result<Vec<Change>, HospitalError> {
        let ours = |cases: Vec<OwnedCase>| {
            let ours = cases.into_iter().filter(|case| case.hospital == self.inner.organisation);
            ours.map(|case| case.handle).collect::<Vec<_>>()
        };
        Ok(match event {
            Event::LookupsRecorded(lookups) => {
                let mut changes = Vec::new();
                for lookup in &lookups {
                    changes.extend(self.open_slots(lookup, block).await?);
                }
                changes
            }
            Event::ConsentWithdrawn(consent, cases) => vec![Change::Withdrawn(consent, ours(cases))],
            Event::CasesExpired(cases) => ours(cases).into_iter().map(Change::Expired).collect(),
            Event::EpochClosed(epoch) => {
                self.inner.seeds.forget(epoch);
                vec![Change::Closed(epoch)]
            }
            Event::IntroductionProposed(id, proposer) => self.read_proposal(id, &proposer, block.timestamp).await?,
            Event::IntroductionAnswered(id, hospital, _) => self.read_answer(id, &hospital, block.timestamp).await?,
            Event::ChannelOpened(id, hub, fence) | Event::GroupOpened(id, hub, fence) => {
                self.read_channel(id, &hub, fence, block.timestamp).await?
            }
            _ => Vec::new(),
        })
    }

    async fn apply(&self, changes: Vec<Change>, position: u64) -> Result<(), HospitalError> {
        let (now, followed_until) = (self.now(), self.inner.followed_until.load(Ordering::SeqCst));
        self.store()
            .run(move |tx| -> Result<(), StoreError> {
                for change in changes {
                    match change {
                        Change::Receipt(mut found) => {
                            found.local_id = publication::get(tx, found.handle)?.map(|ours| ours.local_id);
                            receipt::add(tx, &found)?;
                        }
                        Change::Withdrawn(id, handles) => {
                            if consent::get(tx, id)?.is_some_and(|ours| ours.state != ConsentState::Withdrawn) {
                                consent::set_state(tx, id, ConsentState::Withdrawn, None)?;
                            }
                            introduction::end_of(tx, id)?;
                            end_publications(tx, id, &handles, now)?;
                        }
                        Change::Expired(handle) => end_one(tx, handle, now)?,
                        Change::Introduction(change) => change.apply(tx, now)?,
                        Change::Channel(opened) => channel::put(tx, &opened)?,
                        Change::Closed(epoch) => {
                            closed_epoch::add(tx, epoch)?;
                            for handle in publication::live_in(tx, epoch)? {
                                end_publication(tx, handle, PublicationState::Closed, now)?;
                            }
                        }
                        Change::Doubt { action, subject, code } => {
                            audit::add(tx, now, "ledger", action, &subject, code)?;
                        }
                    }
                }
                setting::set(tx, setting::FOLLOWED_UNTIL, &followed_until.to_be_bytes())?;
                setting::set(tx, setting::NEXT_BLOCK, &position.to_be_bytes())
            })
            .await?;
        Ok(())
    }

    /// Takes cases out whose consents have expired. Matchers drop them by themselves; this tells everyone else.
    ///
    /// # Errors
    /// The store failed. A ledger that cannot be reached is tried again by the next call.
    pub async fn expire(&self) -> Result<u64, HospitalError> {
        let now = self.now();
        let handles = self
            .store()
            .run(move |tx| -> Result<_, StoreError> {
                introduction::expire(tx, now)?;
                let mut handles = Vec::new();
                for overdue in consent::overdue(tx, now, crate::step::CHUNK)? {
                    let standing = publication::of_consent(tx, overdue.consent)?;
                    let live = standing.iter().filter(|one| one.state == PublicationState::Live);
                    let before = handles.len();
                    handles.extend(live.map(|one| one.handle));
                    if handles.len() == before {
                        consent::set_state(tx, overdue.consent, ConsentState::Expired, None)?;
                    }
                }
                Ok(handles)
            })
            .await?;
        let mut ended = 0;
        for chunk in handles.chunks(crate::step::CHUNK) {
            let outcomes = self.inner.chain.expire(chunk.to_vec()).await?;
            let done: Vec<CaseHandle> =
                chunk.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(handle, _)| *handle).collect();
            ended += done.len() as u64;
            self.store()
                .run(move |tx| -> Result<(), StoreError> {
                    done.into_iter().try_for_each(|handle| end_one(tx, handle, now))
                })
                .await?;
        }
        Ok(ended)
    }
}

/// What a block means for this hospital.
pub(crate) enum Change {
    Receipt(Receipt),
    /// A consent ended, and with it these cases of ours.
    Withdrawn(ConsentId, Vec<CaseHandle>),
    Expired(CaseHandle),
    Closed(EpochNumber),
    Introduction(IntroductionChange),
    /// A channel of ours, or a symptom group, was opened or has another hub.
    Channel(Box<StoredChannel>),
    /// Something on the ledger is not as it should be; the audit shall say so.
    Doubt {
        action: &'static str,
        subject: String,
        code: &'static str,
    },
}

/// Ends one publication whose consent has expired, and the consent with it.
fn end_one(tx: &rusqlite::Transaction<'_>, handle: CaseHandle, now: Timestamp) -> Result<(), StoreError> {
    let Some(ours) = publication::get(tx, handle)? else { return Ok(()) };
    if ours.state == PublicationState::Live {
        end_publication(tx, handle, PublicationState::Expired, now)?;
    }
    if consent::get(tx, ours.consent)?.is_some_and(|consent| consent.state == ConsentState::Live) {
        consent::set_state(tx, ours.consent, ConsentState::Expired, None)?;
    }
    Ok(())
}
