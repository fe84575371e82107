//! Coming in, for the first time and again.

use std::collections::BTreeSet;

use semblance_core::id::ChannelId;
use semblance_core::time::Timestamp;

use super::step::TRIES;
use super::{Driver, DriverError, Line};
use crate::client::{ClientError, Content, Event, Phase};
use crate::limits::{REJOIN_MILLIS, WELCOME_MILLIS};
use crate::store::Store;
use crate::wire::{Answer, DeviceCall, Submission};

impl<S: Store, L: Line> Driver<S, L> {
    /// The person agrees to a channel: the device asks to be let in, or makes its group if it is the first.
    ///
    /// # Errors
    /// It is not offered, or refused.
    pub async fn join(&mut self, channel: ChannelId, now: Timestamp) -> Result<(), DriverError> {
        let offers = self.offers().await?;
        let (_, offer) = offers.into_iter().find(|(terms, _)| terms.channel == channel).ok_or(DriverError::NoOffer)?;
        self.client.agree(&offer.charter, &self.facts)?;
        if self.phase(channel)? != Some(Phase::Agreed) {
            return Ok(());
        }
        if self.client.waiting(channel)? == 0 {
            self.client.say(channel, &Content::Introduce { name: self.name.clone() })?;
        }
        self.client.waiting_since(channel, now)?;
        self.ask_in(channel, now).await.map(drop)
    }

    /// Asks to be let in; true if the device makes the group because there is none.
    async fn ask_in(&mut self, channel: ChannelId, now: Timestamp) -> Result<bool, DriverError> {
        let (participant, leaf_key) = self.client.leaf(channel)?;
        match self.line.call(DeviceCall::Join { channel, participant, leaf_key }).await? {
            Answer::Create(proof) => {
                let claim = proof.claims(self.network).map_err(|_| DriverError::Answer)?;
                self.learn(&BTreeSet::from([claim.consent])).await?;
                self.client.create(channel, proof, &self.facts, now)?;
                self.submit(channel).await?;
                Ok(true)
            }
            Answer::Done => Ok(false),
            _ => Err(DriverError::Answer),
        }
    }

    /// A device that agreed and is not in: it waits to be added. If that takes long, or the way in was lost, it asks again
    /// and comes in by itself.
    pub(super) async fn knock(&mut self, channel: ChannelId, now: Timestamp) -> Result<(), DriverError> {
        let since = self.client.waiting_since(channel, now)?;
        let lost = self.client.is_missing(channel)?;
        let lately = self.knocked.get(&channel).is_some_and(|at| now.distance(*at) < REJOIN_MILLIS);
        if lately || (!lost && now.distance(since) < WELCOME_MILLIS) {
            return Ok(());
        }
        self.knocked.insert(channel, now);
        if !self.ask_in(channel, now).await? {
            self.rejoin(channel, now).await?;
        }
        Ok(())
    }

    /// Hands in the commit by which a device joins again. Once the hub has it, it comes by the queue; a device that was
    /// away too long fetches it.
    pub(super) async fn await_own(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
        happened: &mut Vec<(ChannelId, Event)>,
    ) -> Result<(), DriverError> {
        self.submit(channel).await?;
        let outgoing = self.client.outgoing(channel)?;
        let under_way = outgoing.iter().any(|(_, submission)| matches!(submission, Submission::Commit(_)));
        let lately = self.rejoined.get(&channel).is_some_and(|at| now.distance(*at) < REJOIN_MILLIS);
        if under_way || lately || self.phase(channel)? != Some(Phase::Rejoining) {
            return Ok(());
        }
        self.rejoined.insert(channel, now);
        self.catch_up(channel, now, happened).await
    }

    /// Joins again by itself, not more often than every few seconds: two copies of one device would do nothing else.
    ///
    /// # Errors
    /// The hub refuses or is away.
    pub async fn rejoin(&mut self, channel: ChannelId, now: Timestamp) -> Result<(), DriverError> {
        // What was said before and not answered is answered now, or it would be said twice.
        self.submit(channel).await?;
        if self.rejoined.get(&channel).is_some_and(|at| now.distance(*at) < REJOIN_MILLIS) {
            return Ok(());
        }
        let Answer::Rejoin(info) = self.line.call(DeviceCall::Rejoin(channel)).await? else {
            return Err(DriverError::Answer);
        };
        self.rejoined.insert(channel, now);
        for _ in 0..TRIES {
            match self.client.rejoin(channel, &info, None, &self.facts, now) {
                Ok(()) => return self.submit(channel).await,
                Err(ClientError::Behind(consents)) => self.learn(&consents.into_iter().collect()).await?,
                Err(ClientError::Charter(_)) => self.learn(&BTreeSet::new()).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
