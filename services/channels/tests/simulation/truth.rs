//! What really happened, to hold against what everybody sees.

use std::collections::{BTreeMap, BTreeSet};

use semblance_channels::office::{Outbound, Speaker};
use semblance_channels::store::MemoryStore;
use semblance_channels::wire::{Body, Submission};
use semblance_core::id::{ChannelId, ConsentId, Digest, ParticipantId};
use semblance_core::time::Timestamp;

use crate::play::{Ended, Pseudonyms, Simulation};

/// A device's store as it was when its part ended.
#[derive(Clone)]
pub(crate) struct Stolen {
    pub(crate) device: usize,
    pub(crate) channel: usize,
    /// The last item of the order then.
    pub(crate) sequence: u64,
    pub(crate) participant: Option<ParticipantId>,
    pub(crate) store: MemoryStore,
}

#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) consents: Vec<ConsentId>,
    /// Every text that a device agreed to say: device, channel, text.
    pub(crate) said: Vec<(usize, usize, String)>,
    /// Which device in which channel is behind a pseudonym.
    pub(crate) leaves: Pseudonyms,
    /// Pseudonyms whose part their hub has ended.
    pub(crate) ended: Ended,
    /// Messages that a hub acknowledged, by channel and place, and who handed them in.
    pub(crate) acknowledged: BTreeMap<(usize, u64), ParticipantId>,
    /// Messages among them that an attacker made, or a device that had fallen back and did not know it.
    pub(crate) forged: BTreeSet<(usize, u64)>,
    /// The place of each thing that a hub took.
    pub(crate) places: BTreeMap<(usize, Digest), u64>,
    /// The first item that each pseudonym may see: of the commit that let it in, or its own to join again.
    pub(crate) since: BTreeMap<(usize, ParticipantId), u64>,
    pub(crate) stolen: Vec<Stolen>,
    /// Devices that fell back behind what they had sent.
    pub(crate) fell_back: BTreeSet<usize>,
    /// Those among them that have not joined again since.
    pub(crate) set_back: BTreeSet<(usize, usize)>,
    /// Hospitals that forgot what nobody fetched for thirty days.
    pub(crate) cleaned: BTreeSet<usize>,
    /// Since when nothing goes wrong any more.
    pub(crate) healed: Timestamp,
    pub(crate) failures: Vec<String>,
}

impl Truth {
    pub(crate) fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    /// Deliveries leave a hub: nothing with content goes to a part that it has ended.
    pub(crate) fn leaving(&mut self, batch: &[Outbound]) {
        for outbound in batch {
            let delivery = &outbound.delivery;
            let ended = delivery.to.iter().any(|one| self.ended.contains(&(delivery.item.channel, *one)));
            if ended && matches!(delivery.item.body, Body::Message(_)) {
                let place = delivery.item.sequence;
                self.failures.push(format!("message {place} leaves the hub for a part that it has ended"));
            }
        }
    }

    /// A member was given items by its hub.
    pub(crate) fn fetched(&mut self, channel: ChannelId, participant: ParticipantId) {
        if self.ended.contains(&(channel, participant)) {
            self.failures.push("the hub gives items to a part that it has ended".to_owned());
        }
    }
}

impl Simulation {
    /// A hub has taken something.
    pub(crate) fn taken(
        &mut self,
        channel: usize,
        speaker: &Speaker,
        submission: &Submission,
        key: Digest,
        sequence: u64,
    ) {
        let known = *self.truth.places.entry((channel, key)).or_insert(sequence);
        if known != sequence {
            self.truth.fail(format!("the same bytes have places {known} and {sequence}"));
        }
        let has_ended = self.truth.ended.contains(&(self.channels[channel].id, speaker.participant));
        if has_ended && sequence > self.end_of(channel, speaker.participant) {
            self.truth.fail(format!("item {sequence} is taken from a part that has ended"));
        }
        match submission {
            Submission::Create(_) => {
                self.truth.since.entry((channel, speaker.participant)).or_insert(1);
                if has_ended {
                    self.truth.fail("a group is taken from a part that has ended".to_owned());
                }
            }
            Submission::Message(_) => {
                self.counts.add("messages taken");
                self.truth.acknowledged.insert((channel, sequence), speaker.participant);
                let by = self.truth.leaves.get(&speaker.participant).copied();
                if by.is_some_and(|by| self.truth.set_back.contains(&by)) {
                    self.truth.forged.insert((channel, sequence));
                }
            }
            Submission::Commit(_) => {
                self.counts.add("commits taken");
                self.let_in(channel, speaker.participant, sequence);
            }
        }
    }

    fn end_of(&self, channel: usize, participant: ParticipantId) -> u64 {
        let stolen = self.truth.stolen.iter();
        let of = stolen.filter(|one| one.channel == channel && one.participant == Some(participant));
        of.map(|one| one.sequence).min().unwrap_or(u64::MAX)
    }

    /// Who came in by a commit, by what the hub now says.
    fn let_in(&mut self, channel: usize, by: ParticipantId, sequence: u64) {
        for (participant, state, since) in self.hub_leaves(channel) {
            if state != "member" && state != "cut" {
                continue;
            }
            let known = self.truth.since.entry((channel, participant)).or_insert(since);
            if *known == since {
                continue;
            }
            *known = since;
            // Only somebody who joins by itself sees less of the past than before.
            if participant == by && since == sequence {
                self.counts.add("rejoins taken");
                if let Some(by) = self.truth.leaves.get(&participant) {
                    self.truth.set_back.remove(by);
                }
            } else {
                self.truth.failures.push(format!("a commit of somebody else moved a member's beginning to {since}"));
            }
        }
    }

    /// Pseudonyms, how they stand, and the first item that each may see, as the hub has it.
    pub(crate) fn hub_leaves(&self, channel: usize) -> Vec<(ParticipantId, String, u64)> {
        let channel = &self.channels[channel];
        let connection = self.world.hospitals[channel.hub].office.connection();
        let mut statement =
            connection.prepare("SELECT participant, state, since FROM leaves WHERE channel = ?1").unwrap();
        let rows = statement.query_map([channel.id.as_bytes()], |row| {
            let since: i64 = row.get(2)?;
            Ok((ParticipantId::from_bytes(row.get(0)?), row.get(1)?, since as u64))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// The place of a channel's last item.
    pub(crate) fn sequence(&self, channel: usize) -> u64 {
        let channel = &self.channels[channel];
        let connection = self.world.hospitals[channel.hub].office.connection();
        let sql = "SELECT sequence FROM channels WHERE channel = ?1";
        connection.query_row(sql, [channel.id.as_bytes()], |row| row.get::<_, i64>(0)).unwrap() as u64
    }
}
