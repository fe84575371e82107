//! What a device does not take from a hub.

use semblance_core::attestation::PersonRole;
use semblance_core::id::{ChannelId, Digest};
use semblance_core::record::Record;

use super::{now, three};
use crate::client::{Event, Phase};
use crate::limits::CLOCK_SKEW_MILLIS;
use crate::office::{OfficeError, Speaker};
use crate::testing::World;
use crate::wire::{Body, Item, Refusal, RejoinInfo};

fn speaker(world: &mut World, person: usize, channel: ChannelId) -> Speaker {
    let (hospital, device) = (world.people[person].hospital, world.people[person].device);
    world.hospitals[hospital].office.speaker(device, channel, world.now).unwrap().0
}

fn items(world: &mut World, person: usize, channel: ChannelId, first: u64) -> Vec<Item> {
    let from = speaker(world, person, channel);
    world.hospitals[1].office.items(channel, &from, first, world.now).unwrap()
}

fn rejoin_info(world: &mut World, person: usize, channel: ChannelId) -> RejoinInfo {
    let from = speaker(world, person, channel);
    world.hospitals[1].office.rejoin_info(channel, &from, world.now).unwrap()
}

fn phase(world: &mut World, person: usize, channel: ChannelId) -> Phase {
    let channels = world.people[person].client.channels().unwrap();
    channels.into_iter().find(|(one, _)| *one == channel).unwrap().1
}

/// What the colleague says, as the hub has it.
fn said(world: &mut World, [_, colleague, _]: [usize; 3], channel: ChannelId, text: &str) -> Item {
    world.say(colleague, channel, text).unwrap();
    let facts = world.facts.clone();
    world.people[colleague].client.advance(channel, &[], &facts, world.now).unwrap();
    world.submit(colleague, channel);
    items(world, colleague, channel, 1).pop().unwrap()
}

#[test]
fn nothing_that_a_hub_throws_away_passes_for_what_was_said() {
    let (mut world, channel, people) = three(51);
    let clinician = people[0];
    world.say(clinician, channel, "never delivered").unwrap();
    let facts = world.facts.clone();
    world.people[clinician].client.advance(channel, &[], &facts, world.now).unwrap();
    let (key, _) = world.people[clinician].client.outgoing(channel).unwrap().pop().unwrap();
    // Another one's message under the name of one's own: it would be shown as said, and the true one hidden.
    let item = said(&mut world, people, channel, "something else");
    let false_item = Item { key, ..item };
    let events = world.people[clinician].client.receive(&false_item, &facts, world.now).unwrap();
    assert_eq!(events, [Event::Broken]);
    assert_eq!(world.people[clinician].client.messages(channel, 0, 9).unwrap(), []);
}

#[test]
fn a_slow_clock_loses_nothing() {
    let (mut world, channel, people) = three(52);
    let item = said(&mut world, people, channel, "good morning");
    let (facts, slow) = (world.facts.clone(), now());
    let fast = Item { at: slow.plus(10 * CLOCK_SKEW_MILLIS), ..item };
    let events = world.people[people[0]].client.receive(&fast, &facts, slow).unwrap();
    let [Event::Message(message)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(message.at, slow.plus(CLOCK_SKEW_MILLIS), "no later than it can be");
    assert_eq!(phase(&mut world, people[0], channel), Phase::Member);
}

#[test]
fn a_hub_cannot_date_an_item_back() {
    let (mut world, channel, people) = three(53);
    let first = said(&mut world, people, channel, "one");
    let facts = world.facts.clone();
    world.people[people[0]].client.receive(&first, &facts, world.now).unwrap();
    world.now = world.now.plus(1_000);
    let second = said(&mut world, people, channel, "two");
    let back = Item { at: semblance_core::time::Timestamp::from_millis(0), ..second };
    let events = world.people[people[0]].client.receive(&back, &facts, world.now).unwrap();
    let [Event::Message(message)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(message.at, first.at);
}

#[test]
fn without_facts_a_commit_waits_and_breaks_nothing() {
    let (mut world, channel, people) = three(54);
    assert!(world.people[people[1]].client.refresh(channel).unwrap());
    world.submit(people[1], channel);
    let commit = items(&mut world, people[0], channel, 1).pop().unwrap();
    assert!(matches!(commit.body, Body::Commit(_)));
    let nothing = crate::wire::Facts::default();
    let now = world.now;
    let client = &mut world.people[people[0]].client;
    client.receive(&commit, &nothing, now).unwrap_err();
    assert_eq!(phase(&mut world, people[0], channel), Phase::Member);
    let facts = world.facts.clone();
    world.people[people[0]].client.receive(&commit, &facts, now).unwrap();
    assert_eq!(phase(&mut world, people[0], channel), Phase::Member);
}

#[test]
fn an_old_group_does_not_bring_back_who_was_removed() {
    let (mut world, channel, people) = three(55);
    let [clinician, colleague, patient] = people;
    let old = rejoin_info(&mut world, clinician, channel);
    world.leave(patient, channel).unwrap();
    assert!(world.settle(channel, 20));
    assert_eq!(world.people[clinician].client.members(channel).unwrap().len(), 2);
    let (facts, now) = (world.facts.clone(), world.now);
    // The hub shows the group as it was, with the one who left.
    let refused = world.people[clinician].client.rejoin(channel, &old, None, &facts, now);
    assert!(refused.unwrap_err().to_string().contains("left behind"));
    let present = rejoin_info(&mut world, clinician, channel);
    world.people[clinician].client.rejoin(channel, &present, None, &facts, now).unwrap();
    world.submit(clinician, channel);
    assert!(world.settle(channel, 20));
    assert_eq!(
        world.people[clinician].client.authenticator(channel).unwrap(),
        world.people[colleague].client.authenticator(channel).unwrap()
    );
}

#[test]
fn a_gap_is_fetched_or_the_device_joins_again() {
    let (mut world, channel, people) = three(56);
    let first = said(&mut world, people, channel, "one");
    let second = said(&mut world, people, channel, "two");
    let (facts, now) = (world.facts.clone(), world.now);
    let client = &mut world.people[people[0]].client;
    client.receive(&second, &facts, now).unwrap_err();
    assert_eq!(client.next(channel).unwrap(), first.sequence);
    assert_eq!(client.lost(channel).unwrap(), [Event::Broken]);
    let info = rejoin_info(&mut world, people[0], channel);
    world.people[people[0]].client.rejoin(channel, &info, None, &facts, now).unwrap();
    world.submit(people[0], channel);
    assert!(world.settle(channel, 20));
    assert_eq!(phase(&mut world, people[0], channel), Phase::Member);
}

#[test]
fn two_waiting_leaves_with_one_key_stop_nobody() {
    let (mut world, channel, people) = three(57);
    let consent = world.people[people[0]].consent;
    let twin = world.person(0, consent, PersonRole::Clinician, 2);
    let charter = world.hospitals[1].office.charter(channel, world.now).unwrap();
    world.agree(twin, &charter);
    world.admit(twin, channel).unwrap();
    let from = speaker(&mut world, people[1], channel);
    let now = world.now;
    let admission = world.hospitals[1].office.admissions(channel, &from, now).unwrap().remove(0);
    let both = vec![admission.clone(), admission];
    // A member is given the same leaf twice, as by two hospitals that share a key.
    let facts = world.facts.clone();
    assert!(world.people[people[1]].client.advance(channel, &both, &facts, now).unwrap());
    world.submit(people[1], channel);
    assert!(world.settle(channel, 20));
    assert_eq!(world.people[people[1]].client.members(channel).unwrap().len(), 4);
}

#[test]
fn clinicians_are_no_patients() {
    let mut world = World::new([58; 32], 2, now());
    let (own, other) = (world.consent(0), world.consent(1));
    let charter = world.open_group(0, own);
    let first = world.person(0, own, PersonRole::Patient, 2);
    let channel = world.create(first, &charter);
    world.submit(first, channel);
    let of_hub = world.person(0, own, PersonRole::Clinician, 2);
    let elsewhere = world.person(1, other, PersonRole::Clinician, 2);
    for person in [of_hub, elsewhere] {
        world.agree(person, &charter);
    }
    world.admit(of_hub, channel).unwrap();
    let refused = world.admit(elsewhere, channel);
    assert!(matches!(refused, Err(OfficeError::Refused(Refusal::Unproven))), "{refused:?}");
}

#[test]
fn an_item_is_known_by_its_bytes_and_nothing_else() {
    let (mut world, channel, people) = three(59);
    let item = said(&mut world, people, channel, "hello");
    let Body::Message(bytes) = &item.body else { panic!("a message") };
    assert_eq!(item.key, Digest::of(bytes));
    assert_eq!(Item::decode(&item.encode()).unwrap(), item);
}

#[test]
fn who_was_added_asleep_is_not_the_first_to_be_asked_for_work() {
    let mut world = World::new([58; 32], 2, now());
    let (asker, found) = (world.consent(0), world.consent(1));
    let charter = world.open_match(1, &[asker, found]);
    let colleague = world.person(1, found, PersonRole::Clinician, 1);
    let channel = world.create(colleague, &charter);
    world.submit(colleague, channel);
    // More sleepers than members are asked at a time.
    for _ in 0..5 {
        let sleeper = world.person(0, asker, PersonRole::Clinician, 1);
        world.admit(sleeper, channel).unwrap();
    }
    world.advance(colleague, channel);
    world.submit(colleague, channel);
    while world.pull(colleague) {}
    assert_eq!(world.people[colleague].client.members(channel).unwrap().len(), 6);
    let late = world.person(0, asker, PersonRole::Clinician, 1);
    world.admit(late, channel).unwrap();
    let (device, kept) = (world.people[colleague].device, world.people[colleague].kept);
    let waiting = world.hospitals[1].office.queue(device, kept, 9, world.now).unwrap();
    assert!(waiting.iter().any(|one| one.item.body == Body::Work), "the one who is there is asked: {waiting:?}");
}
