//! Members' devices and what they say to one another over three hospitals' nodes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::try_join_all;
use semblance_channels::client::Content;
use semblance_channels::driver::Driver;
use semblance_channels::limits::ITEMS_MAX;
use semblance_channels::node::ChannelService;
use semblance_channels::office::Device;
use semblance_channels::store::Store;
use semblance_channels::testing::{NETWORK, ServiceLine};
use semblance_channels::wire::{Body, DeviceCall, Facts, Submission};
use semblance_core::attestation::PersonRole;
use semblance_core::id::ChannelId;
use semblance_core::record::Record;
use semblance_core::time::{Clock as _, Timestamp};
use tokio::sync::Notify;

use super::group::{Group, PAUSE};
use super::nodes::Nodes;
use super::talk::{TEXT, Talk, texts};
use crate::measure::{Cost, process_seconds, thread_seconds};

/// How long a message may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A member's device on its line to its hospital's node.
struct Phone<S> {
    driver: Driver<S, ServiceLine>,
    service: ChannelService,
    device: Device,
    hospital: usize,
    bell: Arc<Notify>,
}

/// Members' devices, led side by side on one thread.
pub(crate) struct Crowd<S> {
    nodes: Nodes,
    phones: Vec<Phone<S>>,
    facts: Facts,
    channel: ChannelId,
    /// All members, those among them who are not there.
    size: usize,
}

impl<S: Store> Crowd<S> {
    /// The members of a group that are there, each now on its line to a node.
    pub(crate) fn of(group: Group<S>) -> anyhow::Result<Self> {
        let Group { town, members, size, .. } = group;
        let devices: Vec<_> = members.into_iter().map(|one| (one.papers, one.driver.into_client())).collect();
        let town = Rc::into_inner(town).context("a device still holds its line")?.into_inner();
        let (channel, facts) = (town.channel, town.world.facts.clone());
        let nodes = Nodes::start(town)?;
        let mut phones = Vec::new();
        for (papers, client) in devices {
            let service = nodes.services.get(papers.hospital).context("no such hospital")?.clone();
            let device = Device { device: papers.device, person: "somebody".to_owned(), role: PersonRole::Patient };
            let line = ServiceLine::of(service.clone(), device.clone());
            let driver = Driver::new(client, line, NETWORK, "somebody".to_owned());
            let bell = service.bell(papers.device);
            phones.push(Phone { driver, service, device, hospital: papers.hospital, bell });
        }
        let mut crowd = Self { nodes, phones, facts, channel, size };
        crowd.sync()?;
        Ok(crowd)
    }

    /// Everybody does what is to be done at first.
    fn sync(&mut self) -> anyhow::Result<()> {
        let now = self.nodes.clock.now();
        let all = self.phones.iter_mut().map(|phone| async move { phone.driver.sync(now).await.map(drop) });
        self.nodes.runtime.block_on(try_join_all(all))?;
        Ok(())
    }

    /// So many rounds, in each of which so many members say something at the same time, and everybody there reads it.
    pub(crate) fn talk(&mut self, rounds: usize, at_once: usize) -> anyhow::Result<Talk> {
        let (mut talk, there) = (Talk::default(), self.phones.len());
        let absent = self.size as f64 / there as f64 - 1.0;
        for round in 0..rounds {
            // Nobody says more than they may in a minute.
            self.nodes.clock.pass(PAUSE * at_once.div_ceil(there) as u64);
            let (channel, clock) = (self.channel, &self.nodes.clock);
            let speakers: Vec<usize> = (0..at_once).map(|number| (round * at_once + number) % there).collect();
            let (start, process, thread) = (Instant::now(), process_seconds(), thread_seconds());
            let all = self.phones.iter_mut().enumerate().map(|(place, phone)| {
                let says = speakers.iter().filter(|speaker| **speaker == place).count();
                async move {
                    for _ in 0..says {
                        phone.driver.say(channel, &Content::Text(TEXT.to_owned()), clock.now()).await?;
                    }
                    let read = phone.read(at_once, start, || clock.now()).await;
                    read.with_context(|| format!("member {place} in round {round}")).map(|read| (says == 0, read))
                }
            });
            let all = self.nodes.runtime.block_on(try_join_all(all))?;
            let devices = thread_seconds() - thread;
            let (wall, cpu) = (start.elapsed().as_secs_f64(), process_seconds() - process);
            for (_, read) in all.into_iter().filter(|(listens, _)| *listens) {
                read.into_iter().for_each(|seconds| talk.way.push(seconds));
            }
            let whole = Cost { wall: wall + devices * absent, cpu: cpu + devices * absent };
            talk.whole.push(whole.times(1.0 / at_once as f64));
        }
        Ok(talk)
    }

    /// Messages a second that a hub takes and carries, until all are in the queue of a device at every hospital where one
    /// is there; and the bytes of one.
    pub(crate) fn rate(&mut self, messages: usize) -> anyhow::Result<(f64, usize)> {
        let there = self.phones.len();
        self.nodes.clock.pass(60_000);
        let mut calls: Vec<Vec<Submission>> = (0..there).map(|_| Vec::new()).collect();
        for number in 0..messages {
            let place = number % there;
            let (Some(phone), Some(calls)) = (self.phones.get_mut(place), calls.get_mut(place)) else { continue };
            calls.push(phone.prepare(self.channel, &self.facts, self.nodes.clock.now())?);
        }
        let bytes = calls.iter().flatten().next().map_or(0, |submission| submission.encode().len());
        let (channel, start) = (self.channel, Instant::now());
        let hand_in = self.phones.iter().zip(calls).map(|(phone, calls)| async move {
            for submission in calls {
                phone.service.ask(&phone.device, DeviceCall::Submit(channel, submission)).await?;
            }
            anyhow::Ok(())
        });
        let mut homes = BTreeMap::new();
        self.phones.iter().for_each(|phone| _ = homes.entry(phone.hospital).or_insert(phone));
        let arrive = homes.into_values().map(|phone| phone.wait_for(messages));
        self.nodes.runtime.block_on(async { futures::try_join!(try_join_all(hand_in), try_join_all(arrive)) })?;
        Ok((messages as f64 / start.elapsed().as_secs_f64(), bytes))
    }
}

impl<S: Store> Phone<S> {
    /// Reads so many messages; says how many seconds after the start each was read.
    async fn read(&mut self, messages: usize, start: Instant, now: impl Fn() -> Timestamp) -> anyhow::Result<Vec<f64>> {
        let mut read = Vec::new();
        loop {
            // Listen before looking, or what comes in between is heard too late.
            let mut rung = std::pin::pin!(self.bell.notified());
            rung.as_mut().enable();
            let events = self.driver.sync(now()).await?;
            let seconds = start.elapsed().as_secs_f64();
            read.extend(std::iter::repeat_n(seconds, texts(&events)));
            if read.len() >= messages {
                anyhow::ensure!(read.len() == messages, "read {} of {messages} messages", read.len());
                return Ok(read);
            }
            let rung = tokio::time::timeout(PATIENCE, rung).await;
            rung.with_context(|| format!("read {} of {messages} messages and no more came", read.len()))?;
        }
    }

    /// Says something and keeps it, encrypted as it would be handed in.
    fn prepare(&mut self, channel: ChannelId, facts: &Facts, now: Timestamp) -> anyhow::Result<Submission> {
        let client = self.driver.client();
        client.say(channel, &Content::Text(TEXT.to_owned()))?;
        client.advance(channel, &[], facts, now)?;
        let (key, submission) = client.outgoing(channel)?.pop().context("nothing is to be handed in")?;
        client.answered(channel, key, Ok(()))?;
        Ok(submission)
    }

    /// Waits until so many messages are in the device's queue.
    async fn wait_for(&self, messages: usize) -> anyhow::Result<()> {
        let (mut waiting, mut after) = (0, 0);
        loop {
            let mut rung = std::pin::pin!(self.bell.notified());
            rung.as_mut().enable();
            let queued = self.service.queue(&self.device, after, ITEMS_MAX).await?;
            waiting += queued.iter().filter(|one| matches!(one.item.body, Body::Message(_))).count();
            after = queued.last().map_or(after, |last| last.position);
            if waiting >= messages {
                return Ok(());
            }
            if queued.len() < ITEMS_MAX {
                tokio::time::timeout(PATIENCE, rung).await.context("not all of the messages came")?;
            }
        }
    }
}
