//! What a node does by itself: carry deliveries to other hospitals, end what rests on consents that ended, press for
//! commits that are due, clean up.

use std::future::Future;
use std::time::Duration;

use semblance_core::id::{ConsentId, OrganisationId, TransactionId};
use semblance_core::record::Record;
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
        let facts = self.facts(std::collections::BTreeSet::new()).await?;
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

    async fn carry_for_ever(&self) {
        let mut away = std::collections::BTreeMap::<OrganisationId, (u32, tokio::time::Instant)>::new();
        loop {
            self.inner.outbound.notified().await;
            let Ok(peers) = self.office(|office, now| office.peers(now)).await else { continue };
            for peer in peers {
                let clock = tokio::time::Instant::now();
                if away.get(&peer).is_some_and(|(_, until)| *until > clock) {
                    continue;
                }
                match self.carry(&peer).await {
                    Ok(()) => drop(away.remove(&peer)),
                    Err(refusal) => {
                        let (times, until) = away.entry(peer.clone()).or_insert((0, clock));
                        *until = clock + TICK * 2_u32.pow((*times).min(5));
                        *times += 1;
                        tracing::warn!(%peer, code = refusal.word(), "deliveries wait");
                    }
                }
            }
        }
    }

    /// Carries to a peer what waits for it, in order.
    async fn carry(&self, peer: &OrganisationId) -> Result<(), Refusal> {
        loop {
            let to = peer.clone();
            let outbound = self.office(move |office, now| office.outbound(&to, ITEMS_MAX, now)).await?;
            if outbound.is_empty() {
                return Ok(());
            }
            let deliveries = outbound.into_iter().map(|one| (one.number, one.delivery.encode())).collect();
            let Answer::Number(taken) = self.inner.peers.call(peer, HubCall::Deliver(deliveries)).await? else {
                return Err(Refusal::Failed);
            };
            let to = peer.clone();
            self.office(move |office, now| office.acknowledged(&to, taken, now)).await?;
        }
    }
}
