//! What must hold when everything has healed.

use std::collections::{BTreeMap, BTreeSet};

use semblance_channels::client::{Client, Content, Event, Message, Phase};
use semblance_channels::testing::NETWORK;
use semblance_channels::wire::{Body, Item};
use semblance_core::id::{Digest, ParticipantId};
use semblance_core::record::Record;

use crate::play::Simulation;
use crate::truth::Stolen;

impl Simulation {
    pub(crate) fn check(&mut self) {
        for channel in 0..self.channels.len() {
            let members = self.check_members(channel);
            self.check_messages(channel, &members);
        }
        self.check_shown_once();
        self.check_said();
        self.check_packages();
        for stolen in std::mem::take(&mut self.truth.stolen) {
            self.check_stolen(&stolen);
        }
    }

    /// All members are in one epoch; whoever is entitled is a member, and nobody else believes to be.
    fn check_members(&mut self, channel: usize) -> Vec<(usize, ParticipantId)> {
        let id = self.channels[channel].id;
        let (mut members, mut epochs) = (Vec::new(), BTreeMap::new());
        let leaves = self.hub_leaves(channel);
        let alive = leaves.iter().any(|(_, state, _)| state == "member");
        for device in 0..self.world.people.len() {
            let (phase, state) = (self.phase(device, channel), self.state_of(device, channel));
            let at_hub = state.unwrap_or_else(|| "out".to_owned());
            match (at_hub.as_str(), phase) {
                ("member", Phase::Member) => {
                    let participant = self.speaker(device, channel).unwrap().participant;
                    members.push((device, participant));
                    if self.world.people[device].client.waiting(id).unwrap() != 0 {
                        self.truth.fail(format!("channel {channel}: device {device} never said what it has to say"));
                    }
                    let authenticator = self.world.people[device].client.authenticator(id).unwrap();
                    epochs.entry(authenticator).or_insert_with(Vec::new).push(device);
                }
                ("out", Phase::Agreed | Phase::Removed | Phase::Broken) | ("unknown", _) => {}
                ("pending", Phase::Agreed | Phase::Removed | Phase::Broken) if !alive => {}
                (at_hub, phase) => {
                    self.truth.fail(format!("channel {channel}: device {device} is {phase:?}, at the hub {at_hub}"));
                }
            }
        }
        if epochs.len() > 1 {
            self.truth.fail(format!("channel {channel}: members are in different epochs: {:?}", epochs.values()));
        }
        let known: BTreeSet<_> = members.iter().map(|(_, participant)| *participant).collect();
        let at_hub = leaves.iter().filter(|(_, state, _)| state == "member");
        let at_hub: BTreeSet<_> = at_hub.map(|(participant, _, _)| *participant).collect();
        if known != at_hub {
            self.truth.fail(format!("channel {channel}: the hub has members that nobody is"));
        }
        for (device, _) in &members {
            let own = self.world.people[*device].client.members(id).unwrap();
            if own.iter().map(|member| member.leaf.participant).collect::<BTreeSet<_>>() != at_hub {
                self.truth.fail(format!("channel {channel}: device {device} sees other members"));
            }
        }
        members
    }

    fn shown(&mut self, device: usize, channel: usize) -> Vec<Message> {
        let id = self.channels[channel].id;
        self.world.people[device].client.messages(id, 0, usize::MAX).unwrap()
    }

    /// Every message that the hub acknowledged is shown by everybody who was in, at its place, and says the same.
    fn check_messages(&mut self, channel: usize, members: &[(usize, ParticipantId)]) {
        let mut order = BTreeMap::<u64, (ParticipantId, String)>::new();
        let mut views = Vec::new();
        for device in 0..self.world.people.len() {
            let shown = self.shown(device, channel);
            for message in &shown {
                let Some(Content::Text(text)) = &message.content else { continue };
                let said = (message.from, text.clone());
                let known = order.entry(message.sequence).or_insert_with(|| said.clone());
                if *known != said {
                    self.truth.fail(format!("channel {channel}: place {} is seen differently", message.sequence));
                }
            }
            views.push(shown);
        }
        let acknowledged: Vec<_> = self.truth.acknowledged.iter().map(|(place, by)| (*place, *by)).collect();
        for ((_, sequence), by) in acknowledged.into_iter().filter(|((one, _), _)| *one == channel) {
            let spoilt = self.truth.forged.contains(&(channel, sequence));
            for (device, participant) in members {
                let since = self.truth.since.get(&(channel, *participant)).copied().unwrap_or(u64::MAX);
                if sequence < since {
                    continue;
                }
                let found = views[*device].iter().find(|message| message.sequence == sequence);
                if found.is_none() || (!spoilt && found.is_some_and(|message| message.content.is_none())) {
                    let how = if found.is_some() { "cannot read" } else { "has lost" };
                    self.truth.fail(format!("channel {channel}: device {device} {how} message {sequence}"));
                }
                if found.is_some_and(|message| message.content.is_some() && message.from != by) {
                    self.truth.fail(format!("channel {channel}: message {sequence} seems to be from somebody else"));
                }
            }
        }
    }

    /// No device showed the same place or the same words twice.
    fn check_shown_once(&mut self) {
        let mut failures = Vec::new();
        for (device, person) in self.world.people.iter().enumerate() {
            let (mut places, mut texts) = (BTreeSet::new(), BTreeSet::new());
            for (channel, event) in &person.events {
                let Event::Message(message) = event else { continue };
                if !places.insert((*channel, message.sequence)) {
                    failures.push(format!("device {device} shows place {} twice", message.sequence));
                }
                let Some(Content::Text(text)) = &message.content else { continue };
                let by = self.truth.leaves.get(&message.from).map(|(device, _)| *device);
                let fell_back = by.is_none_or(|by| self.truth.fell_back.contains(&by));
                if !fell_back && !texts.insert((*channel, text.clone())) {
                    failures.push(format!("device {device} shows {text:?} twice"));
                }
            }
        }
        self.truth.failures.append(&mut failures);
    }

    /// What one device says comes in the order in which it said it.
    fn check_said(&mut self) {
        for channel in 0..self.channels.len() {
            for device in 0..self.world.people.len() {
                let mut last = BTreeMap::new();
                for message in self.shown(device, channel) {
                    let Some(Content::Text(text)) = message.content else { continue };
                    let number: usize = text.split(' ').next().unwrap().parse().unwrap();
                    let by = self.truth.said[number].0;
                    let before = last.insert(by, number);
                    if before.is_some_and(|before| before > number) && !self.truth.fell_back.contains(&by) {
                        self.truth.fail(format!("channel {channel}: device {device} sees {text:?} too late"));
                    }
                }
            }
        }
    }

    /// No one-time key package went to two channels.
    fn check_packages(&mut self) {
        let mut used = BTreeMap::<ParticipantId, usize>::new();
        for channel in 0..self.channels.len() {
            for (participant, _, _) in self.hub_leaves(channel) {
                *used.entry(participant).or_default() += 1;
            }
        }
        for (participant, times) in used {
            let one_time = self.world.hospitals.iter().any(|hospital| {
                let sql = "SELECT count(*) FROM key_packages WHERE participant = ?1 AND last_resort = 0";
                let count = hospital.office.connection().query_row(sql, [participant.as_bytes()], |row| row.get(0));
                count.map_or(0, |count: i64| count) != 0
            });
            if one_time && times > 1 {
                self.truth.fail("a one-time key package was handed out twice".to_owned());
            }
        }
    }

    /// Everything that a hub has placed: place, sender, body.
    pub(crate) fn hub_items(&self, channel: usize) -> Vec<(u64, Option<ParticipantId>, Body)> {
        let channel = &self.channels[channel];
        let connection = self.world.hospitals[channel.hub].office.connection();
        let sql = "SELECT sequence, sender, body FROM items WHERE channel = ?1 AND body != x'' ORDER BY sequence";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([channel.id.as_bytes()], |row| {
            let (sequence, sender): (i64, Option<[u8; 16]>) = (row.get(0)?, row.get(1)?);
            Ok((sequence as u64, sender.map(ParticipantId::from_bytes), row.get::<_, Vec<u8>>(2)?))
        });
        let decoded = rows.unwrap().map(Result::unwrap);
        decoded.map(|(sequence, sender, body)| (sequence, sender, Body::decode(&body).unwrap())).collect()
    }

    /// The keys that a device had when its part ended open nothing that was said later, however they are used.
    fn check_stolen(&mut self, stolen: &Stolen) {
        let came_back = self.truth.since.iter().any(|((channel, participant), since)| {
            let of_device = self.truth.leaves.get(participant) == Some(&(stolen.device, stolen.channel));
            *channel == stolen.channel && of_device && *since > stolen.sequence
        });
        if came_back {
            return;
        }
        let (id, now) = (self.channels[stolen.channel].id, self.world.now);
        let new = || Client::new(stolen.store.clone(), NETWORK, self.world.random.clone());
        let mut following = new();
        let mut readable = Vec::new();
        for (sequence, _, body) in self.hub_items(stolen.channel) {
            let later = sequence > stolen.sequence;
            let mut item = Item { channel: id, sequence, at: now, key: name_of(&body), body };
            let mut events = following.receive(&item, &self.world.facts, now).unwrap_or_default();
            if later && matches!(item.body, Body::Message(_)) {
                let mut ignoring = new();
                item.sequence = ignoring.next(id).unwrap();
                events.extend(ignoring.receive(&item, &self.world.facts, now).unwrap_or_default());
            }
            let read = events.iter().any(|event| matches!(event, Event::Message(one) if one.content.is_some()));
            if later && read {
                readable.push(sequence);
            }
        }
        self.counts.add("stolen stores tried");
        if !readable.is_empty() {
            self.truth.fail(format!("the keys of device {} open {readable:?} after its end", stolen.device));
        }
    }
}

/// The digest of the bytes in an item, by which it is known.
fn name_of(body: &Body) -> Digest {
    match body {
        Body::Commit(bytes) | Body::Message(bytes) | Body::Removal { proposal: bytes, .. } => Digest::of(bytes),
        Body::Welcome(_) | Body::Work | Body::Ended(_) => Digest::of(&body.encode()),
    }
}
