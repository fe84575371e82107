//! A device whose store fails at any read or write, or at the end of any transaction.

use std::cell::Cell;

use semblance_core::attestation::PersonRole;
use semblance_core::id::ChannelId;

use super::three_and_charter;
use crate::client::{Client, ClientError, Content, Event};
use crate::office::Queued;
use crate::store::{KeyValue, MemoryStore, MemoryTransaction, Readable, Row, Seen, Store, StoreError};
use crate::testing::{NETWORK, World};

/// A store that fails once, after so many reads, writes and transactions.
struct Flaky {
    inner: MemoryStore,
    left: Cell<usize>,
}

fn count(left: &Cell<usize>) -> Result<(), StoreError> {
    left.set(left.get().wrapping_sub(1));
    if left.get() == 0 { Err(StoreError::Failed("on purpose".to_owned())) } else { Ok(()) }
}

/// What a transaction of a flaky store sees.
struct FlakyRows<'a> {
    inner: &'a MemoryTransaction<'a>,
    left: &'a Cell<usize>,
}

impl Readable for FlakyRows<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        count(self.left)?;
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        count(self.left)?;
        self.inner.scan(prefix, limit)
    }
}

impl KeyValue for FlakyRows<'_> {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        count(self.left)?;
        self.inner.put(key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        count(self.left)?;
        self.inner.delete(key)
    }
}

impl Store for Flaky {
    type Rows<'a> = FlakyRows<'a>;

    fn transact<R, E: From<StoreError>>(
        &mut self,
        change: impl FnOnce(&Self::Rows<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let left = &self.left;
        self.inner.transact(|inner| {
            let result = change(&FlakyRows { inner, left })?;
            count(left)?;
            Ok(result)
        })
    }

    fn look<R, E: From<StoreError>>(
        &mut self,
        look: impl FnOnce(&Seen<'_, Self::Rows<'_>>) -> Result<R, E>,
    ) -> Result<R, E> {
        let left = &self.left;
        self.inner.transact(|inner| look(&Seen::of(&FlakyRows { inner, left })))
    }
}

/// What came for a device while it slept: somebody spoke, somebody came in, somebody spoke again, somebody went.
fn missed(seed: u8) -> (World, ChannelId, MemoryStore, Vec<Queued>) {
    let (mut world, channel, [clinician, colleague, patient], charter) = three_and_charter(seed);
    let sleeper = std::mem::replace(
        &mut world.people[clinician].client,
        Client::new(MemoryStore::default(), NETWORK, world.random.clone()),
    );
    let (consent, mut others) = (world.people[colleague].consent, vec![colleague, patient]);
    let newcomer = world.person(1, consent, PersonRole::Clinician, 1);
    for step in 0..4 {
        match step {
            0 | 2 => world.say(colleague, channel, &format!("step {step}")).unwrap(),
            1 => {
                world.agree(newcomer, &charter);
                world.admit(newcomer, channel).unwrap();
                others.push(newcomer);
            }
            _ => world.leave(patient, channel).unwrap(),
        }
        for _ in 0..6 {
            for person in &others {
                while world.pull(*person) {}
                if world.phase(*person, channel).is_some() {
                    world.advance(*person, channel);
                }
            }
        }
    }
    world.relay(1);
    let (device, now) = (world.people[clinician].device, world.now);
    let queued = world.hospitals[0].office.queue(device, 0, 64, now).unwrap();
    (world, channel, sleeper.into_store(), queued)
}

/// What a device has in the end: members, texts, where its queue is kept to, and its group.
type End = (usize, Vec<String>, u64, (u64, Vec<u8>), Vec<Event>);

/// Takes all that was missed, and says something, with a store that fails at one access; how many there were.
fn take(world: &World, channel: ChannelId, store: MemoryStore, queued: &[Queued], fails: usize) -> (End, usize) {
    let store = Flaky { inner: store, left: Cell::new(fails) };
    let mut client = Client::new(store, NETWORK, world.random.clone());
    let mut events = Vec::new();
    let mut failures = 0;
    let mut again = |result: Result<Vec<Event>, ClientError>| match result {
        Ok(happened) => {
            events.extend(happened);
            false
        }
        Err(ClientError::Store(_)) => {
            failures += 1;
            true
        }
        Err(error) => panic!("{error}"),
    };
    for one in queued {
        while again(client.receive_queued(one.position, &one.item, &world.facts, world.now)) {}
    }
    let content = Content::Text("good morning".to_owned());
    while again(client.say(channel, &content).map(|()| Vec::new())) {}
    while again(client.advance(channel, &[], &world.facts, world.now).map(|_| Vec::new())) {}
    assert_eq!(failures, usize::from(fails != usize::MAX), "each failure is told");
    let accesses = fails.wrapping_sub(client.store().left.replace(usize::MAX));
    assert_eq!(client.outgoing(channel).unwrap().len(), 1, "it is said once");
    let messages = client.messages(channel, 0, usize::MAX).unwrap();
    let texts = messages.into_iter().filter_map(|message| match message.content {
        Some(Content::Text(text)) => Some(text),
        _ => None,
    });
    let end = (
        client.members(channel).unwrap().len(),
        texts.collect(),
        client.kept().unwrap(),
        client.authenticator(channel).unwrap(),
        events,
    );
    (end, accesses)
}

#[test]
fn a_store_that_fails_anywhere_leaves_nothing_behind_that_the_next_try_does_not_mend() {
    let (world, channel, store, queued) = missed(96);
    let (whole, accesses) = take(&world, channel, store.clone(), &queued, usize::MAX);
    assert_eq!((whole.0, whole.1.as_slice()), (3, &["step 0".to_owned(), "step 2".to_owned()][..]));
    assert_eq!(whole.2, queued.last().unwrap().position);
    assert!(accesses > 50, "{accesses} accesses");
    for fails in 1..=accesses {
        let (end, _) = take(&world, channel, store.clone(), &queued, fails);
        assert_eq!(end, whole, "the store failed at access {fails}");
    }
}
