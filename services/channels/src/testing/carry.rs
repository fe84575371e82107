//! Carrying what devices and offices tell each other.

use semblance_core::id::{ChannelId, OrganisationId};

use super::World;
use crate::client::{ClientError, Content, Phase};
use crate::office::Speaker;
use crate::wire::{Admission, Refusal};

impl World {
    /// The hub of a channel, as a person agreed to it or as the world knows it.
    #[must_use]
    pub fn hub_of(&self, channel: ChannelId, _person: usize) -> OrganisationId {
        match self.hubs.get(&channel) {
            Some(hub) => self.hospitals[*hub].id.clone(),
            None => panic!("a channel has a hub"),
        }
    }

    fn hub_index(&self, channel: ChannelId) -> Option<usize> {
        self.hubs.get(&channel).copied().filter(|hub| self.hospitals[*hub].up)
    }

    fn speaker(&mut self, person: usize, channel: ChannelId) -> Option<Speaker> {
        let one = &self.people[person];
        let home = &mut self.hospitals[one.hospital];
        if !home.up {
            return None;
        }
        home.office.speaker(one.device, channel, self.now).ok().map(|(speaker, _)| speaker)
    }

    /// Hands everything a device has to submit to the hub, and the answers back.
    pub fn submit(&mut self, person: usize, channel: ChannelId) {
        let Ok(outgoing) = self.people[person].client.outgoing(channel) else { return };
        for (key, submission) in outgoing {
            let answer = match (self.speaker(person, channel), self.hub_index(channel)) {
                (Some(speaker), Some(hub)) => {
                    let office = &mut self.hospitals[hub].office;
                    match office.submit(vec![(channel, speaker, submission)], &self.facts, self.now) {
                        Ok(mut answers) => match answers.pop() {
                            Some(Ok(_)) => Ok(()),
                            Some(Err(error)) => Err(error.refusal()),
                            None => Err(Refusal::Failed),
                        },
                        Err(_) => Err(Refusal::Failed),
                    }
                }
                _ => Err(Refusal::HubAway),
            };
            let taken = self.people[person].client.answered(channel, key, answer);
            assert!(taken.is_ok(), "an answer is taken: {taken:?}");
        }
    }

    /// Those who wait in a channel, as a device asks the hub.
    pub fn admissions(&mut self, person: usize, channel: ChannelId) -> Vec<Admission> {
        match (self.speaker(person, channel), self.hub_index(channel)) {
            (Some(speaker), Some(hub)) => {
                self.hospitals[hub].office.admissions(channel, &speaker, self.now).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Lets a device make its next step and hands it to the hub.
    pub fn advance(&mut self, person: usize, channel: ChannelId) {
        let admissions = self.admissions(person, channel);
        let _ = self.people[person].client.advance(channel, &admissions, &self.facts, self.now);
        self.submit(person, channel);
    }

    /// Carries what one hospital's hub has for the others; what cannot be reached waits.
    pub fn relay(&mut self, from: usize) {
        let now = self.now;
        if !self.hospitals[from].up {
            return;
        }
        let Ok(peers) = self.hospitals[from].office.peers(now) else { return };
        let source = self.hospitals[from].id.clone();
        for peer in peers {
            let Ok(outbound) = self.hospitals[from].office.outbound(&peer, 64, now) else { continue };
            let Some(target) = self.hospitals.iter_mut().find(|hospital| hospital.id == peer && hospital.up) else {
                continue;
            };
            if let Ok(number) = target.office.take(&source, &outbound, now) {
                self.hospitals[from].office.acknowledged(&peer, number);
            }
        }
    }

    /// Lets a device take what waits for it. Returns whether there was anything.
    pub fn pull(&mut self, person: usize) -> bool {
        let (now, facts) = (self.now, &self.facts);
        let one = &mut self.people[person];
        let office = &mut self.hospitals[one.hospital].office;
        let Ok(queued) = office.queue(one.device, one.kept, 64, now) else { return false };
        let mut any = false;
        for waiting in queued {
            match one.client.receive(&waiting.item, facts, now) {
                Ok(events) => {
                    one.events.extend(events.into_iter().map(|event| (waiting.item.channel, event)));
                    one.kept = waiting.position;
                    any = true;
                }
                Err(ClientError::UnknownChannel) => one.kept = waiting.position,
                Err(ClientError::Gap { .. }) => {
                    let channel = waiting.item.channel;
                    let _ = one;
                    if !self.catch_up(person, channel) {
                        return any;
                    }
                    return true;
                }
                Err(ClientError::Behind(_)) => break,
                Err(error) => panic!("an item is taken: {error}"),
            }
        }
        let kept = one.kept;
        self.hospitals[one.hospital].office.keep_until(one.device, kept);
        any
    }

    /// Fetches from the hub what a device missed.
    pub fn catch_up(&mut self, person: usize, channel: ChannelId) -> bool {
        let (Some(speaker), Some(hub)) = (self.speaker(person, channel), self.hub_index(channel)) else {
            return false;
        };
        let Ok(next) = self.people[person].client.next(channel) else { return false };
        let Ok(items) = self.hospitals[hub].office.items(channel, &speaker, next, self.now) else { return false };
        let mut any = false;
        for item in items {
            match self.people[person].client.receive(&item, &self.facts, self.now) {
                Ok(events) => {
                    any = true;
                    self.people[person].events.extend(events.into_iter().map(|event| (channel, event)));
                }
                Err(_) => break,
            }
        }
        any
    }

    /// Lets a device that cannot follow any more join by itself.
    pub fn rejoin(&mut self, person: usize, channel: ChannelId) -> bool {
        let (Some(speaker), Some(hub)) = (self.speaker(person, channel), self.hub_index(channel)) else {
            return false;
        };
        let Ok(info) = self.hospitals[hub].office.rejoin_info(channel, &speaker, self.now) else { return false };
        let made = self.people[person].client.rejoin(channel, &info, None, &self.facts, self.now);
        self.submit(person, channel);
        made.is_ok()
    }

    /// How far a device is in a channel.
    pub fn phase(&mut self, person: usize, channel: ChannelId) -> Option<Phase> {
        let channels = self.people[person].client.channels().unwrap_or_default();
        channels.into_iter().find(|(one, _)| *one == channel).map(|(_, phase)| phase)
    }

    /// Carries everything until nothing moves any more, at most so many rounds.
    pub fn settle(&mut self, channel: ChannelId, rounds: usize) -> bool {
        for _ in 0..rounds {
            let mut moved = false;
            for hospital in 0..self.hospitals.len() {
                self.relay(hospital);
            }
            for person in 0..self.people.len() {
                moved |= self.pull(person);
                match self.phase(person, channel) {
                    Some(Phase::Broken) => moved |= self.rejoin(person, channel),
                    Some(_) => {
                        let before = self.outgoing(person, channel);
                        self.advance(person, channel);
                        moved |= before != 0 || self.outgoing(person, channel) != 0;
                    }
                    None => {}
                }
            }
            if !moved && !self.relays() {
                return true;
            }
        }
        false
    }

    fn outgoing(&mut self, person: usize, channel: ChannelId) -> usize {
        self.people[person].client.outgoing(channel).map_or(0, |outgoing| outgoing.len())
    }

    fn relays(&mut self) -> bool {
        let now = self.now;
        let up: Vec<_> = self.hospitals.iter().filter(|one| one.up).map(|one| one.id.clone()).collect();
        self.hospitals.iter_mut().any(|hospital| {
            let peers = hospital.office.peers(now).unwrap_or_default();
            hospital.up && peers.iter().any(|peer| up.contains(peer))
        })
    }

    /// The texts a device shows in a channel.
    pub fn texts(&mut self, person: usize, channel: ChannelId) -> Vec<String> {
        let messages = self.people[person].client.messages(channel, 0, usize::MAX).unwrap_or_default();
        let texts = messages.into_iter().filter_map(|message| match message.content {
            Some(Content::Text(text)) => Some(text),
            _ => None,
        });
        texts.collect()
    }
}
