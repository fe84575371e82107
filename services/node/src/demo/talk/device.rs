//! The devices of a demo's people: the client of the command line, each with a store and an HTTP line of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use data_encoding::BASE64URL_NOPAD;
use semblance_channels::client::{Client, Content, Phase};
use semblance_channels::driver::{Driver, DriverError};
use semblance_channels::store::SqliteStore;
use semblance_core::attestation::PersonRole;
use semblance_core::id::ChannelId;
use semblance_core::time::Clock;
use tokio::runtime::Handle;

use super::told::Person;
use crate::command::channel::line::HttpLine;
use crate::demo::parties::Running;
use crate::failure::Failure;
use crate::folder;

/// How long something may take that comes about between devices and nodes of one machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause after a node could not be reached.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a certificate's file.
const CERTIFICATE_MAX: u64 = 64 << 10;

/// Whose device it is.
pub(super) struct Owner {
    /// As others are told.
    pub(super) person: Person,
    /// The hospital's own name for the person: a clinician's name, or a case's local id.
    pub(super) known_as: String,
    /// As whom the person takes part.
    pub(super) role: PersonRole,
}

/// A person's device.
pub(super) struct Device {
    pub(super) owner: Owner,
    /// Where its keys and what was said to it lie.
    pub(super) folder: PathBuf,
    phone: Driver<SqliteStore, HttpLine>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
}

impl Device {
    /// Registers a device with its hospital's node, as a command of the hospital's operator does, below a folder.
    pub(super) async fn register(hospital: &Running, owner: Owner, devices: &Path) -> anyhow::Result<Self> {
        let (Some(service), Some(address)) = (hospital.node.channels(), hospital.node.ready().devices) else {
            let what = format!("{} has no channels", hospital.party.organisation);
            let hint = "the folder is of an earlier version's demo: name another one with --data";
            return Err(Failure::usage(what).hint(hint).into());
        };
        let token = service.register(owner.known_as.clone(), owner.role).await?;
        let token = BASE64URL_NOPAD.encode(&token.0);
        let root = folder::read(&hospital.party.config.folder().join("authority.pem"), CERTIFICATE_MAX)?;
        let line = HttpLine::new(&format!("https://{address}"), token.as_bytes(), Some(&root))?;
        let folder = devices.join(owner.person.name.to_lowercase().replace(' ', "-"));
        folder::make(&folder)?;
        let store = SqliteStore::open(&folder.join("client.sqlite"))?;
        let (network, system) = (hospital.party.network(), &hospital.party.system);
        let client = Client::new(store, network, system.random());
        let phone = Driver::new(client, line, network, owner.person.name.clone());
        Ok(Self { owner, folder, phone, clock: system.clock(), runtime: Handle::current() })
    }

    /// Leaves key packages with the hospital.
    pub(super) fn provision(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        Ok(self.runtime.block_on(self.phone.provision(now))?)
    }

    /// The person agrees to a channel.
    pub(super) fn join(&mut self, channel: ChannelId) -> anyhow::Result<()> {
        let now = self.clock.now();
        let joined = self.runtime.block_on(self.phone.join(channel, now));
        joined.with_context(|| format!("{} cannot join", self.owner.person.name))
    }

    /// The person says something.
    pub(super) fn say(&mut self, channel: ChannelId, text: &str) -> anyhow::Result<()> {
        let now = self.clock.now();
        Ok(self.runtime.block_on(self.phone.say(channel, &Content::Text(text.to_owned()), now))?)
    }

    /// Takes what waits and does what follows from it.
    pub(super) fn sync(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        let done = self.runtime.block_on(self.phone.sync(now));
        bear(done)
    }

    /// Listens until it is told that its part in all these channels has ended; returns when that was.
    pub(super) fn until_ended(&mut self, channels: &[ChannelId]) -> anyhow::Result<Instant> {
        let start = Instant::now();
        loop {
            let mut ended = true;
            for channel in channels {
                ended &= self.phase(*channel)? == Some(Phase::Removed);
            }
            if ended {
                return Ok(Instant::now());
            }
            anyhow::ensure!(start.elapsed() < PATIENCE, "{} is still in the channel", self.owner.person.name);
            let now = self.clock.now();
            let done = self.runtime.block_on(self.phone.wait(now));
            bear(done)?;
        }
    }

    /// Whether it is in a channel's group.
    pub(super) fn is_member(&mut self, channel: ChannelId) -> anyhow::Result<bool> {
        Ok(self.phase(channel)? == Some(Phase::Member))
    }

    fn phase(&mut self, channel: ChannelId) -> anyhow::Result<Option<Phase>> {
        Ok(self.phone.phase(channel)?)
    }

    /// The epoch of a channel's group in which it is.
    pub(super) fn epoch(&mut self, channel: ChannelId) -> anyhow::Result<u64> {
        Ok(self.phone.client().authenticator(channel)?.0)
    }

    /// How many take part in a channel.
    pub(super) fn members(&mut self, channel: ChannelId) -> anyhow::Result<usize> {
        Ok(self.phone.client().members(channel)?.len())
    }

    /// Whether a text was read in a channel, from somebody whose name is known.
    pub(super) fn has_read(&mut self, channel: ChannelId, by: &str, text: &str) -> anyhow::Result<bool> {
        let client = self.phone.client();
        for message in client.messages(channel, 0, usize::MAX)? {
            let is_it = matches!(&message.content, Some(Content::Text(said)) if said == text);
            if is_it && client.name(channel, message.from)?.as_deref() == Some(by) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Takes what came of listening; a node that cannot answer at this moment is asked again.
fn bear<T>(done: Result<T, DriverError>) -> anyhow::Result<()> {
    match done {
        Err(DriverError::Refused(refusal)) if refusal.is_passing() => thread::sleep(PAUSE),
        done => drop(done?),
    }
    Ok(())
}

/// Lets devices act at the same time, each on a thread of its own: their lines block while they listen.
pub(super) async fn each<R: Send>(
    devices: &mut [&mut Device],
    act: impl Fn(&mut Device) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let act = &act;
    let done = tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let working: Vec<_> = devices.iter_mut().map(|device| scope.spawn(move || act(device))).collect();
            let ended = working.into_iter().map(|one| one.join());
            ended.map(|one| one.unwrap_or_else(|_| anyhow::bail!("a device failed"))).collect()
        })
    });
    // Whoever waits for Ctrl-C gets a turn.
    tokio::task::yield_now().await;
    done
}

/// Lets devices work until a condition holds for each of them.
pub(super) async fn until(
    devices: &mut [&mut Device],
    what: &str,
    holds: impl Fn(&mut Device) -> anyhow::Result<bool> + Sync,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let held = each(devices, |device| {
            device.sync()?;
            holds(device)
        });
        if held.await?.into_iter().all(|held| held) {
            return Ok(());
        }
        anyhow::ensure!(start.elapsed() < PATIENCE, "it did not come about in {} s that {what}", PATIENCE.as_secs());
    }
}
