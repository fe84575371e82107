//! A group of so many members, of whom some are there and the others only get what is theirs.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use anyhow::Context as _;
use futures::executor::block_on;
use semblance_channels::client::{Client, Content, Phase};
use semblance_channels::driver::Driver;
use semblance_channels::limits::ADDS_MAX;
use semblance_channels::office::Queued;
use semblance_channels::store::{MemoryStore, Store};
use semblance_channels::testing::NETWORK;
use semblance_channels::wire::KeyPackageUpload;

use super::talk::texts;
use super::town::{LIFE, Papers, Town, TownLine};

/// Time between two things said, so that nobody says too much in a minute.
pub(crate) const PAUSE: u64 = 1_100;
/// Pauses between two commits of one member.
const PAUSES: usize = 4;
/// How often a group is looked at before it is given up that somebody gets in.
const PATIENCE: usize = 8;

/// One member that is there.
pub(crate) struct Member<S> {
    pub(crate) papers: Papers,
    pub(crate) driver: Driver<S, TownLine>,
}

/// Makes a device's store in a folder.
pub(crate) type MakeStore<S> = fn(&Path, usize) -> anyhow::Result<S>;

/// The members that are there, and their town.
pub(crate) struct Group<S> {
    pub(crate) town: Rc<RefCell<Town>>,
    pub(crate) members: Vec<Member<S>>,
    /// All members, those among them who are not there.
    pub(crate) size: usize,
    registered: usize,
    make: MakeStore<S>,
}

impl<S: Store> Group<S> {
    /// A group of so many, of whom so many are there. Those who are not come in first: they leave a key package and
    /// never do anything.
    pub(crate) fn found(size: usize, there: usize, make: MakeStore<S>) -> anyhow::Result<Self> {
        let town = Rc::new(RefCell::new(Town::new()?));
        let mut group = Self { town, members: Vec::new(), size: 1, registered: 0, make };
        let mut founder = group.arrive()?;
        group.create(&mut founder)?;
        group.members.push(founder);
        let absent = size.saturating_sub(there);
        let mut left = absent;
        while left > 0 {
            let batch = left.min(ADDS_MAX);
            for _ in 0..batch {
                let papers = group.register()?;
                let client =
                    &mut Client::new(MemoryStore::default(), NETWORK, group.town.borrow().world.random.clone());
                upload(&group.town, papers, client)?;
                group.town.borrow_mut().admit(papers)?;
            }
            group.commit(batch)?;
            left -= batch;
        }
        while group.size < size {
            let batch = (size - group.size).min(ADDS_MAX);
            let mut newcomers = Vec::new();
            for _ in 0..batch {
                newcomers.push(group.invited()?);
            }
            group.commit(batch)?;
            for newcomer in &mut newcomers {
                group.sync(newcomer)?;
                anyhow::ensure!(group.phase(newcomer)? == Some(Phase::Member), "a newcomer does not get in");
            }
            group.members.append(&mut newcomers);
        }
        Ok(group)
    }

    fn register(&mut self) -> anyhow::Result<Papers> {
        let papers = self.town.borrow_mut().register(self.registered)?;
        self.registered += 1;
        Ok(papers)
    }

    /// A new device of a new patient, who agrees to the channel.
    fn arrive(&mut self) -> anyhow::Result<Member<S>> {
        let papers = self.register()?;
        let store = (self.make)(self.town.borrow().folder(), self.registered)?;
        let mut client = Client::new(store, NETWORK, self.town.borrow().world.random.clone());
        {
            let town = self.town.borrow();
            client.agree(&town.charter, &town.world.facts)?;
        }
        let line = TownLine { town: Rc::clone(&self.town), papers };
        let mut driver = Driver::new(client, line, NETWORK, "somebody".to_owned());
        block_on(driver.offers())?;
        Ok(Member { papers, driver })
    }

    /// A new device whose hospital hands its key package to the hub.
    pub(crate) fn invited(&mut self) -> anyhow::Result<Member<S>> {
        let mut member = self.arrive()?;
        upload(&self.town, member.papers, member.driver.client())?;
        self.town.borrow_mut().admit(member.papers)?;
        Ok(member)
    }

    fn create(&mut self, founder: &mut Member<S>) -> anyhow::Result<()> {
        let (channel, now, facts) = {
            let town = self.town.borrow();
            (town.channel, town.world.now, town.world.facts.clone())
        };
        let client = founder.driver.client();
        let (participant, key) = client.leaf(channel)?;
        let proof = self.town.borrow_mut().prove(founder.papers, participant, key)?;
        self.town.borrow_mut().bind(founder.papers, &proof)?;
        client.create(channel, proof, &facts, now)?;
        self.sync(founder)?;
        anyhow::ensure!(self.phase(founder)? == Some(Phase::Member), "the group is not made");
        Ok(())
    }

    /// Lets those who are there take what waits, and commit for those who wait to come in.
    fn commit(&mut self, newcomers: usize) -> anyhow::Result<()> {
        let wanted = self.size + newcomers;
        // Nobody commits more than so often in a minute.
        (0..PAUSES).for_each(|_| self.pause());
        for _ in 0..PATIENCE {
            self.sync_all()?;
            self.town.borrow_mut().relay()?;
            self.sync_all()?;
            if self.count()? == wanted {
                self.size = wanted;
                return Ok(());
            }
        }
        anyhow::bail!("nobody adds those who wait")
    }

    pub(crate) fn count(&mut self) -> anyhow::Result<usize> {
        let channel = self.town.borrow().channel;
        let founder = self.members.first_mut().context("nobody is there")?;
        Ok(founder.driver.client().members(channel)?.len())
    }

    fn sync_all(&mut self) -> anyhow::Result<()> {
        let mut members = std::mem::take(&mut self.members);
        members.iter_mut().try_for_each(|member| self.sync(member).map(drop))?;
        self.members = members;
        Ok(())
    }

    /// Everybody who is there says their name, as devices do by themselves where somebody came in who cannot know it.
    pub(crate) fn introduce(&mut self) -> anyhow::Result<()> {
        let channel = self.town.borrow().channel;
        for member in &mut self.members {
            member.driver.client().say(channel, &Content::Introduce { name: "somebody".to_owned() })?;
        }
        self.pause();
        self.sync_all()?;
        self.town.borrow_mut().relay()?;
        self.sync_all()
    }

    fn phase(&self, member: &mut Member<S>) -> anyhow::Result<Option<Phase>> {
        Ok(member.driver.phase(self.town.borrow().channel)?)
    }

    /// A device takes what waits for it and does what follows from it; returns how many messages it read.
    pub(crate) fn sync(&self, member: &mut Member<S>) -> anyhow::Result<usize> {
        let now = self.town.borrow().world.now;
        let events = block_on(member.driver.sync(now))?;
        Ok(texts(&events))
    }

    /// Some time passes.
    pub(crate) fn pause(&self) {
        let mut town = self.town.borrow_mut();
        town.world.now = town.world.now.plus(PAUSE);
    }

    /// A device says something; what it hands in is taken at once or held.
    pub(crate) fn say(&self, member: &mut Member<S>, text: &str) -> anyhow::Result<()> {
        let (channel, now) = {
            let town = self.town.borrow();
            (town.channel, town.world.now)
        };
        Ok(block_on(member.driver.say(channel, &Content::Text(text.to_owned()), now))?)
    }

    /// The hub takes all that was held.
    pub(crate) fn take_held(&mut self) -> anyhow::Result<()> {
        for (_, result) in self.town.borrow_mut().take_held()? {
            result?;
        }
        Ok(())
    }

    /// What waits for a device.
    pub(crate) fn waiting(&self, papers: Papers) -> anyhow::Result<Vec<Queued>> {
        let mut town = self.town.borrow_mut();
        let now = town.world.now;
        Ok(town.hospital(papers.hospital)?.office.queue(papers.device, 0, usize::MAX >> 1, now)?)
    }
}

fn upload<S: Store>(town: &Rc<RefCell<Town>>, papers: Papers, client: &mut Client<S>) -> anyhow::Result<()> {
    let mut town = town.borrow_mut();
    let now = town.world.now;
    let made = client.key_packages(1, false, LIFE, now)?;
    let uploads: Vec<_> =
        made.into_iter().map(|one| KeyPackageUpload { bytes: one.bytes, last_resort: one.last_resort }).collect();
    Ok(town.hospital(papers.hospital)?.office.upload(papers.device, &uploads, now)?)
}
