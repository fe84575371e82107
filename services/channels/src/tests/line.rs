//! What a driver does with a node, or a hub behind it, that answers what it likes.

use futures::executor::block_on;
use semblance_core::id::{ChannelId, Digest};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::{three, three_and_charter};
use crate::client::{Client, Content, Event, Phase};
use crate::driver::{Driver, DriverError, Line};
use crate::limits::ATTACHMENT_BYTES_MAX;
use crate::store::{KeyValue, MemoryStore, Readable, Store, StoreError};
use crate::testing::{NETWORK, World};
use crate::wire::{Answer, Body, DeviceCall, Facts, Item, Refusal};

/// Has these items and no others, whatever follows from them.
struct Liar {
    facts: Facts,
    /// What the hub has.
    items: Vec<Item>,
    /// What comes by the queue.
    queue: Vec<(u64, Item)>,
    asked: usize,
}

impl Liar {
    fn new(world: &World, items: Vec<Item>) -> Self {
        Self { facts: world.facts.clone(), items, queue: Vec::new(), asked: 0 }
    }
}

impl Line for Liar {
    async fn call(&mut self, call: DeviceCall) -> Result<Answer, Refusal> {
        match call {
            DeviceCall::Facts(_) => Ok(Answer::Facts(self.facts.clone())),
            DeviceCall::Items(_, first) => {
                self.asked += 1;
                let items = self.items.iter().filter(|item| item.sequence >= first);
                Ok(Answer::Items(items.cloned().collect()))
            }
            DeviceCall::Admissions(_) => Ok(Answer::Admissions(Vec::new())),
            DeviceCall::Submit(..) => Err(Refusal::WrongEpoch),
            DeviceCall::Kept(_) => Ok(Answer::Done),
            _ => Err(Refusal::Failed),
        }
    }

    async fn listen(&mut self, after: u64, _wait: bool) -> Result<Vec<(u64, Item)>, Refusal> {
        Ok(self.queue.iter().filter(|(position, _)| *position > after).cloned().collect())
    }
}

fn item(channel: ChannelId, sequence: u64, body: Body) -> Item {
    let key = match &body {
        Body::Message(bytes) => Digest::of(bytes),
        other => Digest::of(&other.encode()),
    };
    Item { channel, sequence, at: Timestamp::from_millis(1), key, body }
}

/// A member of a channel misses something and asks its hub, which answers so.
fn ask(seed: u8, answer: impl FnOnce(ChannelId, u64) -> Vec<Item>) -> (Vec<String>, usize, Phase) {
    let (mut world, channel, [clinician, ..]) = three(seed);
    world.people[clinician].client.note_missing(channel, None).unwrap();
    ask_again(world, channel, clinician, answer)
}

/// The same of a member who noted before that something is missing.
fn ask_again(
    mut world: World,
    channel: ChannelId,
    clinician: usize,
    answer: impl FnOnce(ChannelId, u64) -> Vec<Item>,
) -> (Vec<String>, usize, Phase) {
    let empty = Client::new(MemoryStore::default(), NETWORK, world.random.clone());
    let mut client = std::mem::replace(&mut world.people[clinician].client, empty);
    let next = client.next(channel).unwrap();
    let line = Liar::new(&world, answer(channel, next));
    let mut driver = Driver::new(client, line, NETWORK, "somebody".to_owned());
    block_on(driver.sync(world.now)).unwrap();
    let troubles = driver.troubles().into_iter().map(|(_, trouble)| trouble.to_string()).collect();
    (troubles, driver.line().asked, driver.phase(channel).unwrap().unwrap())
}

#[test]
fn a_hub_has_no_say_in_another_channel() {
    let other = ChannelId::from_bytes([9; 16]);
    let (troubles, _, phase) = ask(91, |channel, next| {
        let message = |channel, next| item(channel, next, Body::Message(vec![1]));
        vec![message(channel, next), message(other, next + 1)]
    });
    assert_eq!((troubles, phase), (vec![DriverError::Answer.to_string()], Phase::Member));
}

#[test]
fn a_hub_that_answers_with_calls_for_work_or_gaps_is_not_asked_for_ever() {
    let (troubles, asked, _) = ask(92, |channel, next| vec![item(channel, next, Body::Work)]);
    assert_eq!((troubles.len(), asked), (1, 1));
    let (troubles, asked, _) =
        ask(93, |channel, next| [next, next + 2].map(|next| item(channel, next, Body::Message(vec![1]))).to_vec());
    assert_eq!((troubles.len(), asked), (1, 1));
}

#[test]
fn what_came_by_the_queue_meanwhile_is_not_lost_because_the_hub_has_nothing_more() {
    // How many places beyond the next are known to be taken, whether the next comes, and what then is believed.
    let cases = [(94, 0, false, Phase::Broken), (95, 0, true, Phase::Member), (90, 1, true, Phase::Broken)];
    for (seed, beyond, comes, after) in cases {
        let (mut world, channel, [clinician, colleague, _]) = three(seed);
        let client = &mut world.people[clinician].client;
        let seen = client.next(channel).unwrap() + beyond;
        client.note_missing(channel, Some(seen)).unwrap();
        if comes {
            world.say(colleague, channel, "hello").unwrap();
            world.advance(colleague, channel);
            world.relay(1);
            assert!(world.pull(clinician));
        }
        let (_, asked, phase) = ask_again(world, channel, clinician, |_, _| Vec::new());
        assert_eq!((asked, phase), (1, after), "{beyond} beyond the next, which comes: {comes}");
    }
}

/// A hub that has given a later place away cannot say that nothing follows.
#[test]
fn a_place_that_was_seen_is_not_forgotten_because_the_one_before_comes() {
    for (seed, later, after) in [(106, true, Phase::Broken), (107, false, Phase::Member)] {
        let (mut world, channel, [clinician, colleague, _]) = three(seed);
        let next = world.people[clinician].client.next(channel).unwrap();
        world.say(colleague, channel, "hello").unwrap();
        world.advance(colleague, channel);
        world.relay(1);
        let (device, now) = (world.people[clinician].device, world.now);
        let queued = world.hospitals[0].office.queue(device, 0, 64, now).unwrap();
        let hello = queued.into_iter().map(|one| one.item).find(|item| item.sequence == next).unwrap();
        let mut line = Liar::new(&world, Vec::new());
        if later {
            line.queue.push((1, item(channel, next + 1, Body::Message(vec![1]))));
        }
        line.queue.push((2, hello));
        let empty = Client::new(MemoryStore::default(), NETWORK, world.random.clone());
        let client = std::mem::replace(&mut world.people[clinician].client, empty);
        let mut driver = Driver::new(client, line, NETWORK, "somebody".to_owned());
        block_on(driver.sync(now)).unwrap();
        assert_eq!(driver.phase(channel).unwrap(), Some(after), "a later place was seen: {later}");
    }
}

#[test]
fn a_file_larger_than_one_may_be_is_not_even_begun() {
    let (mut world, channel, [clinician, ..]) = three(108);
    let empty = Client::new(MemoryStore::default(), NETWORK, world.random.clone());
    let client = std::mem::replace(&mut world.people[clinician].client, empty);
    let line = Liar::new(&world, Vec::new());
    let mut driver = Driver::new(client, line, NETWORK, "somebody".to_owned());
    let bytes = vec![0; ATTACHMENT_BYTES_MAX as usize + 1];
    let mut attach = |bytes: &[u8]| block_on(driver.attach(channel, ("scan", bytes), world.random.as_ref(), world.now));
    assert!(matches!(attach(&bytes), Err(DriverError::Refused(Refusal::TooLarge))));
    assert!(matches!(attach(&bytes[1..]), Err(DriverError::Refused(Refusal::Failed))), "this line takes no pieces");
}

/// A bit of a disk that has turned concerns the channel whose state it was in, and no other. It is joined again, unless the
/// device does not know any more who it was in it.
#[test]
fn what_cannot_be_read_concerns_one_channel() {
    // Rows of the MLS group, the channel, the roster, what is to be said, what is on its way, and the device's own leaf.
    let cases: [(u8, &[u8], Phase); 6] = [
        (109, b"m", Phase::Broken),
        (110, b"cc", Phase::Broken),
        (114, b"cr", Phase::Broken),
        (115, b"cw", Phase::Broken),
        (116, b"co", Phase::Broken),
        (117, b"cl", Phase::Removed),
    ];
    for (seed, prefix, after) in cases {
        let (mut world, channel, [clinician, colleague, _], charter) = three_and_charter(seed);
        let (name, now) = (String::from_utf8_lossy(prefix), world.now);
        let consents = [clinician, colleague].map(|person| world.people[person].consent);
        let second = world.open_match(1, &consents);
        let other = world.create(colleague, &second);
        world.submit(colleague, other);
        world.agree(clinician, &second);
        world.admit(clinician, other).unwrap();
        assert!(world.settle(other, 20));
        world.say(colleague, other, "over here").unwrap();
        world.advance(colleague, other);
        world.relay(1);
        // Something is on its way.
        let client = &mut world.people[clinician].client;
        client.say(channel, &Content::Text("hello".to_owned())).unwrap();
        client.advance(channel, &[], &world.facts, now).unwrap();
        let mut store = client.store().clone();
        let damaged = store.transact(|rows| {
            let found = rows.scan(prefix, usize::MAX)?;
            // As it stands in our keys, and as MessagePack writes it in those of MLS state.
            let numbers =
                channel.as_bytes().iter().flat_map(|byte| if *byte < 128 { vec![*byte] } else { vec![0xcc, *byte] });
            let names = [channel.as_bytes().to_vec(), numbers.collect()];
            let is_in = |key: &[u8], name: &Vec<u8>| key.windows(name.len()).any(|part| part == name);
            let found = found.iter().filter(|(key, _)| names.iter().any(|name| is_in(key, name)));
            found.map(|(key, _)| rows.put(key, b"nonsense").map(|()| 1)).sum::<Result<usize, StoreError>>()
        });
        assert!(damaged.unwrap() > 0, "{name}");
        let mut line = Liar::new(&world, Vec::new());
        let (device, kept) = (world.people[clinician].device, world.people[clinician].kept);
        let queued = world.hospitals[0].office.queue(device, kept, 64, now).unwrap();
        line.queue = queued.into_iter().map(|one| (one.position, one.item)).collect();
        let mut driver = Driver::new(Client::new(store, NETWORK, world.random.clone()), line, NETWORK, "me".to_owned());
        let heard = block_on(driver.sync(now)).unwrap();
        let over_here = |(one, event): &(ChannelId, Event)| *one == other && matches!(event, Event::Message(_));
        assert!(heard.iter().any(over_here), "{name}: {heard:?}");
        block_on(driver.sync(now)).unwrap();
        assert_eq!(driver.phase(channel).unwrap(), Some(after), "{name}");
        assert_eq!(driver.phase(other).unwrap(), Some(Phase::Member), "{name}");
        let mut client = driver.into_client();
        if prefix == b"cc" {
            client.agree(&charter, &world.facts).unwrap();
        }
        world.people[clinician].client = client;
        if prefix == b"cc" {
            assert!(world.rejoin(clinician, channel));
        }
        if after == Phase::Removed {
            continue;
        }
        for _ in 0..2 {
            world.settle(channel, 20);
            world.now = world.now.plus(61_000);
        }
        world.say(clinician, channel, "and again").unwrap();
        assert!(world.settle(channel, 20), "{name}");
        let read = world.texts(colleague, channel);
        assert_eq!(read.last().map(String::as_str), Some("and again"), "{name}: {read:?}");
    }
}

/// What was read while something was said is told by the next step, once.
#[test]
fn what_happens_while_something_is_said_is_told_by_the_next_step() {
    let (mut world, channel, [clinician, colleague, _]) = three(97);
    world.say(colleague, channel, "hello").unwrap();
    world.advance(colleague, channel);
    let now = world.now;
    let speaker = world.hospitals[0].office.speaker(world.people[clinician].device, channel, now).unwrap().0;
    let mut client = std::mem::replace(
        &mut world.people[clinician].client,
        Client::new(MemoryStore::default(), NETWORK, world.random.clone()),
    );
    client.note_missing(channel, None).unwrap();
    let next = client.next(channel).unwrap();
    let items = world.hospitals[1].office.items(channel, &speaker, next, now).unwrap();
    assert_eq!(items.len(), 1);
    let mut driver = Driver::new(client, Liar::new(&world, items), NETWORK, "somebody".to_owned());
    block_on(driver.say(channel, &Content::Text("and you".to_owned()), now)).unwrap();
    let heard = |events: Vec<(ChannelId, Event)>| {
        let texts = events.into_iter().filter_map(|(_, event)| match event {
            Event::Message(message) => message.content,
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    let told = heard(block_on(driver.sync(now)).unwrap());
    assert_eq!(told, [Content::Text("hello".to_owned())]);
    assert_eq!(heard(block_on(driver.sync(now)).unwrap()), []);
}
