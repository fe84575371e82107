//! From a hub to other hospitals, and from a home to its devices.

use semblance_channels::client::ClientError;
use semblance_channels::office::{Outbound, Queued};
use semblance_channels::wire::{Body, Item};
use semblance_core::id::OrganisationId;

use crate::draw::Dice;
use crate::plan::{Fault, Pulling, Relaying};
use crate::play::Simulation;

/// Deliveries that have left a hospital and not arrived.
pub(crate) struct Late {
    from: usize,
    to: usize,
    batch: Vec<Outbound>,
}

/// What became of an item that was given to a device.
enum Given {
    Kept,
    Missing,
    Not,
}

impl Simulation {
    pub(crate) fn relay(&mut self, from: usize, way: Relaying) {
        let now = self.world.now;
        if !self.world.hospitals[from].up {
            return;
        }
        for peer in self.world.hospitals[from].office.peers(now).unwrap() {
            let limit = if let Relaying::Some { count } = way { count } else { 64 };
            let batch = self.world.hospitals[from].office.outbound(&peer, limit, now).unwrap();
            self.truth.leaving(&batch);
            let Some(to) = self.hospital(&peer) else { continue };
            if let Relaying::Late = way {
                self.counts.add("deliveries delayed");
                self.late.push(Late { from, to, batch });
                continue;
            }
            let fault = match way {
                Relaying::Crash { after } => Fault::Crash { after },
                Relaying::CrashAtCommit => Fault::CrashAtCommit,
                _ => Fault::None,
            };
            let Some(number) = self.deliver(from, to, &batch, fault) else { continue };
            if let Relaying::AnswerLost = way {
                self.counts.add("acknowledgements lost");
            } else {
                self.world.hospitals[from].office.acknowledged(&peer, number);
            }
        }
    }

    fn hospital(&self, id: &OrganisationId) -> Option<usize> {
        self.world.hospitals.iter().position(|hospital| hospital.id == *id)
    }

    fn deliver(&mut self, from: usize, to: usize, batch: &[Outbound], fault: Fault) -> Option<u64> {
        if !self.world.hospitals[to].up {
            return None;
        }
        let (source, now) = (self.world.hospitals[from].id.clone(), self.world.now);
        let taken = self.at_office(to, fault, |this| this.world.hospitals[to].office.take(&source, batch, now));
        self.counts.add("batches delivered between hospitals");
        taken.ok()
    }

    pub(crate) fn arrive(&mut self, order: u32) {
        let mut dice = Dice::new(u64::from(order));
        while !self.late.is_empty() {
            let late = self.late.swap_remove(dice.below(self.late.len()));
            self.counts.add("late deliveries");
            let _ = self.deliver(late.from, late.to, &late.batch, Fault::None);
        }
    }

    /// What waits for a device at its home; nothing with content after its part ended there.
    pub(crate) fn waiting(&mut self, device: usize, after: u64) -> Vec<Queued> {
        let now = self.world.now;
        let person = &self.world.people[device];
        let (id, home) = (person.device, person.hospital);
        if !self.world.hospitals[home].up {
            return Vec::new();
        }
        let queued = self.world.hospitals[home].office.queue(id, after, 64, now).unwrap();
        for waiting in &queued {
            let open = self.world.hospitals[home].office.speaker(id, waiting.item.channel, now).is_ok();
            if matches!(waiting.item.body, Body::Message(_)) && !open {
                let place = waiting.item.sequence;
                self.truth.fail(format!("device {device} is given message {place} after its part ended at its home"));
            }
        }
        queued
    }

    pub(crate) fn pull(&mut self, device: usize, way: Pulling) {
        let kept = self.world.people[device].kept;
        let after = if let Pulling::Again = way { 0 } else { kept };
        let mut queued = self.waiting(device, after);
        match way {
            Pulling::Some { count } => queued.truncate(count),
            Pulling::Shuffled { order } => shuffle(&mut queued, order),
            _ => {}
        }
        let last = match way {
            Pulling::Forgets { after } => queued.len().min(after),
            _ => usize::MAX,
        };
        let mut missing = Vec::new();
        for (number, waiting) in queued.iter().enumerate() {
            let before = (number == last).then(|| self.snapshot(device));
            match self.give(device, &waiting.item) {
                Given::Kept => {}
                Given::Missing => missing.push(waiting.position),
                Given::Not => {
                    missing.push(waiting.position);
                    break;
                }
            }
            if let Some(before) = before {
                self.restore(device, before);
                self.counts.add("devices died while they read");
                missing.push(waiting.position);
                break;
            }
        }
        let positions = queued.iter().map(|waiting| waiting.position);
        let first = missing.into_iter().min().unwrap_or(u64::MAX);
        let kept = positions.filter(|position| *position < first).max().unwrap_or(0).max(kept);
        self.world.people[device].kept = kept;
        if matches!(way, Pulling::Unacknowledged) {
            return;
        }
        let person = &self.world.people[device];
        let id = person.device;
        let home = &mut self.world.hospitals[person.hospital];
        if home.up {
            home.office.keep_until(id, kept);
        }
    }

    fn give(&mut self, device: usize, item: &Item) -> Given {
        let (channel, now) = (item.channel, self.world.now);
        match self.world.people[device].client.receive(item, &self.world.facts, now) {
            Ok(events) => {
                self.heard(device, channel, events);
                Given::Kept
            }
            Err(ClientError::Gap { .. }) => {
                self.counts.add("gaps");
                let number = self.channels.iter().position(|one| one.id == channel).unwrap();
                if self.catch_up(device, number) { Given::Kept } else { Given::Missing }
            }
            Err(error) => {
                self.truth.fail(format!("device {device} does not take item {}: {error}", item.sequence));
                Given::Not
            }
        }
    }

    /// Fetches from the hub what a device missed; true if its place is now that of the hub's last item.
    pub(crate) fn catch_up(&mut self, device: usize, channel: usize) -> bool {
        let Some(speaker) = self.speaker(device, channel).filter(|_| self.hub_up(channel)) else { return false };
        let (id, now, hub) = (self.channels[channel].id, self.world.now, self.channels[channel].hub);
        let next = self.world.people[device].client.next(id).unwrap();
        let Ok(items) = self.world.hospitals[hub].office.items(id, &speaker, next, now) else { return false };
        self.truth.fetched(id, speaker.participant);
        for item in &items {
            match self.world.people[device].client.receive(item, &self.world.facts, now) {
                Ok(events) => self.heard(device, id, events),
                // What is missing is gone: only joining again helps.
                Err(ClientError::Gap { .. }) => return false,
                Err(error) => {
                    self.truth.fail(format!("device {device} cannot catch up: {error}"));
                    return false;
                }
            }
        }
        !items.is_empty()
    }
}

/// Another order of what waits, but nothing passes the end of a device's part, or comes before the way in.
fn shuffle(queued: &mut [Queued], order: u32) {
    let mut dice = Dice::new(u64::from(order));
    for place in 1..queued.len() {
        let other = place - 1 - dice.below(place.min(3));
        let fixed = |body: &Body| matches!(body, Body::Ended(_));
        if queued[other..=place].iter().all(|one| !fixed(&one.item.body)) && dice.percent(60) {
            queued.swap(place, other);
        }
    }
}
