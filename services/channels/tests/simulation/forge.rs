//! What somebody tries who should not: always with copies, so that the devices themselves stay honest.

use std::collections::BTreeSet;

use semblance_channels::client::{Client, Content};
use semblance_channels::limits::KEY_PACKAGE_MILLIS;
use semblance_channels::office::Speaker;
use semblance_channels::store::MemoryStore;
use semblance_channels::testing::NETWORK;
use semblance_channels::wire::{Admission, Body, Item, Refusal, Submission};
use semblance_core::attestation::{LeafAttestation, LeafProof, PersonRole};
use semblance_core::id::{Digest, ParticipantId};
use semblance_core::random::RandomSource;
use semblance_core::signature::{SigningKey, Statement};

use crate::plan::{Fault, Forgery};
use crate::play::Simulation;

type Device = Client<MemoryStore>;

impl Simulation {
    pub(crate) fn forge(&mut self, device: usize, channel: usize, forgery: Forgery, at: u32) {
        match forgery {
            Forgery::FlippedMessage => self.flipped_message(device, channel, at),
            Forgery::FlippedCommit => self.flipped_commit(device, channel, at),
            Forgery::FlippedWelcome | Forgery::FlippedInfo => {
                self.flipped_beside(device, channel, matches!(forgery, Forgery::FlippedWelcome), at);
            }
            Forgery::Invented => self.invented(device, channel),
            Forgery::Removed => self.removed(channel, at),
            Forgery::OtherChannel => self.other_channel(device, channel),
            Forgery::Replayed => self.replayed(device, channel, at),
            Forgery::Stranger => self.stranger(device, channel),
            Forgery::Spoofed => self.spoofed(device, channel, at),
        }
    }

    fn copy(&self, device: usize) -> Device {
        let store = self.world.people[device].client.store().clone();
        Client::new(store, NETWORK, self.world.random.clone())
    }

    /// What a copy of a device would say, encrypted.
    fn message_of(&self, copy: &mut Device, channel: usize) -> Option<Submission> {
        let (id, now) = (self.channels[channel].id, self.world.now);
        copy.say(id, &Content::Text("forged".to_owned())).ok()?;
        copy.advance(id, &[], &self.world.facts, now).ok()?;
        let outgoing = copy.outgoing(id).ok()?.into_iter().map(|(_, submission)| submission);
        outgoing.rev().find(|one| matches!(one, Submission::Message(_)))
    }

    /// A commit that a copy of a device would make. One that is under way may have been taken, and is no forgery.
    fn commit_of(&self, copy: &mut Device, channel: usize) -> Option<Submission> {
        let id = self.channels[channel].id;
        let under_way = copy.outgoing(id).ok()?;
        if under_way.iter().any(|(_, submission)| matches!(submission, Submission::Commit(_))) {
            return None;
        }
        copy.refresh(id).ok()?;
        let outgoing = copy.outgoing(id).ok()?.into_iter().map(|(_, submission)| submission);
        outgoing.rev().find(|one| matches!(one, Submission::Commit(_)))
    }

    /// Hands in what was forged; where it can only be refused, it must be.
    fn attack(&mut self, channel: usize, speaker: Option<Speaker>, forged: &Submission, may_pass: bool) {
        self.counts.add("forged");
        match self.hand_in(channel, speaker, forged, Fault::None) {
            Ok(sequence) if may_pass => {
                self.counts.add("forged and taken");
                self.truth.forged.insert((channel, sequence));
            }
            Ok(sequence) => self.truth.fail(format!("a forgery is taken as item {sequence}")),
            Err(_) => {}
        }
    }

    fn flipped_message(&mut self, device: usize, channel: usize, at: u32) {
        let Some(Submission::Message(bytes)) = self.message_of(&mut self.copy(device), channel) else { return };
        let speaker = self.speaker(device, channel);
        self.attack(channel, speaker, &Submission::Message(flip(bytes, at)), true);
    }

    fn flipped_commit(&mut self, device: usize, channel: usize, at: u32) {
        let Some(Submission::Commit(mut commit)) = self.commit_of(&mut self.copy(device), channel) else { return };
        commit.commit = flip(commit.commit, at);
        let speaker = self.speaker(device, channel);
        // A hub has no key for the membership tag: such a commit may pass, and its members join again.
        self.attack(channel, speaker, &Submission::Commit(commit), true);
    }

    /// A device whose commits are good, and what it hands in with them is not.
    fn flipped_beside(&mut self, device: usize, channel: usize, welcome: bool, at: u32) {
        self.prepare(device, channel);
        let id = self.channels[channel].id;
        for (key, submission) in self.world.people[device].client.outgoing(id).unwrap() {
            let Submission::Commit(mut commit) = submission else { continue };
            // What the hub has taken it knows by the commit's bytes, and looks at nothing else.
            if self.truth.places.contains_key(&(channel, key)) {
                continue;
            }
            match &mut commit.welcome {
                Some(bytes) if welcome => *bytes = flip(std::mem::take(bytes), at),
                None if welcome => return,
                _ => commit.group_info = flip(commit.group_info, at),
            }
            self.counts.add("forged");
            let speaker = self.speaker(device, channel);
            let answer = self.hand_in(channel, speaker, &Submission::Commit(commit), Fault::None);
            if answer.is_ok() && !welcome {
                self.truth.fail("a flipped group info is taken".to_owned());
            }
            self.world.people[device].client.answered(id, key, answer.map(|_| ())).unwrap();
        }
    }

    /// A member that no hospital vouches for, added by a member who does not check, and delivered by a hub that lies.
    fn invented(&mut self, device: usize, channel: usize) {
        let (id, now, random) = (self.channels[channel].id, self.world.now, self.world.random.clone());
        let mut ghost = Client::new(MemoryStore::default(), NETWORK, random.clone());
        let package = ghost.key_packages(1, false, KEY_PACKAGE_MILLIS, now).unwrap().remove(0);
        let source: &dyn RandomSource = random.as_ref();
        let forger = SigningKey::from_seed(&source.array());
        let person = &self.world.people[device];
        let hospital = self.world.hospitals[person.hospital].id.clone();
        let attestation = LeafAttestation {
            network: NETWORK,
            channel: id,
            hospital: hospital.clone(),
            participant: package.participant,
            leaf_key: package.leaf_key,
            role: PersonRole::Clinician,
            consent: person.consent,
            expires: now.plus(86_400_000),
        };
        let proof = LeafProof { attestation: attestation.sign(&forger).into_parts().1, pledge: None };
        let admission = Admission { channel: id, key_package: package.bytes, proof };
        let mut facts = self.world.facts.clone();
        facts.hospitals.get_mut(&hospital).unwrap().push(forger.verifying_key());
        let mut copy = self.copy(device);
        let honest: BTreeSet<_> = copy.outgoing(id).unwrap().into_iter().map(|(key, _)| key).collect();
        let _ = copy.advance(id, &[admission], &facts, now);
        for (key, submission) in copy.outgoing(id).unwrap_or_default() {
            let Submission::Commit(commit) = &submission else { continue };
            if honest.contains(&key) {
                continue;
            }
            let speaker = self.speaker(device, channel);
            self.deliver_forged(channel, &commit.commit, package.participant);
            self.attack(channel, speaker, &submission, false);
        }
    }

    /// A hub that lies delivers a commit to every device: none may take the new member for real.
    fn deliver_forged(&self, channel: usize, bytes: &[u8], invented: ParticipantId) {
        let (id, now) = (self.channels[channel].id, self.world.now);
        for device in 0..self.world.people.len() {
            let mut copy = self.copy(device);
            let sequence = copy.next(id).unwrap();
            let body = Body::Commit(bytes.to_vec());
            let item = Item { channel: id, sequence, at: now, key: Digest::of(bytes), body };
            let _ = copy.receive(&item, &self.world.facts, now);
            let members = copy.members(id).unwrap();
            assert!(members.iter().all(|one| one.leaf.participant != invented), "an invented member is believed");
        }
    }

    /// A device that was removed tries with the keys it had: as a member, and by joining again.
    fn removed(&mut self, channel: usize, at: u32) {
        let stolen: Vec<_> = self.truth.stolen.iter().filter(|one| one.channel == channel).cloned().collect();
        let Some(stolen) = stolen.get(at as usize % stolen.len().max(1)) else { return };
        let person = &self.world.people[stolen.device];
        let hospital = self.world.hospitals[person.hospital].id.clone();
        let speaker = stolen.participant.map(|participant| Speaker { hospital, participant });
        let mut copy = Client::new(stolen.store.clone(), NETWORK, self.world.random.clone());
        let made = [self.commit_of(&mut copy, channel), self.message_of(&mut copy, channel)];
        for submission in made.into_iter().flatten() {
            self.attack(channel, speaker.clone(), &submission, false);
        }
        // With the help of somebody who is still in.
        let info = (0..self.world.people.len()).find_map(|device| self.rejoin_info(device, channel));
        let Some(info) = info else { return };
        let id = self.channels[channel].id;
        let mut copy = Client::new(stolen.store.clone(), NETWORK, self.world.random.clone());
        if copy.rejoin(id, &info, None, &self.world.facts, self.world.now).is_ok() {
            for (_, submission) in copy.outgoing(id).unwrap() {
                self.attack(channel, speaker.clone(), &submission, false);
            }
        }
    }

    fn other_channel(&mut self, device: usize, channel: usize) {
        let other = (channel + 1) % self.channels.len();
        if other == channel {
            return;
        }
        let (mut copy, speaker) = (self.copy(device), self.speaker(device, other));
        let made = [self.commit_of(&mut copy, channel), self.message_of(&mut self.copy(device), channel)];
        for made in made.into_iter().flatten() {
            self.attack(other, speaker.clone(), &made, false);
        }
    }

    /// What the hub took before, handed in by whoever did not send it.
    fn replayed(&mut self, device: usize, channel: usize, at: u32) {
        let Some(speaker) = self.speaker(device, channel) else { return };
        let items = self.hub_items(channel);
        let Some((sequence, sender, body)) = items.get(at as usize % items.len().max(1)) else { return };
        let replayed = match body {
            Body::Message(bytes) => Submission::Message(bytes.clone()),
            Body::Commit(bytes) => {
                let Some(Submission::Commit(made)) = self.commit_of(&mut self.copy(device), channel) else { return };
                Submission::Commit(semblance_channels::wire::Commit { commit: bytes.clone(), ..made })
            }
            _ => return,
        };
        self.counts.add("forged");
        let answer = self.hand_in(channel, Some(speaker.clone()), &replayed, Fault::None);
        let expected = match answer {
            Ok(place) => place == *sequence && *sender == Some(speaker.participant),
            Err(refusal) => refusal == Refusal::HubAway || *sender != Some(speaker.participant),
        };
        if !expected {
            self.truth.fail(format!("item {sequence} handed in again gives {answer:?}"));
        }
    }

    fn stranger(&mut self, device: usize, channel: usize) {
        let Some(own) = self.speaker(device, channel) else { return };
        let other = self.world.hospitals.iter().find(|hospital| hospital.id != own.hospital).unwrap().id.clone();
        let nobody = ParticipantId::random(self.world.random.as_ref());
        let strangers =
            [Speaker { hospital: other, ..own.clone() }, Speaker { participant: nobody, hospital: own.hospital }];
        for speaker in strangers {
            let made =
                [self.commit_of(&mut self.copy(device), channel), self.message_of(&mut self.copy(device), channel)];
            for made in made.into_iter().flatten() {
                self.attack(channel, Some(speaker.clone()), &made, false);
            }
        }
    }

    fn spoofed(&mut self, device: usize, channel: usize, at: u32) {
        let other = at as usize % self.world.people.len();
        if other == device {
            return;
        }
        let Some(made) = self.commit_of(&mut self.copy(device), channel) else { return };
        let speaker = self.speaker(other, channel);
        self.attack(channel, speaker, &made, false);
    }
}

fn flip(mut bytes: Vec<u8>, at: u32) -> Vec<u8> {
    // Half of them near the end, where the tags and signatures are.
    let (length, at) = (bytes.len(), at as usize);
    let place = if at.is_multiple_of(2) { at / 2 % length } else { length - 1 - at / 2 % length.min(140) };
    bytes[place] ^= 1 << (at % 8);
    bytes
}
