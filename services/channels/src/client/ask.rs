//! What a client can be asked: its channels, who is in them, what was said, what is on its way.

use std::collections::BTreeSet;

use semblance_core::attestation::LeafAttestation;
use semblance_core::id::{ChannelId, ConsentId, Digest, ParticipantId};
use semblance_core::time::Timestamp;

use super::records::{ChannelRow, Message, Phase};
use super::rows::{self, Rows, Since};
use super::{Client, ClientError};
use crate::store::Store;
use crate::wire::Submission;

/// One member of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who stands behind the leaf.
    pub leaf: LeafAttestation,
    /// The name the person gave, if they have spoken.
    pub name: Option<String>,
    /// Whether it is this device.
    pub own: bool,
}

impl<S: Store> Client<S> {
    /// The channels that the person agreed to, and how far each is; broken if that cannot be read.
    ///
    /// # Errors
    /// The store failed.
    pub fn channels(&mut self) -> Result<Vec<(ChannelId, Phase)>, ClientError> {
        self.store.look(|kv| {
            let ids = rows::channels(kv)?;
            let phase = |id| match Rows::new(kv, id).channel() {
                Ok(row) => Ok((id, row.phase)),
                Err(error) if error.is_of_store() => Err(error),
                Err(_) => Ok((id, Phase::Broken)),
            };
            ids.into_iter().map(phase).collect()
        })
    }

    /// Who is in a channel, with the names they gave.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn members(&mut self, channel: ChannelId) -> Result<Vec<Member>, ClientError> {
        let roster = self.roster(channel)?;
        self.look(channel, |rows| {
            let own = rows.own_leaf()?.map(|leaf| leaf.participant);
            let member = |(id, leaf): (&ParticipantId, &LeafAttestation)| {
                Ok(Member { name: rows.name(*id)?, own: own == Some(*id), leaf: leaf.clone() })
            };
            roster.iter().map(member).collect()
        })
    }

    /// The consents that a channel's members rest on, to ask the node about.
    ///
    /// # Errors
    /// The store failed.
    pub fn consents(&mut self, channel: ChannelId) -> Result<BTreeSet<ConsentId>, ClientError> {
        Ok(self.roster(channel)?.values().map(|leaf| leaf.consent).collect())
    }

    /// What was said after a place in the order, the oldest first.
    ///
    /// # Errors
    /// The store failed.
    pub fn messages(&mut self, channel: ChannelId, after: u64, limit: usize) -> Result<Vec<Message>, ClientError> {
        self.look(channel, |rows| Ok(rows.messages(after, limit)?))
    }

    /// The name that a participant gave, if they have spoken; also of one who is no longer there.
    ///
    /// # Errors
    /// The store failed.
    pub fn name(&mut self, channel: ChannelId, participant: ParticipantId) -> Result<Option<String>, ClientError> {
        self.look(channel, |rows| Ok(rows.name(participant)?))
    }

    /// How much waits to be said or to come back from the hub.
    ///
    /// # Errors
    /// The store failed.
    pub fn waiting(&mut self, channel: ChannelId) -> Result<usize, ClientError> {
        self.look(channel, |rows| Ok(rows.waiting()?.len()))
    }

    /// The next place in a channel's order.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn next(&mut self, channel: ChannelId) -> Result<u64, ClientError> {
        self.look(channel, |rows| Ok(rows.channel()?.next))
    }

    /// Since when the device waits to be let in: the first time that this is asked.
    ///
    /// # Errors
    /// The store failed.
    pub fn waiting_since(&mut self, channel: ChannelId, now: Timestamp) -> Result<Timestamp, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.since(Since::Waiting, now)?))
    }

    /// Since when something that the hub took has not come back: the first time that this is asked.
    ///
    /// # Errors
    /// The store failed.
    pub fn awaiting_since(&mut self, channel: ChannelId, now: Timestamp) -> Result<Option<Timestamp>, ClientError> {
        let (awaiting, since) = self.look(channel, |rows| {
            let awaiting = rows.outgoing()?.iter().any(|(_, outgoing)| outgoing.taken);
            Ok((awaiting, rows.find_since(Since::Awaiting)?))
        })?;
        if awaiting == since.is_some() {
            return Ok(since);
        }
        self.without_group(channel, |desk| {
            if awaiting {
                return Ok(Some(desk.rows.since(Since::Awaiting, now)?));
            }
            desk.rows.end(Since::Awaiting)?;
            Ok(None)
        })
    }

    /// Whether there is nothing to say, to hand in or to fetch.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn is_quiet(&mut self, channel: ChannelId) -> Result<bool, ClientError> {
        self.look(channel, |rows| {
            let missing = rows.channel()?.missing;
            Ok(missing.is_none() && rows.waiting()?.is_empty() && rows.outgoing()?.is_empty())
        })
    }

    /// Whether something is missing that has to be fetched from the hub.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn is_missing(&mut self, channel: ChannelId) -> Result<bool, ClientError> {
        self.look(channel, |rows| Ok(rows.channel()?.missing.is_some()))
    }

    /// Notes that something is missing: what has a place that was `seen` and could not be taken, or whatever comes next.
    /// What waits in a device's queue is a hint, and the hub's order what counts: what cannot be taken now is fetched from
    /// there, and keeps no other channel waiting.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn note_missing(&mut self, channel: ChannelId, seen: Option<u64>) -> Result<(), ClientError> {
        let row = self.look(channel, |rows| rows.channel())?;
        let place = seen.unwrap_or(row.next).max(row.missing.unwrap_or_default());
        self.set_missing(channel, row, Some(place))
    }

    /// Notes that nothing is missing any more.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn note_complete(&mut self, channel: ChannelId) -> Result<(), ClientError> {
        let row = self.look(channel, |rows| rows.channel())?;
        self.set_missing(channel, row, None)
    }

    fn set_missing(&mut self, channel: ChannelId, row: ChannelRow, missing: Option<u64>) -> Result<(), ClientError> {
        if row.missing == missing {
            return Ok(());
        }
        self.without_group(channel, |desk| Ok(desk.rows.set_channel(&ChannelRow { missing, ..row })?))
    }

    /// Whether somebody came in who cannot have read this person's name: it is to be said again before anything else is.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn is_unnamed(&mut self, channel: ChannelId) -> Result<bool, ClientError> {
        self.look(channel, |rows| Ok(rows.channel()?.unnamed))
    }

    /// What is on its way to the hub and not taken yet, in the order in which it is to be sent: after one that is not
    /// taken, nothing that follows it. Sending the same again does no harm.
    ///
    /// # Errors
    /// The store failed.
    pub fn outgoing(&mut self, channel: ChannelId) -> Result<Vec<(Digest, Submission)>, ClientError> {
        self.look(channel, |rows| {
            let waiting = rows.outgoing()?.into_iter().filter(|(_, outgoing)| !outgoing.taken);
            Ok(waiting.map(|(key, outgoing)| (key, outgoing.submission)).collect())
        })
    }

    /// The place in this device's queue up to which everything is kept. What was kept and not noted comes again, and
    /// does no harm: each channel's next place stands in one transaction with its MLS state.
    ///
    /// # Errors
    /// The store failed.
    pub fn kept(&mut self) -> Result<u64, ClientError> {
        self.store.look(|kv| Ok(rows::kept(kv)?))
    }

    /// Notes the place in this device's queue up to which everything is kept.
    ///
    /// # Errors
    /// The store failed.
    pub fn set_kept(&mut self, position: u64) -> Result<(), ClientError> {
        if self.kept()? == position {
            return Ok(());
        }
        self.store.transact(|kv| Ok(rows::set_kept(kv, position)?))
    }

    /// Gives back what a group looks like now, to compare with others: the epoch and its authenticator (RFC 9420
    /// section 8.7).
    ///
    /// # Errors
    /// The device is not in the group, or the store failed.
    pub fn authenticator(&mut self, channel: ChannelId) -> Result<(u64, Vec<u8>), ClientError> {
        self.with_group(channel, |group, _| {
            Ok((group.epoch().as_u64(), group.epoch_authenticator().as_slice().to_vec()))
        })
    }
}
