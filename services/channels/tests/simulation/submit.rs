//! From a device to a hub.

use semblance_channels::client::{ClientError, Content, Phase};
use semblance_channels::office::{OfficeError, Speaker};
use semblance_channels::wire::{Admission, Refusal, RejoinInfo, Submission};

use crate::plan::Fault;
use crate::play::{Simulation, refused};

impl Simulation {
    pub(crate) fn say(&mut self, device: usize, channel: usize) {
        let id = self.channels[channel].id;
        let number = self.truth.said.len();
        let text = format!("{number} by {device}");
        let said = self.world.people[device].client.say(id, &Content::Text(text.clone()));
        if said.is_ok() {
            self.truth.said.push((device, channel, text));
            self.counts.add("said");
        }
    }

    /// Hands one submission to the hub, by the device's home.
    pub(crate) fn hand_in(
        &mut self,
        channel: usize,
        speaker: Option<Speaker>,
        submission: &Submission,
        fault: Fault,
    ) -> Result<u64, Refusal> {
        let Some(speaker) = speaker.filter(|_| self.hub_up(channel)) else { return Err(Refusal::HubAway) };
        let (id, hub, key) = (self.channels[channel].id, self.channels[channel].hub, submission.key());
        let answer = self.at_office(hub, fault, |this| {
            let one = vec![(id, speaker.clone(), submission.clone())];
            let office = &mut this.world.hospitals[hub].office;
            let mut answers = office.submit(one, &this.world.facts, this.world.now)?;
            answers.pop().unwrap_or(Err(OfficeError::Refused(Refusal::Failed)))
        });
        let answer = refused(answer);
        if let Ok(sequence) = answer {
            self.taken(channel, &speaker, submission, key, sequence);
        } else if let Err(refusal) = answer {
            self.counts.add(refusal.word());
        }
        answer
    }

    /// Hands in what a device has made, and takes the answers.
    pub(crate) fn submit(&mut self, device: usize, channel: usize, fault: Fault) {
        let id = self.channels[channel].id;
        let outgoing = self.world.people[device].client.outgoing(id).unwrap();
        for (key, submission) in outgoing {
            if fault == Fault::RequestLost {
                self.counts.add("submissions lost");
                return;
            }
            let speaker = self.speaker(device, channel);
            let mut answer = self.hand_in(channel, speaker.clone(), &submission, fault);
            if fault == Fault::AnswerLost {
                self.counts.add("answers lost");
                return;
            }
            let client = |this: &mut Self| {
                let answer = answer.map(|_| ());
                this.world.people[device].client.answered(id, key, answer).unwrap();
            };
            client(self);
            if fault == Fault::Twice {
                answer = self.hand_in(channel, speaker, &submission, Fault::None);
                self.counts.add("submissions duplicated");
            }
            self.world.people[device].client.answered(id, key, answer.map(|_| ())).unwrap();
            // What one says comes in the order in which one said it: nothing overtakes what waits.
            if answer.is_err() {
                return;
            }
        }
    }

    pub(crate) fn admissions(&mut self, device: usize, channel: usize) -> Vec<Admission> {
        let Some(speaker) = self.speaker(device, channel).filter(|_| self.hub_up(channel)) else { return Vec::new() };
        let (id, now) = (self.channels[channel].id, self.world.now);
        self.world.hospitals[self.channels[channel].hub].office.admissions(id, &speaker, now).unwrap_or_default()
    }

    pub(crate) fn prepare(&mut self, device: usize, channel: usize) {
        let admissions = self.admissions(device, channel);
        let (id, now) = (self.channels[channel].id, self.world.now);
        let client = &mut self.world.people[device].client;
        client.review(id, &self.world.facts, now).unwrap();
        match client.advance(id, &admissions, &self.world.facts, now) {
            Ok(_) | Err(ClientError::Unsafe | ClientError::Phase) => {}
            Err(error) => self.truth.fail(format!("device {device} cannot advance: {error}")),
        }
    }

    pub(crate) fn advance(&mut self, device: usize, channel: usize, fault: Fault) {
        let before = self.snapshot(device);
        self.prepare(device, channel);
        self.finish(device, channel, fault, before);
    }

    pub(crate) fn refresh(&mut self, device: usize, channel: usize, fault: Fault) {
        let before = self.snapshot(device);
        let id = self.channels[channel].id;
        match self.world.people[device].client.refresh(id) {
            Ok(_) | Err(ClientError::Phase) => {}
            Err(error) => self.truth.fail(format!("device {device} cannot refresh its keys: {error}")),
        }
        self.finish(device, channel, fault, before);
    }

    fn finish(&mut self, device: usize, channel: usize, fault: Fault, before: crate::play::Snapshot) {
        match fault {
            Fault::Forgets => {
                self.restore(device, before);
                self.counts.add("devices died before they sent");
            }
            Fault::FallsBack => {
                let places = self.truth.places.len();
                self.submit(device, channel, Fault::AnswerLost);
                self.restore(device, before);
                if self.truth.places.len() != places {
                    self.truth.set_back.insert((device, channel));
                    self.truth.fell_back.insert(device);
                    self.counts.add("devices fell back behind what they sent");
                }
            }
            _ => self.submit(device, channel, fault),
        }
    }

    pub(crate) fn rejoin_info(&mut self, device: usize, channel: usize) -> Option<RejoinInfo> {
        let speaker = self.speaker(device, channel).filter(|_| self.hub_up(channel))?;
        let (id, now) = (self.channels[channel].id, self.world.now);
        self.world.hospitals[self.channels[channel].hub].office.rejoin_info(id, &speaker, now).ok()
    }

    pub(crate) fn rejoin(&mut self, device: usize, channel: usize, fault: Fault) {
        let Some(info) = self.rejoin_info(device, channel) else { return };
        let before = self.snapshot(device);
        let (id, now) = (self.channels[channel].id, self.world.now);
        match self.world.people[device].client.rejoin(id, &info, None, &self.world.facts, now) {
            Ok(()) => self.counts.add("rejoins tried"),
            Err(ClientError::Phase) => return,
            Err(_) => self.counts.add("rejoins not possible"),
        }
        self.finish(device, channel, fault, before);
    }

    pub(crate) fn phase(&mut self, device: usize, channel: usize) -> Phase {
        let id = self.channels[channel].id;
        let channels = self.world.people[device].client.channels().unwrap();
        channels.into_iter().find(|(one, _)| *one == id).unwrap().1
    }
}
