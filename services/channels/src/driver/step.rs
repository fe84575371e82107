//! One step at a time: take an item, submit, commit, join again.

use std::collections::BTreeSet;

use semblance_core::id::ChannelId;
use semblance_core::time::Timestamp;

use super::{Driver, DriverError, Line};
use crate::client::{ClientError, Event, Phase};
use crate::store::Store;
use crate::wire::{Answer, DeviceCall, Item, Refusal};

/// How often an item is given again with fresh facts before it has to wait for the ledger.
const TRIES: usize = 3;

/// What became of an item.
enum Taken {
    Yes,
    /// The node's ledger is behind; the item comes again.
    Later,
}

impl<S: Store, L: Line> Driver<S, L> {
    /// Takes what is in the queue. Returns whether there was anything.
    pub(super) async fn pull(
        &mut self,
        wait: bool,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<bool, DriverError> {
        let kept = self.client.kept()?;
        let waiting = self.line.listen(kept, wait).await?;
        let mut last = kept;
        for (position, item) in waiting {
            match self.take(&item, now, happened).await? {
                Taken::Yes => last = position,
                Taken::Later => break,
            }
        }
        if last == kept {
            return Ok(false);
        }
        self.client.set_kept(last)?;
        self.line.call(DeviceCall::Kept(last)).await?;
        Ok(true)
    }

    async fn take(
        &mut self,
        item: &Item,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<Taken, DriverError> {
        for _ in 0..TRIES {
            match self.client.receive(item, &self.facts, now) {
                Ok(events) => {
                    happened.extend(events.into_iter().map(|event| (item.channel, event)));
                    return Ok(Taken::Yes);
                }
                // Nobody on this device agreed to it: whoever sent it has no business here.
                Err(ClientError::UnknownChannel) => return Ok(Taken::Yes),
                Err(ClientError::Behind(consents)) => self.learn(&consents.into_iter().collect()).await?,
                Err(ClientError::Charter(_)) => self.learn(&BTreeSet::new()).await?,
                Err(ClientError::Gap { expected }) => {
                    if !self.catch_up(item.channel, expected, now, happened).await? {
                        return Ok(Taken::Later);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Taken::Later)
    }

    /// Fetches from the hub what did not come by the queue.
    async fn catch_up(
        &mut self,
        channel: ChannelId,
        first: u64,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<bool, DriverError> {
        let Answer::Items(items) = self.line.call(DeviceCall::Items(channel, first)).await? else {
            return Err(DriverError::Answer);
        };
        let mut any = false;
        for item in items {
            match self.client.receive(&item, &self.facts, now) {
                Ok(events) => {
                    happened.extend(events.into_iter().map(|event| (channel, event)));
                    any = true;
                }
                Err(ClientError::Behind(consents)) => {
                    self.learn(&consents.into_iter().collect()).await?;
                    return Ok(any);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(any)
    }

    /// Does what is this device's turn in a channel: join again, commit for those who wait, say what is to be said.
    pub(super) async fn advance(&mut self, channel: ChannelId, now: Timestamp) -> Result<(), DriverError> {
        match self.phase(channel)? {
            Some(Phase::Broken) => return self.rejoin(channel, now).await,
            Some(Phase::Member) => {}
            Some(Phase::Creating | Phase::Rejoining) => return self.submit(channel).await,
            Some(Phase::Agreed | Phase::Removed) | None => return Ok(()),
        }
        let consents = self.client.consents(channel)?;
        self.learn(&consents).await?;
        self.client.review(channel, &self.facts, now)?;
        let admissions = match self.line.call(DeviceCall::Admissions(channel)).await {
            Ok(Answer::Admissions(admissions)) => admissions,
            Ok(_) => return Err(DriverError::Answer),
            Err(refusal @ (Refusal::Ended | Refusal::NotMember)) => return Err(refusal.into()),
            // The hub is away: what is to be said waits.
            Err(_) => Vec::new(),
        };
        let claimed = admissions.iter().filter_map(|one| one.proof.claims(self.network).ok());
        let joining: BTreeSet<_> = claimed.map(|leaf| leaf.consent).collect();
        if !joining.is_empty() {
            self.learn(&joining).await?;
        }
        match self.client.advance(channel, &admissions, &self.facts, now) {
            Ok(_) => self.submit(channel).await,
            Err(ClientError::Unsafe) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands in what is on its way. What one says comes in the order in which one said it: nothing overtakes what
    /// waits.
    pub(super) async fn submit(&mut self, channel: ChannelId) -> Result<(), DriverError> {
        for (key, submission) in self.client.outgoing(channel)? {
            let answer = self.line.call(DeviceCall::Submit(channel, submission)).await;
            let taken = answer.is_ok();
            self.client.answered(channel, key, answer.map(|_| ()))?;
            if !taken {
                break;
            }
        }
        Ok(())
    }

    /// Joins again by itself.
    ///
    /// # Errors
    /// The hub refuses or is away.
    pub async fn rejoin(&mut self, channel: ChannelId, now: Timestamp) -> Result<(), DriverError> {
        // What was said before and not answered is answered now, or it would be said twice.
        self.submit(channel).await?;
        let Answer::Rejoin(info) = self.line.call(DeviceCall::Rejoin(channel)).await? else {
            return Err(DriverError::Answer);
        };
        for _ in 0..TRIES {
            match self.client.rejoin(channel, &info, None, &self.facts, now) {
                Ok(()) => return self.submit(channel).await,
                Err(ClientError::Behind(consents)) => self.learn(&consents.into_iter().collect()).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
