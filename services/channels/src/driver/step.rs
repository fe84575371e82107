//! One step at a time: take an item, fetch what is missing, submit, commit, join again.

use std::collections::{BTreeMap, BTreeSet};

use semblance_core::id::ChannelId;
use semblance_core::time::Timestamp;

use super::{Driver, DriverError, Line, ROUNDS};
use crate::client::{ClientError, Event, Phase};
use crate::limits::{FACTS_FRESH_MILLIS, LOOK_MILLIS, REJOIN_MILLIS};
use crate::store::Store;
use crate::wire::{Admission, Answer, DeviceCall, Item, Refusal};

/// How often an item is given again with fresh facts before it has to wait for the ledger.
pub(super) const TRIES: usize = 3;

/// Whether these are items of a channel's order, one after another. A hub is asked about its own channel, and has no say
/// in any other.
fn are_of(items: &[Item], channel: ChannelId) -> bool {
    let ordered = items.iter().all(|item| item.channel == channel && item.body.is_ordered());
    ordered
        && items
            .windows(2)
            .all(|pair| matches!(pair, [one, next] if one.sequence.checked_add(1) == Some(next.sequence)))
}

/// An item's place in its channel's order, if it has one.
fn place(item: &Item) -> Option<u64> {
    item.body.is_ordered().then_some(item.sequence)
}

impl<S: Store, L: Line> Driver<S, L> {
    /// Takes what is in the queue. Returns whether there was anything.
    ///
    /// The queue is a hint: an item that cannot be taken now is noted as missing and fetched from its hub later, so that
    /// one channel's trouble keeps no other waiting.
    pub(super) async fn pull(
        &mut self,
        wait: bool,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<bool, DriverError> {
        let kept = self.client.kept()?;
        let waiting = self.line.listen(kept, wait).await?;
        let (mut last, mut missing) = (kept, BTreeMap::new());
        for (position, item) in waiting {
            let taken = match self.take(&item, Some(position), now, happened).await {
                Ok(taken) => taken,
                // Nobody on this device agreed to it: whoever sent it has no business here.
                Err(DriverError::Client(ClientError::UnknownChannel)) => true,
                Err(error) => {
                    self.pass_over(item.channel, error)?;
                    false
                }
            };
            if !taken {
                // At once, since the next item's place in the queue is noted with it; further places all together.
                let seen = place(&item);
                let known: &mut Option<u64> = missing.entry(item.channel).or_default();
                *known = seen.max(*known);
                self.note_missing(item.channel, seen, true)?;
            }
            last = position;
        }
        for (channel, seen) in missing {
            self.note_missing(channel, seen, false)?;
        }
        self.client.set_kept(last)?;
        // Said again if it was lost with the connection, or with an earlier program.
        if last > self.told {
            self.line.call(DeviceCall::Kept(last)).await?;
            self.told = last;
        }
        Ok(last != kept)
    }

    /// Notes that something is missing, if nothing is yet; or the last place that was seen, if it is still to come.
    fn note_missing(&mut self, channel: ChannelId, seen: Option<u64>, first: bool) -> Result<(), DriverError> {
        let client = &mut self.client;
        let noted = client.is_missing(channel).and_then(|known| {
            let news = if first { !known } else { known && seen >= Some(client.next(channel)?) };
            if news { client.note_missing(channel, seen) } else { Ok(()) }
        });
        match noted {
            Err(error) => self.pass_over(channel, error.into()),
            Ok(()) => Ok(()),
        }
    }

    /// Gives an item to the client, with fresh facts where it needs them; false if it cannot be taken now.
    async fn take(
        &mut self,
        item: &Item,
        position: Option<u64>,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<bool, DriverError> {
        for _ in 0..TRIES {
            let received = match position {
                Some(position) => self.client.receive_queued(position, item, &self.facts, now),
                None => self.client.receive(item, &self.facts, now),
            };
            match received {
                Ok(events) => {
                    // A message that was read asks for nothing; anything else may.
                    if events.iter().any(|event| !matches!(event, Event::Message(_))) {
                        self.looked.remove(&item.channel);
                    }
                    happened.extend(events.into_iter().map(|event| (item.channel, event)));
                    return Ok(true);
                }
                Err(ClientError::Behind(consents)) => self.learn(&consents.into_iter().collect()).await?,
                Err(ClientError::Charter(_)) => self.learn(&BTreeSet::new()).await?,
                Err(ClientError::Gap { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Fetches from the hub what did not come by the queue. What the hub has no more is lost, and only joining again
    /// helps.
    pub(super) async fn catch_up(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<(), DriverError> {
        for _ in 0..ROUNDS {
            let next = self.client.next(channel)?;
            let Answer::Items(items) = self.line.call(DeviceCall::Items(channel, next)).await? else {
                return Err(DriverError::Answer);
            };
            if !are_of(&items, channel) {
                return Err(DriverError::Answer);
            }
            let told = match items.first().map(|item| item.sequence) {
                Some(begins) if begins == next => None,
                Some(_) => Some(self.client.lost(channel)?),
                None => Some(self.client.nothing_follows(channel)?),
            };
            if let Some(events) = told {
                self.looked.remove(&channel);
                happened.extend(events.into_iter().map(|event| (channel, event)));
                return Ok(());
            }
            for item in items {
                // A fact that the own node does not know yet comes with the ledger.
                if !self.take(&item, None, now, happened).await? {
                    return Ok(());
                }
            }
            match self.phase(channel)? {
                Some(Phase::Member) => {}
                // So far behind its own commit: from a newer group it is nearer.
                Some(Phase::Rejoining) => {
                    self.client.lost(channel)?;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Does what is this device's turn in a channel: fetch what is missing, join again, commit for those who wait, say
    /// what is to be said.
    pub(super) async fn advance(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<(), DriverError> {
        let lately = self.looked.get(&channel).is_some_and(|at| now.distance(*at) < LOOK_MILLIS);
        if lately && self.client.is_quiet(channel)? {
            return Ok(());
        }
        let awaiting = self.client.awaiting_since(channel, now)?;
        if awaiting.is_some_and(|since| now.distance(since) >= REJOIN_MILLIS) {
            // What the hub took comes back in its place; where the queue has forgotten it, the hub tells.
            self.client.note_missing(channel, None)?;
        }
        if self.client.is_missing(channel)? && self.phase(channel)? == Some(Phase::Member) {
            self.catch_up(channel, now, happened).await?;
        }
        match self.phase(channel)? {
            Some(Phase::Broken) => return self.rejoin(channel, now).await,
            Some(Phase::Member) => {}
            Some(Phase::Creating) => return self.submit(channel).await,
            Some(Phase::Rejoining) => return self.await_own(channel, now, happened).await,
            Some(Phase::Agreed) => return self.knock(channel, now).await,
            Some(Phase::Removed) | None => return Ok(()),
        }
        let consents = self.client.consents(channel)?;
        self.learn_anew(channel, consents, now).await?;
        self.client.review(channel, &self.facts, now)?;
        // Who waits is no news since a moment ago: what is to be said goes out at once.
        let admissions = if lately { None } else { self.admissions(channel).await? };
        let nobody_waits = admissions.as_ref().is_some_and(Vec::is_empty);
        let admissions = admissions.unwrap_or_default();
        let claimed = admissions.iter().filter_map(|one| one.proof.claims(self.network).ok());
        let joining: BTreeSet<_> = claimed.map(|leaf| leaf.consent).collect();
        if !joining.is_empty() {
            self.learn(&joining).await?;
        }
        match self.client.advance(channel, &admissions, &self.facts, now) {
            Ok(made) => {
                if !made && nobody_waits {
                    self.looked.insert(channel, now);
                }
                self.submit(channel).await?;
                if self.client.is_missing(channel)? {
                    // The hub has gone on without this device: what led there is fetched at once, before it can come by
                    // the queue as well and leave nothing to fetch.
                    self.catch_up(channel, now, happened).await?;
                }
                Ok(())
            }
            Err(ClientError::Unsafe) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks who waits to be let in; nothing if the hub is away.
    async fn admissions(&mut self, channel: ChannelId) -> Result<Option<Vec<Admission>>, DriverError> {
        match self.line.call(DeviceCall::Admissions(channel)).await {
            Ok(Answer::Admissions(admissions)) => Ok(Some(admissions)),
            Ok(_) => Err(DriverError::Answer),
            Err(refusal @ (Refusal::Ended | Refusal::NotMember)) => Err(refusal.into()),
            // What is to be said waits.
            Err(_) => Ok(None),
        }
    }

    /// Asks about a channel's members, unless it was asked a moment ago.
    async fn learn_anew(
        &mut self,
        channel: ChannelId,
        consents: BTreeSet<semblance_core::id::ConsentId>,
        now: Timestamp,
    ) -> Result<(), DriverError> {
        let fresh = self
            .learned
            .get(&channel)
            .is_some_and(|(at, known)| now.distance(*at) < FACTS_FRESH_MILLIS && consents.is_subset(known));
        if !fresh {
            self.learn(&consents).await?;
            self.learned.insert(channel, (now, consents));
        }
        Ok(())
    }

    /// Hands in what is on its way. What one says comes in the order in which one said it: nothing overtakes what
    /// waits.
    ///
    /// # Errors
    /// This device takes no part any more, or the store failed. What else is refused is tried again by the next steps.
    pub(super) async fn submit(&mut self, channel: ChannelId) -> Result<(), DriverError> {
        for (key, submission) in self.client.outgoing(channel)? {
            let answer = self.line.call(DeviceCall::Submit(channel, submission)).await;
            let refusal = answer.as_ref().err().copied();
            self.client.answered(channel, key, answer.map(|_| ()))?;
            if let Some(refusal) = refusal {
                // A removal may wait, or somebody to be let in: the device looks anew.
                self.looked.remove(&channel);
                return match refusal {
                    Refusal::Ended | Refusal::NotMember => Err(refusal.into()),
                    _ => Ok(()),
                };
            }
        }
        Ok(())
    }
}
