//! A world in which a plan's operations happen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rusqlite::Connection;
use semblance_channels::client::{Client, Event};
use semblance_channels::limits::KEY_PACKAGE_MILLIS;
use semblance_channels::office::{Office, OfficeError, Speaker};
use semblance_channels::store::MemoryStore;
use semblance_channels::testing::{NETWORK, Person, World};
use semblance_channels::wire::{Charter, Refusal};
use semblance_core::attestation::PersonRole;
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::time::Timestamp;

use crate::carry::Late;
use crate::counts::Counts;
use crate::draw::Dice;
use crate::plan::{Fault, Operation, Plan};
use crate::trap::Trap;
use crate::truth::Truth;

/// Key packages with a short life are used up or expired within a story.
const SHORT_MILLIS: u64 = 20_000;

pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) charter: Charter,
    pub(crate) hub: usize,
}

pub(crate) struct Simulation {
    pub(crate) world: World,
    pub(crate) channels: Vec<Channel>,
    pub(crate) traps: Vec<Trap>,
    pub(crate) late: Vec<Late>,
    pub(crate) truth: Truth,
    pub(crate) counts: Counts,
    paths: Vec<Option<PathBuf>>,
    _folder: Option<tempfile::TempDir>,
}

impl Simulation {
    pub(crate) fn new(plan: &Plan, now: Timestamp) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&plan.seed.to_le_bytes());
        let world = World::new(seed, plan.hospitals, now);
        let folder = plan.on_disk.then(|| tempfile::tempdir().unwrap());
        let path = |number: usize| folder.as_ref().map(|folder| folder.path().join(format!("{number}.sqlite")));
        let paths: Vec<_> = (0..plan.hospitals).map(path).collect();
        let mut new = Self {
            world,
            channels: Vec::new(),
            traps: vec![Trap::default(); plan.hospitals],
            late: Vec::new(),
            truth: Truth::default(),
            counts: Counts::default(),
            paths,
            _folder: folder,
        };
        for hospital in 0..plan.hospitals {
            new.start(hospital, None);
        }
        new.populate(plan);
        new
    }

    fn populate(&mut self, plan: &Plan) {
        let consents: Vec<_> = plan.consents.iter().map(|hospital| self.world.consent(*hospital)).collect();
        for device in &plan.devices {
            let hospital = plan.consents[device.consent];
            let role = if device.patient { PersonRole::Patient } else { PersonRole::Clinician };
            let now = self.world.now;
            let name = format!("person-{}", self.world.people.len());
            let (id, _) = self.world.hospitals[hospital].office.register_device(&name, role, now).unwrap();
            let client = Client::new(MemoryStore::default(), NETWORK, self.world.random.clone());
            let consent = consents[device.consent];
            let events = Vec::new();
            self.world.people.push(Person { hospital, device: id, consent, role, client, kept: 0, events });
            let life = if device.short { SHORT_MILLIS } else { KEY_PACKAGE_MILLIS };
            let number = self.world.people.len() - 1;
            self.world.stock(number, device.packages, device.last_resort, life);
        }
        for channel in &plan.channels {
            let charter = if channel.group {
                self.world.open_group(channel.hub, consents[0])
            } else {
                self.world.open_match(channel.hub, &consents)
            };
            for device in 0..plan.devices.len() {
                self.world.agree(device, &charter);
            }
            let id = self.world.create(channel.first, &charter);
            self.channels.push(Channel { id, charter, hub: channel.hub });
            self.speaker(channel.first, self.channels.len() - 1);
        }
        self.truth.consents = consents;
    }

    /// One operation of a plan, by its place in it.
    pub(crate) fn play(&mut self, number: usize, operation: &Operation) {
        self.world.now = self.world.now.plus(200 + Dice::new(number as u64).next() % 2_000);
        match *operation {
            Operation::Say { device, channel } => self.say(device, channel),
            Operation::Advance { device, channel, fault } => self.advance(device, channel, fault),
            Operation::Prepare { device, channel } => self.prepare(device, channel),
            Operation::Submit { device, channel, fault } => self.submit(device, channel, fault),
            Operation::Refresh { device, channel, fault } => self.refresh(device, channel, fault),
            Operation::Pull { device, way } => self.pull(device, way),
            Operation::Relay { hospital, way } => self.relay(hospital, way),
            Operation::Arrive { order } => self.arrive(order),
            Operation::Admit { device, channel, fault } => self.admit(device, channel, fault),
            Operation::Stock { device, packages, last_resort } => {
                self.world.stock(device, packages, last_resort, KEY_PACKAGE_MILLIS);
            }
            Operation::Withdraw { consent } => self.withdraw(consent),
            Operation::Expire { consent } => self.expire(consent),
            Operation::Follow { hospital, fault } => self.follow(hospital, fault),
            Operation::Leave { device, channel, fault } => self.leave(device, channel, fault),
            Operation::Switch { hospital } => {
                let up = &mut self.world.hospitals[hospital].up;
                *up = !*up;
                self.counts.add("hospitals went down or came up");
            }
            Operation::Rejoin { device, channel, fault } => self.rejoin(device, channel, fault),
            Operation::Forge { device, channel, forgery, at } => self.forge(device, channel, forgery, at),
            Operation::Reopen { hospital } => self.reopen(hospital),
            Operation::Restart { device } => self.restart(device),
            Operation::Press { hospital } => {
                let now = self.world.now;
                self.world.hospitals[hospital].office.press(now).unwrap();
            }
            Operation::Clean { hospital } => self.clean(hospital),
            Operation::Wait { seconds } => self.world.now = self.world.now.plus(seconds * 1000),
        }
    }

    fn clean(&mut self, hospital: usize) {
        let later = self.world.now.plus(31 * 86_400_000);
        self.world.hospitals[hospital].office.clean(later).unwrap();
        self.truth.cleaned.insert(hospital);
        self.counts.add("queues cleaned before they were read");
    }

    /// Starts an office's program over what is stored.
    fn start(&mut self, hospital: usize, connection: Option<Connection>) {
        let mut connection = match (&self.paths[hospital], connection) {
            (Some(path), old) => {
                drop(old);
                Connection::open(path).unwrap()
            }
            (None, Some(old)) => old,
            (None, None) => Connection::open_in_memory().unwrap(),
        };
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK").unwrap();
        }
        let id = self.world.hospitals[hospital].id.clone();
        self.traps[hospital].put_into(&mut connection);
        let office = Office::over(connection, NETWORK, id, self.world.random.clone()).unwrap();
        self.world.hospitals[hospital].office = office;
    }

    /// Ends an office's program and starts it again.
    pub(crate) fn reopen(&mut self, hospital: usize) {
        let id = self.world.hospitals[hospital].id.clone();
        let placeholder = Office::in_memory(NETWORK, id, self.world.random.clone()).unwrap();
        let office = std::mem::replace(&mut self.world.hospitals[hospital].office, placeholder);
        self.start(hospital, Some(office.into_connection()));
    }

    /// Sets an office's trap for one call, and starts the office again if it snapped.
    pub(crate) fn at_office<R>(&mut self, hospital: usize, fault: Fault, call: impl FnOnce(&mut Self) -> R) -> R {
        match fault {
            Fault::Crash { after } => self.traps[hospital].set(after),
            Fault::CrashAtCommit => self.traps[hospital].set_at_commit(),
            _ => {}
        }
        let result = call(self);
        if self.traps[hospital].lift() {
            self.counts.add(if fault == Fault::CrashAtCommit { "crashes at the commit" } else { "crashes" });
            self.reopen(hospital);
        }
        result
    }

    /// A device's program ends and starts over its store.
    pub(crate) fn restart(&mut self, device: usize) {
        let store = self.snapshot(device);
        self.restore(device, store);
        self.counts.add("devices restarted");
    }

    pub(crate) fn snapshot(&self, device: usize) -> Snapshot {
        let person = &self.world.people[device];
        Snapshot { store: person.client.store().clone(), kept: person.kept, events: person.events.len() }
    }

    pub(crate) fn restore(&mut self, device: usize, snapshot: Snapshot) {
        let random = self.world.random.clone();
        let person = &mut self.world.people[device];
        person.client = Client::new(snapshot.store, NETWORK, random);
        person.kept = snapshot.kept;
        person.events.truncate(snapshot.events);
    }

    /// As whom a device speaks in a channel, where its home runs.
    pub(crate) fn speaker(&mut self, device: usize, channel: usize) -> Option<Speaker> {
        let (id, now) = (self.channels[channel].id, self.world.now);
        let person = &self.world.people[device];
        let home = &mut self.world.hospitals[person.hospital];
        let speaker = home.office.speaker(person.device, id, now).ok()?.0;
        self.truth.leaves.entry(speaker.participant).or_insert((device, channel));
        home.up.then_some(speaker)
    }

    pub(crate) fn hub_up(&self, channel: usize) -> bool {
        self.world.hospitals[self.channels[channel].hub].up
    }

    /// Notes what items meant to a device.
    pub(crate) fn heard(&mut self, device: usize, channel: ChannelId, events: Vec<Event>) {
        for event in &events {
            match event {
                Event::Joined => self.counts.add("joined"),
                Event::Broken => self.counts.add("devices could not follow"),
                Event::Ended(_) | Event::Left => self.counts.add("devices were told that they are out"),
                _ => {}
            }
        }
        self.world.people[device].events.extend(events.into_iter().map(|event| (channel, event)));
    }
}

/// A device as it was.
pub(crate) struct Snapshot {
    pub(crate) store: MemoryStore,
    pub(crate) kept: u64,
    pub(crate) events: usize,
}

/// The refusal in an office's answer.
pub(crate) fn refused<R>(answer: Result<R, OfficeError>) -> Result<R, Refusal> {
    answer.map_err(|error| error.refusal())
}

/// Pseudonyms by what they are asked for.
pub(crate) type Pseudonyms = BTreeMap<ParticipantId, (usize, usize)>;
/// Pseudonyms.
pub(crate) type Ended = BTreeSet<(ChannelId, ParticipantId)>;
