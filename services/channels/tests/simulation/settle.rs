//! Everything heals: what devices and nodes do by themselves, until nothing moves any more.

use semblance_channels::client::Phase;
use semblance_channels::office::OfficeError;
use semblance_channels::wire::Refusal;
use semblance_core::id::ParticipantId;

use crate::plan::{Fault, Pulling, Relaying};
use crate::play::Simulation;

const ROUNDS: usize = 60;

impl Simulation {
    /// Heals the world and lets everybody do what honest devices and nodes do.
    pub(crate) fn settle(&mut self) {
        for hospital in 0..self.world.hospitals.len() {
            self.world.hospitals[hospital].up = true;
        }
        self.arrive(0);
        for round in 0..ROUNDS {
            if !self.round(round) {
                return;
            }
        }
        let state = self.state();
        self.truth.fail(format!("the world does not settle: {state}"));
    }

    fn round(&mut self, round: usize) -> bool {
        self.world.now = self.world.now.plus(1_500);
        let places = |this: &Self| (0..this.channels.len()).map(|channel| this.sequence(channel)).collect::<Vec<_>>();
        let (mut moved, before) = (false, places(self));
        for hospital in 0..self.world.hospitals.len() {
            self.follow(hospital, Fault::None);
            let now = self.world.now;
            if round.is_multiple_of(4) {
                self.world.hospitals[hospital].office.press(now).unwrap();
            }
            moved |= !self.world.hospitals[hospital].office.peers(now).unwrap().is_empty();
            self.relay(hospital, Relaying::All);
        }
        for device in 0..self.world.people.len() {
            let before = self.world.people[device].kept;
            self.pull(device, Pulling::All);
            moved |= self.world.people[device].kept != before || self.queued(device);
            for channel in 0..self.channels.len() {
                moved |= self.step(device, channel);
            }
        }
        moved || places(self) != before || self.turn_away()
    }

    /// What a device does that believes to be in a channel and is told by its home or the hub that it is not: the last
    /// means, for those alone that have fallen back behind the leaf which was ended, or whose home has forgotten to tell
    /// them because they were away for thirty days.
    fn turn_away(&mut self) -> bool {
        let mut moved = false;
        for (device, channel) in self.everybody() {
            if !self.is_turned_away(device, channel) {
                continue;
            }
            let cleaned = self.truth.cleaned.contains(&self.world.people[device].hospital);
            if !cleaned && !self.truth.fell_back.contains(&device) {
                self.truth.fail(format!("channel {channel}: device {device} was not told that it is out"));
            }
            let id = self.channels[channel].id;
            let events = self.world.people[device].client.turned_away(id).unwrap();
            self.heard(device, id, events);
            self.counts.add("devices turned away");
            moved = true;
        }
        moved
    }

    fn everybody(&self) -> Vec<(usize, usize)> {
        let channels = self.channels.len();
        (0..self.world.people.len()).flat_map(|device| (0..channels).map(move |channel| (device, channel))).collect()
    }

    fn queued(&mut self, device: usize) -> bool {
        let person = &self.world.people[device];
        let (id, kept, now) = (person.device, person.kept, self.world.now);
        !self.world.hospitals[person.hospital].office.queue(id, kept, 1, now).unwrap().is_empty()
    }

    /// The next thing that one device does in one channel; whether there was anything.
    fn step(&mut self, device: usize, channel: usize) -> bool {
        let state = self.state_of(device, channel);
        let phase = self.phase(device, channel);
        if self.truth.cut_off.remove(&(device, channel)) && phase == Phase::Member {
            self.rejoin(device, channel, Fault::None);
            return true;
        }
        match (phase, state.as_deref()) {
            (Phase::Broken, Some("member" | "pending")) | (Phase::Agreed | Phase::Removed, Some("member")) => {
                self.rejoin(device, channel, Fault::None);
                true
            }
            (Phase::Agreed | Phase::Removed, Some("pending")) => self.wait(device, channel),
            (_, Some("unknown")) if phase != Phase::Creating => {
                self.admit(device, channel, Fault::None);
                self.state_of(device, channel).as_deref() != Some("unknown")
            }
            (Phase::Member | Phase::Creating | Phase::Rejoining, Some(_)) => {
                let before = self.outgoing(device, channel);
                self.advance(device, channel, Fault::None);
                before + self.outgoing(device, channel) != 0
            }
            _ => false,
        }
    }

    /// A device that waits until a member adds it; if its key package has expired, it joins by itself.
    fn wait(&mut self, device: usize, channel: usize) -> bool {
        let members = self.hub_leaves(channel).iter().any(|(_, state, _)| state == "member");
        if members && self.world.now.millis() > self.truth.until.get(&(device, channel)).copied().unwrap_or(u64::MAX) {
            self.rejoin(device, channel, Fault::None);
        }
        self.truth.until.entry((device, channel)).or_insert(self.world.now.millis() + 25_000);
        members
    }

    /// Whether a device that believes to be in a channel is told by its home or the hub that it is not.
    fn is_turned_away(&mut self, device: usize, channel: usize) -> bool {
        if !matches!(self.phase(device, channel), Phase::Member | Phase::Rejoining | Phase::Broken) {
            return false;
        }
        let (id, now, hub) = (self.channels[channel].id, self.world.now, self.channels[channel].hub);
        let Some(speaker) = self.speaker(device, channel) else { return true };
        let info = self.world.hospitals[hub].office.rejoin_info(id, &speaker, now);
        matches!(info, Err(OfficeError::Refused(Refusal::Ended | Refusal::NotMember)))
    }

    fn outgoing(&mut self, device: usize, channel: usize) -> usize {
        self.world.people[device].client.outgoing(self.channels[channel].id).unwrap().len()
    }

    /// How the hub sees a device that has an open part at its home: "unknown" if not at all.
    pub(crate) fn state_of(&mut self, device: usize, channel: usize) -> Option<String> {
        let participant = self.speaker(device, channel)?.participant;
        Some(self.state_at_hub(channel, participant))
    }

    fn state_at_hub(&self, channel: usize, participant: ParticipantId) -> String {
        let leaves = self.hub_leaves(channel);
        let found = leaves.into_iter().find(|(one, _, _)| *one == participant);
        found.map_or_else(|| "unknown".to_owned(), |(_, state, _)| state)
    }

    /// How everybody stands, for somebody who reads of a failure.
    pub(crate) fn state(&mut self) -> String {
        let mut text = String::new();
        for channel in 0..self.channels.len() {
            for device in 0..self.world.people.len() {
                let (phase, state) = (self.phase(device, channel), self.state_of(device, channel));
                let id = self.channels[channel].id;
                let next = self.world.people[device].client.next(id).unwrap();
                let epoch = self.world.people[device].client.authenticator(id).map(|(epoch, _)| epoch);
                let outgoing = self.outgoing(device, channel);
                let state = state.unwrap_or_default();
                text += &format!(
                    "\n  channel {channel} device {device}: {phase:?}, at the hub {state}, next {next}, epoch {}, {outgoing} under way",
                    epoch.map_or(-1, |epoch| epoch as i64),
                );
            }
            text += &format!("\n  channel {channel} is at {}: {:?}", self.sequence(channel), self.hub_leaves(channel));
        }
        text
    }
}
