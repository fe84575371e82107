//! Who may take part: letting in, leaving, consents that end.

use semblance_channels::office::OfficeError;
use semblance_channels::wire::Refusal;
use semblance_core::id::TransactionId;

use crate::plan::Fault;
use crate::play::Simulation;
use crate::truth::Stolen;

impl Simulation {
    /// A device's home hands one of its key packages to the hub.
    pub(crate) fn admit(&mut self, device: usize, channel: usize, fault: Fault) {
        let (home, hub) = (self.world.people[device].hospital, self.channels[channel].hub);
        if !self.world.hospitals[home].up {
            return;
        }
        let (id, charter) = (self.channels[channel].id, self.channels[channel].charter.clone());
        // Who left agrees anew.
        self.world.agree(device, &charter);
        let up = self.world.hospitals[hub].up;
        if fault == Fault::RequestLost {
            self.world.hospitals[hub].up = false;
        }
        // A crash strikes the home or the hub, by its number.
        let strikes_home = matches!(fault, Fault::Crash { after } if after % 2 == 0);
        let admitted =
            self.at_office(if strikes_home { home } else { hub }, fault, |this| this.world.admit(device, id));
        self.world.hospitals[hub].up = up;
        self.speaker(device, channel);
        match admitted {
            Ok(()) => self.counts.add("admissions"),
            Err(OfficeError::Refused(Refusal::NoKeyPackage)) => self.counts.add("directories exhausted"),
            Err(error) => self.counts.add(error.refusal().word()),
        }
    }

    pub(crate) fn withdraw(&mut self, consent: usize) {
        let consent = self.truth.consents[consent];
        let transaction = TransactionId::random(self.world.random.as_ref());
        let now = self.world.now;
        let fact = self.world.facts.consents.get_mut(&consent).unwrap();
        if fact.withdrawn.is_none() {
            fact.withdrawn = Some((transaction, now));
            self.counts.add("consents withdrawn");
        }
    }

    pub(crate) fn expire(&mut self, consent: usize) {
        let consent = self.truth.consents[consent];
        let fact = self.world.facts.consents.get_mut(&consent).unwrap();
        fact.expires = fact.expires.min(self.world.now);
        self.counts.add("consents expired");
    }

    /// A hospital reads in the ledger which consents have ended.
    pub(crate) fn follow(&mut self, hospital: usize, fault: Fault) {
        if !self.world.hospitals[hospital].up {
            return;
        }
        let now = self.world.now;
        let facts = self.world.facts.consents.iter();
        let ended: Vec<_> = facts.filter_map(|(consent, fact)| Some((*consent, fact.ended(now)?))).collect();
        for (consent, transaction) in ended {
            let resting = self.resting(consent);
            let before: Vec<_> = resting.iter().map(|device| self.steal(*device)).collect();
            let done = self
                .at_office(hospital, fault, |this| {
                    this.world.hospitals[hospital].office.end_consent(consent, transaction, now)
                })
                .is_ok();
            if done {
                self.ended(hospital, &resting, before);
            }
        }
    }

    fn resting(&self, consent: semblance_core::id::ConsentId) -> Vec<usize> {
        let people = self.world.people.iter().enumerate();
        people.filter(|(_, person)| person.consent == consent).map(|(device, _)| device).collect()
    }

    /// A hospital has ended these devices' parts.
    fn ended(&mut self, hospital: usize, devices: &[usize], before: Vec<Stolen>) {
        for (device, stolen) in devices.iter().zip(before) {
            let at_home = self.world.people[*device].hospital == hospital;
            for channel in 0..self.channels.len() {
                if at_home && self.speaker(*device, channel).is_some() {
                    self.truth.fail(format!("device {device} still speaks after its consent ended at its home"));
                }
                if self.channels[channel].hub == hospital {
                    self.cut(*device, channel, &stolen);
                }
            }
        }
    }

    /// The hub of a channel has ended a device's part.
    fn cut(&mut self, device: usize, channel: usize, stolen: &Stolen) {
        let mut of_device: Vec<_> =
            self.truth.leaves.iter().filter(|(_, whose)| **whose == (device, channel)).collect();
        let id = self.channels[channel].id;
        of_device.retain(|(participant, _)| !self.truth.ended.contains(&(id, **participant)));
        let of_device: Vec<_> = of_device.into_iter().map(|(participant, _)| *participant).collect();
        for participant in of_device {
            self.truth.ended.insert((id, participant));
            let sequence = self.sequence(channel);
            self.truth.stolen.push(Stolen { channel, sequence, participant: Some(participant), ..stolen.clone() });
        }
    }

    pub(crate) fn steal(&mut self, device: usize) -> Stolen {
        let store = self.world.people[device].client.store().clone();
        Stolen { device, channel: 0, sequence: 0, participant: None, store }
    }

    pub(crate) fn leave(&mut self, device: usize, channel: usize, fault: Fault) {
        let (hub, id) = (self.channels[channel].hub, self.channels[channel].id);
        if self.speaker(device, channel).is_none() || fault == Fault::RequestLost {
            return;
        }
        let stolen = self.steal(device);
        let left = self.at_office(hub, fault, |this| this.world.leave(device, id));
        if left.is_ok() {
            self.cut(device, channel, &stolen);
            self.counts.add("devices left");
        }
    }
}
