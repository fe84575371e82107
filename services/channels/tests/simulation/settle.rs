//! Everything heals: what devices and nodes do by themselves, until nothing moves any more.

use semblance_channels::client::{Event, Phase};
use semblance_channels::limits::WELCOME_MILLIS;
use semblance_core::id::ParticipantId;

use crate::plan::{Fault, Relaying};
use crate::play::Simulation;

const ROUNDS: usize = 120;
/// How long the world waits where somebody waits, in milliseconds.
const PATIENCE: u64 = 20_000;

impl Simulation {
    /// Heals the world and lets everybody do what honest devices and nodes do.
    pub(crate) fn settle(&mut self) {
        for hospital in 0..self.world.hospitals.len() {
            self.world.hospitals[hospital].up = true;
        }
        self.arrive(0);
        self.truth.healed = self.world.now;
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
            let (kept, phases) = (self.world.people[device].kept, self.phases(device));
            self.drive(device);
            moved |= self.world.people[device].kept != kept || self.phases(device) != phases || self.queued(device);
            self.check_told(device, &phases);
        }
        if moved || places(self) != before {
            return true;
        }
        // Nobody does anything now; who waits does so for a time.
        let waits = (0..self.world.people.len()).any(|device| self.waits(device));
        if waits {
            self.world.now = self.world.now.plus(PATIENCE);
        }
        waits
    }

    fn phases(&mut self, device: usize) -> Vec<Phase> {
        (0..self.channels.len()).map(|channel| self.phase(device, channel)).collect()
    }

    fn queued(&mut self, device: usize) -> bool {
        let person = &self.world.people[device];
        let (id, kept, now) = (person.device, person.kept, self.world.now);
        !self.world.hospitals[person.hospital].office.queue(id, kept, 1, now).unwrap().is_empty()
    }

    /// Whether a device is on its way into a channel where somebody is, or has something under way.
    fn waits(&mut self, device: usize) -> bool {
        (0..self.channels.len()).any(|channel| {
            let alive = self.hub_leaves(channel).iter().any(|(_, state, _)| state == "member");
            let at_hub = self.state_of(device, channel);
            match self.phase(device, channel) {
                // Whom the hub has not heard of asks again once; where it refuses that, there is nothing to wait for.
                Phase::Agreed if at_hub.as_deref() == Some("unknown") => {
                    alive && self.world.now.distance(self.truth.healed) < 2 * WELCOME_MILLIS
                }
                Phase::Agreed => alive && at_hub.is_some_and(|state| state != "cut" && state != "gone"),
                Phase::Broken => at_hub.is_some_and(|state| state == "member" || (alive && state == "pending")),
                Phase::Rejoining => at_hub.is_some_and(|state| state == "member"),
                Phase::Member | Phase::Creating => self.outgoing(device, channel) != 0 || self.awaits(device, channel),
                Phase::Removed => false,
            }
        })
    }

    /// Only a device that has fallen back behind the leaf which was ended, or whose home has forgotten to tell it because
    /// it was away for thirty days, hears at the door that it is out: everybody else is told.
    fn check_told(&mut self, device: usize, before: &[Phase]) {
        let cleaned = self.truth.cleaned.contains(&self.world.people[device].hospital);
        let excused = cleaned || self.truth.fell_back.contains(&device);
        for (channel, before) in before.iter().enumerate() {
            let id = self.channels[channel].id;
            let left = *before != Phase::Removed && self.phase(device, channel) == Phase::Removed;
            let events = &self.world.people[device].events;
            let told = events.iter().any(|(one, event)| *one == id && matches!(event, Event::Ended(_)));
            if left && !told && !excused {
                self.truth.fail(format!("channel {channel}: device {device} was not told that it is out"));
            }
        }
    }

    fn outgoing(&mut self, device: usize, channel: usize) -> usize {
        self.world.people[device].client.outgoing(self.channels[channel].id).unwrap().len()
    }

    fn awaits(&mut self, device: usize, channel: usize) -> bool {
        let (id, now) = (self.channels[channel].id, self.world.now);
        self.world.people[device].client.awaiting_since(id, now).unwrap().is_some()
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
