//! The very driver of a browser or the command line, along a line into the simulation: what heals a world is what
//! heals a device.

use futures::executor::block_on;
use semblance_channels::client::Client;
use semblance_channels::driver::{Driver, Line};
use semblance_channels::office::OfficeError;
use semblance_channels::store::MemoryStore;
use semblance_channels::testing::NETWORK;
use semblance_channels::wire::{Answer, DeviceCall, Item, Refusal};
use semblance_core::id::ChannelId;

use crate::plan::Fault;
use crate::play::{Simulation, refused};

/// A device's line to its home, with nothing going wrong on it.
struct Wire<'a> {
    simulation: &'a mut Simulation,
    device: usize,
}

impl Line for Wire<'_> {
    async fn call(&mut self, call: DeviceCall) -> Result<Answer, Refusal> {
        self.simulation.answer(self.device, call)
    }

    async fn listen(&mut self, after: u64, _wait: bool) -> Result<Vec<(u64, Item)>, Refusal> {
        let queued = self.simulation.waiting(self.device, after);
        Ok(queued.into_iter().map(|one| (one.position, one.item)).collect())
    }
}

impl Simulation {
    /// A device takes what waits for it and does what follows from it.
    pub(crate) fn drive(&mut self, device: usize) {
        let random = self.world.random.clone();
        let person = &mut self.world.people[device];
        let mut client = std::mem::replace(&mut person.client, Client::new(MemoryStore::default(), NETWORK, random));
        client.set_kept(person.kept).unwrap();
        let now = self.world.now;
        let mut driver = Driver::new(client, Wire { simulation: self, device }, NETWORK, format!("person {device}"));
        let happened = block_on(driver.sync(now));
        let troubles = driver.troubles();
        let mut client = driver.into_client();
        self.world.people[device].kept = client.kept().unwrap();
        self.world.people[device].client = client;
        for (channel, event) in happened.unwrap() {
            self.heard(device, channel, vec![event]);
        }
        for (_, trouble) in troubles {
            self.counts.add(if trouble.to_string().contains("consents") {
                "waited for the ledger"
            } else {
                "troubles"
            });
        }
    }

    fn answer(&mut self, device: usize, call: DeviceCall) -> Result<Answer, Refusal> {
        match call {
            DeviceCall::Facts(consents) => Ok(Answer::Facts(self.world.facts.about(&consents))),
            DeviceCall::Kept(position) => {
                let person = &self.world.people[device];
                self.world.hospitals[person.hospital].office.keep_until(person.device, position);
                Ok(Answer::Done)
            }
            DeviceCall::Join { channel, .. } => self.join(device, channel),
            DeviceCall::Submit(channel, submission) => {
                let (channel, speaker) = self.at_hub(device, channel)?;
                self.hand_in(channel, Some(speaker), &submission, Fault::None).map(Answer::Number)
            }
            DeviceCall::Items(id, first) => {
                let (channel, speaker) = self.at_hub(device, id)?;
                let (hub, now) = (self.channels[channel].hub, self.world.now);
                let items = refused(self.world.hospitals[hub].office.items(id, &speaker, first, now))?;
                self.truth.fetched(id, speaker.participant);
                Ok(Answer::Items(items))
            }
            DeviceCall::Admissions(id) => {
                let (channel, speaker) = self.at_hub(device, id)?;
                let (hub, now) = (self.channels[channel].hub, self.world.now);
                refused(self.world.hospitals[hub].office.admissions(id, &speaker, now)).map(Answer::Admissions)
            }
            DeviceCall::Rejoin(id) => {
                let (channel, speaker) = self.at_hub(device, id)?;
                let (hub, now) = (self.channels[channel].hub, self.world.now);
                self.counts.add("rejoins tried");
                refused(self.world.hospitals[hub].office.rejoin_info(id, &speaker, now)).map(Answer::Rejoin)
            }
            _ => Err(Refusal::Malformed),
        }
    }

    /// As whom a device speaks to a channel's hub.
    fn at_hub(
        &mut self,
        device: usize,
        id: ChannelId,
    ) -> Result<(usize, semblance_channels::office::Speaker), Refusal> {
        let channel = self.channels.iter().position(|one| one.id == id).ok_or(Refusal::UnknownChannel)?;
        Ok((channel, self.speaker(device, channel).ok_or(Refusal::NotMember)?))
    }

    /// A home asks the hub again to let a device in. One whose person has not asked before is not offered the channel.
    fn join(&mut self, device: usize, id: ChannelId) -> Result<Answer, Refusal> {
        let (channel, speaker) = self.at_hub(device, id).map_err(|_| Refusal::NotAuthorised)?;
        let hub = self.channels[channel].hub;
        let now = self.world.now;
        if !refused(self.world.hospitals[hub].office.has_group(id, now))? {
            return Err(Refusal::HubAway);
        }
        // As a node does where the leaf is not that of a key package.
        let info = self.world.hospitals[hub].office.rejoin_info(id, &speaker, now);
        if let Err(OfficeError::Refused(Refusal::NotMember)) = info {
            self.admit(device, channel, Fault::None);
        }
        Ok(Answer::Done)
    }
}
