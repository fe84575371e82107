//! What a node does by itself: carry deliveries to other hospitals, end what rests on consents that ended, press for
//! commits that are due, clean up.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use semblance_core::id::{ConsentId, OrganisationId, TransactionId};
use semblance_core::record::Record;
use tokio::task::JoinSet;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::ChannelService;
use crate::limits::ITEMS_MAX;
use crate::wire::{Answer, Charter, HubCall, Refusal, Terms};

/// How often a node looks by itself.
const TICK: Duration = Duration::from_secs(1);
/// How often members are asked again to commit, in ticks.
const PRESS_EVERY: u64 = 5;
/// How often consents are read from the ledger again, in ticks: they also expire, and an event may have been missed.
const REVIEW_EVERY: u64 = 30;
/// How often old things are cleaned away, in ticks.
const CLEAN_EVERY: u64 = 600;

/// What is to be done at a peer; one keeps the other not waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    /// To carry what the own hub has for its devices.
    Deliver,
    /// To tell its hub of devices that take no further part.
    Revoke,
}

/// An errand at a peer.
type Visit = (OrganisationId, Errand);

/// The visits under way, and those that failed: how often in a row, and until when the peer is left alone with them.
#[derive(Default)]
struct Round {
    under_way: JoinSet<(Visit, Result<(), Refusal>)>,
    visited: BTreeSet<Visit>,
    away: BTreeMap<Visit, (u32, Instant)>,
}

impl Round {
    /// Whether somebody may set out now; if so, somebody has.
    fn set_out(&mut self, visit: &Visit) -> bool {
        let rested = self.away.get(visit).is_none_or(|(_, until)| *until <= Instant::now());
        rested && self.visited.insert(visit.clone())
    }

    fn note(&mut self, visit: Visit, ended: Result<(), Refusal>) {
        self.visited.remove(&visit);
        let Err(refusal) = ended else {
            self.away.remove(&visit);
            return;
        };
        tracing::warn!(peer = %visit.0, errand = ?visit.1, code = refusal.word(), "what is for another hospital waits");
        let (times, until) = self.away.entry(visit).or_insert((0, Instant::now()));
        *until = Instant::now() + TICK * 2_u32.pow((*times).min(5));
        *times += 1;
    }
}

impl ChannelService {
    /// Carries, ends and cleans until `stop` is ready.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = stop => {}
            () = self.carry_for_ever() => {}
            () = self.tick_for_ever() => {}
        }
    }

    /// Takes up a channel of which this node is the hub.
    ///
    /// # Errors
    /// The charter does not verify, or names another hub.
    pub async fn take_up(&self, charter: Charter, seed: Zeroizing<[u8; 32]>) -> Result<Terms, Refusal> {
        let facts = self.facts(BTreeSet::new()).await?;
        self.office(move |office, now| office.open_channel(&charter, &seed, &facts, now)).await
    }

    /// A consent ended on the ledger: everything that rests on it ends here, at once.
    ///
    /// # Errors
    /// The office failed.
    pub async fn end_consent(&self, consent: ConsentId, transaction: Option<TransactionId>) -> Result<(), Refusal> {
        self.office(move |office, now| office.end_consent(consent, transaction, now)).await?;
        self.ring();
        Ok(())
    }

    async fn tick_for_ever(&self) {
        for tick in 0_u64.. {
            let mut failed = Ok(());
            if tick.is_multiple_of(PRESS_EVERY) {
                failed = failed.and(self.office(|office, now| office.press(now)).await);
            }
            if tick.is_multiple_of(REVIEW_EVERY) {
                failed = failed.and(self.review().await);
            }
            if tick.is_multiple_of(CLEAN_EVERY) {
                failed = failed.and(self.office(|office, now| office.clean(now)).await);
            }
            if let Err(refusal) = failed {
                tracing::warn!(code = refusal.word(), "the channels' housekeeping failed");
            }
            self.ring();
            tokio::time::sleep(TICK).await;
        }
    }

    /// Ends what rests on consents that have ended, whoever was to tell.
    ///
    /// # Errors
    /// The ledger or the office failed.
    pub async fn review(&self) -> Result<(), Refusal> {
        let consents = self.office(|office, now| office.consents(now)).await?;
        if consents.is_empty() {
            return Ok(());
        }
        let facts = self.facts(consents).await?;
        let now = self.now();
        for (consent, fact) in facts.consents {
            if let Some(transaction) = fact.ended(now) {
                self.end_consent(consent, transaction).await?;
            }
        }
        Ok(())
    }

    /// Calls on every peer for whom something waits, each by itself: one that hangs keeps no other waiting.
    async fn carry_for_ever(&self) {
        let mut round = Round::default();
        loop {
            tokio::select! {
                () = self.inner.outbound.notified() => {}
                Some(ended) = round.under_way.join_next() => match ended {
                    Ok((visit, ended)) => round.note(visit, ended),
                    // Whose it was is not told; nobody is left out for ever because of it.
                    Err(error) => {
                        tracing::error!(%error, "an errand at another hospital broke off");
                        round = Round::default();
                    }
                },
            }
            let waiting = self.glance(|office, now| Ok((office.peers(now)?, office.hubs_to_tell(now)?))).await;
            let Ok((peers, hubs)) = waiting else { continue };
            let deliver = peers.into_iter().map(|peer| (peer, Errand::Deliver));
            for visit in deliver.chain(hubs.into_iter().map(|hub| (hub, Errand::Revoke))) {
                if round.set_out(&visit) {
                    let channels = self.clone();
                    round.under_way.spawn(async move {
                        let ended = AssertUnwindSafe(channels.run_errand(&visit)).catch_unwind().await;
                        let panicked = |_| {
                            tracing::error!(peer = %visit.0, errand = ?visit.1, "an errand at another hospital panicked");
                            Err(Refusal::Failed)
                        };
                        (visit.clone(), ended.unwrap_or_else(panicked))
                    });
                }
            }
        }
    }

    async fn run_errand(&self, (peer, errand): &Visit) -> Result<(), Refusal> {
        match errand {
            Errand::Deliver => self.carry(peer).await,
            Errand::Revoke => self.tell_revocations(peer).await,
        }
    }

    /// Carries to a peer what waits for it, in order, as much as goes into one call. What is left, or came meanwhile, is
    /// seen by whoever looks who else is to be visited.
    async fn carry(&self, peer: &OrganisationId) -> Result<(), Refusal> {
        let to = peer.clone();
        let outbound = self.office(move |office, now| office.outbound(&to, ITEMS_MAX, now)).await?;
        let (Some(first), Some(last)) = (outbound.first(), outbound.last()) else { return Ok(()) };
        let (first, last) = (first.number, last.number);
        let deliveries = outbound.into_iter().map(|one| (one.number, one.delivery.encode())).collect();
        let Answer::Number(taken) = self.inner.peers.call(peer, HubCall::Deliver(deliveries)).await? else {
            return Err(Refusal::Failed);
        };
        if taken < first {
            tracing::warn!(%peer, first, taken, "a hospital's node did not take what was delivered to it");
            return Err(Refusal::Failed);
        }
        let to = peer.clone();
        self.glance(move |office, _| {
            office.acknowledged(&to, taken.min(last));
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests;
