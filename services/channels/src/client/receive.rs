//! Taking what the hub delivers, one item at a time, in the channel's order.

use openmls::prelude::{MlsGroup, ProcessedMessageContent, Proposal, Sender};
use openmls_traits::OpenMlsProvider;
use semblance_core::id::{Digest, ParticipantId};
use semblance_core::time::Timestamp;

use super::records::{ChannelRow, Message, Phase};
use super::{Client, ClientError, Desk, pending_removals};
use crate::check::CheckError;
use crate::limits::CLOCK_SKEW_MILLIS;
use crate::mls::{self, MlsError};
use crate::store::{KeyValue, Store};
use crate::wire::{Body, Facts, Ground, Item};

/// What an item meant, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The device is in the group now, or again.
    Joined,
    /// Somebody said something.
    Message(Message),
    /// These came in.
    Added(Vec<ParticipantId>),
    /// These went.
    Removed(Vec<ParticipantId>),
    /// The hub wants a member removed; nothing can be said until it is.
    RemovalPending(ParticipantId, Ground),
    /// This device was removed.
    Left,
    /// This device takes no further part.
    Ended(Ground),
    /// The device cannot follow any more and has to join again.
    Broken,
    /// There is work: somebody waits to be added or removed.
    Work,
}

impl<S: Store> Client<S> {
    /// Takes one item. Items that were taken before are passed over.
    ///
    /// # Errors
    /// [`ClientError::Gap`]: items are missing. [`ClientError::Behind`] and [`ClientError::Charter`]: the facts do not say
    /// enough yet. In these cases nothing changed, and the item is to be given again. An item that is not acceptable
    /// breaks the channel for this device, which is an event and no error.
    pub fn receive(&mut self, item: &Item, facts: &Facts, now: Timestamp) -> Result<Vec<Event>, ClientError> {
        match &item.body {
            Body::Welcome(package) => match self.welcomed(item, package, facts, now) {
                Err(error @ (ClientError::Behind(_) | ClientError::Charter(_) | ClientError::UnknownChannel)) => {
                    Err(error)
                }
                Err(error) if error.is_of_store() => Err(error),
                // A Welcome that cannot be used is no reason to stop: the device asks to join by itself.
                Err(_) => self.broken(item),
                joined => joined,
            },
            Body::Work => Ok(vec![Event::Work]),
            Body::Ended(ground) => self.ended(item, ground),
            Body::Commit(_) | Body::Removal { .. } | Body::Message(_) => self.ordered(item, facts, now),
        }
    }

    /// As [`Client::receive`], of an item at a place in this device's queue: what follows from it and that everything up
    /// to there is kept stand in one transaction. An item from which nothing follows writes nothing:
    /// [`Client::set_kept`] notes it.
    ///
    /// # Errors
    /// As [`Client::receive`].
    pub fn receive_queued(
        &mut self,
        position: u64,
        item: &Item,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Event>, ClientError> {
        self.keeping = Some(position);
        let received = self.receive(item, facts, now);
        self.keeping = None;
        received
    }

    fn ended(&mut self, item: &Item, ground: &Ground) -> Result<Vec<Event>, ClientError> {
        let network = self.network;
        let (phase, own) = self.look(item.channel, |rows| {
            let leaf = rows.own_leaf()?;
            let own = leaf.is_none_or(|leaf| leaf.is_meant(network, ground));
            Ok((rows.channel()?.phase, own))
        })?;
        // The end of a leaf that this device had before, given again after it came back with another.
        if !own && phase != Phase::Agreed {
            return Ok(Vec::new());
        }
        if phase != Phase::Removed {
            self.drop_group(item.channel, Phase::Removed)?;
        }
        Ok(vec![Event::Ended(ground.clone())])
    }

    fn broken(&mut self, item: &Item) -> Result<Vec<Event>, ClientError> {
        self.drop_group(item.channel, Phase::Broken)?;
        Ok(vec![Event::Broken])
    }

    fn ordered(&mut self, item: &Item, facts: &Facts, now: Timestamp) -> Result<Vec<Event>, ClientError> {
        let row = self.look(item.channel, |rows| rows.channel())?;
        if !is_named(item) {
            return if row.phase == Phase::Removed { Ok(Vec::new()) } else { self.broken(item) };
        }
        match row.phase {
            Phase::Member | Phase::Creating => {}
            Phase::Rejoining => return self.rejoined(item, row),
            Phase::Broken => return self.without_group(item.channel, |desk| desk.own_message(item)),
            Phase::Removed => return Ok(Vec::new()),
            // The way in comes first; if it does not come any more, the device has to join by itself.
            Phase::Agreed => return Err(ClientError::Gap { expected: row.next }),
        }
        if item.sequence < row.next {
            return Ok(Vec::new());
        }
        if item.sequence > row.next {
            return Err(ClientError::Gap { expected: row.next });
        }
        // Clocks differ, and a hub could date an item before a withdrawal: an item is taken for as old as the one before
        // it at least, and for little newer than now.
        let at = item.at.max(row.at).min(now.plus(CLOCK_SKEW_MILLIS));
        let dated = Item { at, ..item.clone() };
        match self.with_group(item.channel, |group, desk| desk.follow(group, &dated, row, facts)) {
            // The charter held when it was agreed to: it is the facts that do not say enough.
            Err(error @ (ClientError::Behind(_) | ClientError::Charter(_))) => Err(error),
            Err(error) if error.is_of_store() => Err(error),
            Err(_) => self.broken(item),
            Ok(events) => Ok(events),
        }
    }
}

/// Whether an item's name is that of its bytes: by it a device believes that what it said has come back.
fn is_named(item: &Item) -> bool {
    match &item.body {
        Body::Commit(bytes) | Body::Message(bytes) | Body::Removal { proposal: bytes, .. } => {
            Digest::of(bytes) == item.key
        }
        Body::Welcome(_) | Body::Work | Body::Ended(_) => true,
    }
}

impl<K: KeyValue> Desk<'_, K> {
    fn follow(
        &self,
        group: &mut MlsGroup,
        item: &Item,
        row: ChannelRow,
        facts: &Facts,
    ) -> Result<Vec<Event>, ClientError> {
        let next = item.sequence.saturating_add(1);
        self.rows.set_channel(&ChannelRow { phase: Phase::Member, next, at: item.at, ..row.clone() })?;
        match &item.body {
            Body::Commit(bytes) => {
                let events = self.follow_commit(group, item, bytes, &row, facts)?;
                let row = self.rows.channel()?;
                self.rows.set_channel(&ChannelRow { epoch: group.epoch().as_u64().max(row.epoch), ..row })?;
                Ok(events)
            }
            Body::Removal { proposal, ground } => self.note_removal(group, item, proposal, ground, &row, facts),
            Body::Message(bytes) => self.read_message(group, item, bytes),
            Body::Welcome(_) | Body::Work | Body::Ended(_) => Ok(Vec::new()),
        }
    }

    fn note_removal(
        &self,
        group: &mut MlsGroup,
        item: &Item,
        proposal: &[u8],
        ground: &Ground,
        row: &ChannelRow,
        facts: &Facts,
    ) -> Result<Vec<Event>, ClientError> {
        let message = mls::read_handshake(proposal, self.channel)?;
        if message.epoch() < group.epoch() {
            // Made for an epoch that a commit has ended; the hub makes it again.
            return Ok(Vec::new());
        }
        let processed = group.process_message(&self.provider, message).map_err(ClientError::mls)?;
        let ProcessedMessageContent::ProposalMessage(queued) = processed.into_content() else {
            return Err(MlsError { what: "removal", why: "no proposal" }.into());
        };
        let (Sender::External(_), Proposal::Remove(remove)) = (queued.sender(), queued.proposal()) else {
            return Err(CheckError::Proposal.into());
        };
        let leaf = group.public_group().leaf(remove.removed()).ok_or(CheckError::Ground)?;
        let (participant, _) = mls::identity_of(leaf)?;
        let roster = self.roster()?;
        let attested = roster.get(&participant).ok_or(CheckError::Ground)?;
        let terms = row.charter.verify(self.network, facts)?;
        self.scene(&terms, facts, item.at).check_ground(attested, ground)?;
        if pending_removals(group).contains(&remove.removed()) {
            return Ok(Vec::new());
        }
        group.store_pending_proposal(self.provider.storage(), *queued)?;
        Ok(vec![Event::RemovalPending(participant, ground.clone())])
    }
}
