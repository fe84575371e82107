//! Leads a device's client along its line to its hospital's node: the same steps for a browser, the command line and
//! tests.

mod attachment;
mod enter;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use semblance_core::id::{ChannelId, ConsentId, NetworkId};
use semblance_core::time::Timestamp;

use crate::client::{Client, ClientError, Content, Event, Phase};
use crate::limits::{KEY_PACKAGE_MILLIS, KEY_PACKAGES_WANTED};
use crate::mls::MlsError;
use crate::store::Store;
use crate::wire::{Answer, DeviceCall, Facts, Item, KeyPackageUpload, Offer, Refusal, Terms};

/// Rounds of one step: a hub that never stops sending keeps no other waiting, and goes on in the next step.
const ROUNDS: usize = 64;

/// A device's line to its hospital's node.
#[expect(async_fn_in_trait, reason = "a device drives itself, on one thread, in a browser too")]
pub trait Line {
    /// Calls the node.
    ///
    /// # Errors
    /// It refuses, or cannot be reached ([`Refusal::HubAway`]).
    async fn call(&mut self, call: DeviceCall) -> Result<Answer, Refusal>;

    /// What is in the queue after a place; with `wait`, waits a while for something to come.
    ///
    /// # Errors
    /// As [`Line::call`].
    async fn listen(&mut self, after: u64, wait: bool) -> Result<Vec<(u64, Item)>, Refusal>;
}

/// Why a device got no further.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// Its own side: state or checks.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The node or the hub.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The node answered something else than it was asked.
    #[error("the node answered something else than it was asked")]
    Answer,
    /// The hospital offers no such channel to this person.
    #[error("the hospital offers no such channel to this person")]
    NoOffer,
    /// The attachment does not decrypt.
    #[error("the attachment was changed on its way, or is not all there")]
    Attachment,
}

impl From<MlsError> for DriverError {
    fn from(error: MlsError) -> Self {
        Self::Client(error.into())
    }
}

/// A client and its line.
pub struct Driver<S, L> {
    client: Client<S>,
    line: L,
    network: NetworkId,
    /// How the person wishes to be called; told to each channel first.
    name: String,
    facts: Facts,
    /// About whom it was asked last in each channel, and when.
    learned: BTreeMap<ChannelId, (Timestamp, BTreeSet<ConsentId>)>,
    /// When each channel was last looked after as a whole, unless something has happened in it since.
    looked: BTreeMap<ChannelId, Timestamp>,
    /// When each channel was joined again by itself.
    rejoined: BTreeMap<ChannelId, Timestamp>,
    /// When each channel was last asked for a way in.
    knocked: BTreeMap<ChannelId, Timestamp>,
    troubles: Vec<(ChannelId, DriverError)>,
    /// Up to which place the node was told that everything is kept.
    told: u64,
    /// What happened while something was said, until it is asked for.
    unheard: Vec<(ChannelId, Event)>,
}

impl<S: Store, L: Line> Driver<S, L> {
    /// Puts both together.
    #[must_use]
    pub fn new(client: Client<S>, line: L, network: NetworkId, name: String) -> Self {
        Self {
            client,
            line,
            network,
            name,
            facts: Facts::default(),
            learned: BTreeMap::new(),
            looked: BTreeMap::new(),
            rejoined: BTreeMap::new(),
            knocked: BTreeMap::new(),
            troubles: Vec::new(),
            told: 0,
            unheard: Vec::new(),
        }
    }

    /// Ends the driver and gives its client back.
    #[must_use]
    pub fn into_client(self) -> Client<S> {
        self.client
    }

    /// Lets the next step look after every channel as a whole, whatever has come: who waits to be let in, whether this device
    /// still takes part.
    pub fn look_anew(&mut self) {
        self.looked.clear();
    }

    /// What went wrong in single channels since it was last asked for: it is tried again, and kept no other channel
    /// waiting.
    pub fn troubles(&mut self) -> Vec<(ChannelId, DriverError)> {
        std::mem::take(&mut self.troubles)
    }

    /// Notes what went wrong in one channel. A store that fails is everybody's trouble; a channel whose state cannot be read
    /// is joined again.
    fn pass_over(&mut self, channel: ChannelId, error: DriverError) -> Result<(), DriverError> {
        if matches!(&error, DriverError::Client(error) if error.is_of_store()) {
            return Err(error);
        }
        let damaged = matches!(error, DriverError::Client(ClientError::Store(_)));
        let inside = [Phase::Creating, Phase::Member, Phase::Rejoining];
        if damaged && self.phase(channel)?.is_some_and(|phase| inside.contains(&phase)) {
            match self.client.lost(channel) {
                Ok(lost) => self.unheard.extend(lost.into_iter().map(|event| (channel, event))),
                Err(error) if error.is_of_store() => return Err(error.into()),
                // What it was called for remains its trouble.
                Err(_) => {}
            }
        }
        self.troubles.retain(|(one, _)| *one != channel);
        self.troubles.push((channel, error));
        Ok(())
    }

    /// The line.
    #[cfg(test)]
    pub(crate) const fn line(&self) -> &L {
        &self.line
    }

    /// The client.
    pub const fn client(&mut self) -> &mut Client<S> {
        &mut self.client
    }

    /// Leaves as many key packages with the hospital as it should have.
    ///
    /// # Errors
    /// The node refuses, or the store failed.
    pub async fn provision(&mut self, now: Timestamp) -> Result<(), DriverError> {
        let Answer::Number(left) = self.line.call(DeviceCall::PackagesLeft).await? else {
            return Err(DriverError::Answer);
        };
        let missing = KEY_PACKAGES_WANTED.saturating_sub(usize::try_from(left).unwrap_or(usize::MAX));
        if missing < KEY_PACKAGES_WANTED / 2 {
            return Ok(());
        }
        let made = self.client.key_packages(missing, left == 0, KEY_PACKAGE_MILLIS, now)?;
        let packages =
            made.into_iter().map(|one| KeyPackageUpload { bytes: one.bytes, last_resort: one.last_resort }).collect();
        self.line.call(DeviceCall::Upload(packages)).await?;
        Ok(())
    }

    /// The channels that the hospital offers to this person.
    ///
    /// # Errors
    /// The node refuses.
    pub async fn offers(&mut self) -> Result<Vec<(Terms, Offer)>, DriverError> {
        let Answer::Offers(offers) = self.line.call(DeviceCall::Offers).await? else {
            return Err(DriverError::Answer);
        };
        self.learn(&BTreeSet::new()).await?;
        let verified = |offer: Offer| offer.charter.verify(self.network, &self.facts).ok().map(|terms| (terms, offer));
        Ok(offers.into_iter().filter_map(verified).collect())
    }

    /// Says something, and before it the person's name where somebody came in who cannot know it: now if it can be said,
    /// otherwise as soon as it can. What happens on the way is told by the next [`Driver::sync`].
    ///
    /// # Errors
    /// It cannot be said in this channel, or not in this form.
    pub async fn say(&mut self, channel: ChannelId, content: &Content, now: Timestamp) -> Result<(), DriverError> {
        if self.client.is_unnamed(channel)? {
            self.client.say(channel, &Content::Introduce { name: self.name.clone() })?;
        }
        self.client.say(channel, content)?;
        let mut happened = Vec::new();
        let advanced = self.advance(channel, now, &mut happened).await;
        self.unheard.append(&mut happened);
        advanced
    }

    /// Leaves a channel.
    ///
    /// # Errors
    /// The hub refuses or is away.
    pub async fn leave(&mut self, channel: ChannelId) -> Result<(), DriverError> {
        self.line.call(DeviceCall::Leave(channel)).await?;
        Ok(())
    }

    /// Takes what waits, does what follows from it, and hands in what is to be said, until nothing moves. Returns what
    /// happened.
    ///
    /// # Errors
    /// The node cannot be reached, or the store failed.
    pub async fn sync(&mut self, now: Timestamp) -> Result<Vec<(ChannelId, Event)>, DriverError> {
        let mut happened = std::mem::take(&mut self.unheard);
        match self.steps(now, &mut happened).await {
            Ok(()) => Ok(happened),
            Err(error) => {
                // What happened has happened, and is told when the rest succeeds.
                self.unheard = happened;
                Err(error)
            }
        }
    }

    async fn steps(&mut self, now: Timestamp, happened: &mut Vec<(ChannelId, Event)>) -> Result<(), DriverError> {
        let mut first = true;
        for _ in 0..ROUNDS {
            let moved = self.pull(false, now, happened).await?;
            if !moved && !first {
                return Ok(());
            }
            first = false;
            for (channel, _) in self.client.channels()? {
                match self.advance(channel, now, happened).await {
                    Ok(()) => {}
                    Err(DriverError::Refused(Refusal::Ended | Refusal::NotMember)) => {
                        match self.client.turned_away(channel) {
                            Ok(events) => happened.extend(events.into_iter().map(|event| (channel, event))),
                            Err(error) => self.pass_over(channel, error.into())?,
                        }
                    }
                    Err(error) => self.pass_over(channel, error)?,
                }
            }
            if !moved {
                return Ok(());
            }
        }
        Ok(())
    }

    /// As [`Driver::sync`], and waits a while for something to come if nothing is there.
    ///
    /// # Errors
    /// As [`Driver::sync`].
    pub async fn wait(&mut self, now: Timestamp) -> Result<Vec<(ChannelId, Event)>, DriverError> {
        let happened = self.sync(now).await?;
        if !happened.is_empty() {
            return Ok(happened);
        }
        let mut waited = Vec::new();
        let moved = self.pull(true, now, &mut waited).await;
        self.unheard.append(&mut waited);
        if moved? { self.sync(now).await } else { Ok(Vec::new()) }
    }

    /// How far the device is in a channel.
    ///
    /// # Errors
    /// The store failed.
    pub fn phase(&mut self, channel: ChannelId) -> Result<Option<Phase>, DriverError> {
        Ok(self.client.channels()?.into_iter().find(|(one, _)| *one == channel).map(|(_, phase)| phase))
    }

    /// Asks the node what the ledger says about consents, afresh.
    async fn learn(&mut self, consents: &BTreeSet<ConsentId>) -> Result<(), DriverError> {
        let call = DeviceCall::Facts(consents.iter().copied().collect());
        let Answer::Facts(facts) = self.line.call(call).await? else { return Err(DriverError::Answer) };
        self.facts.hospitals = facts.hospitals;
        self.facts.consents.extend(facts.consents);
        Ok(())
    }
}
