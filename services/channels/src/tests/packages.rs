//! The directory of key packages over months.

use semblance_core::attestation::PersonRole;
use semblance_core::id::ParticipantId;
use semblance_core::time::Timestamp;

use super::now;
use crate::limits::{KEY_PACKAGE_MILLIS, KEY_PACKAGES_MAX, KEY_PACKAGES_WANTED, QUEUE_MILLIS};
use crate::office::{Office, OfficeError};
use crate::testing::World;
use crate::wire::Refusal;

const DAY: u64 = 86_400_000;

fn world(seed: u8, packages: usize) -> (World, usize) {
    let mut world = World::new([seed; 32], 1, now());
    let consent = world.consent(0);
    let person = world.person(0, consent, PersonRole::Clinician, packages);
    (world, person)
}

fn left(world: &mut World, person: usize) -> u64 {
    let (device, now) = (world.people[person].device, world.now);
    world.hospitals[0].office.packages_left(device, now).unwrap()
}

fn set_expires(office: &Office, filter: &str, at: Timestamp) {
    let at = i64::try_from(at.millis()).unwrap();
    office.connection().execute(&format!("UPDATE key_packages SET expires = ?1 WHERE {filter}"), [at]).unwrap();
}

#[test]
fn what_has_expired_does_not_count() {
    let (mut world, person) = world(51, 0);
    for _ in 0..4 {
        world.stock(person, KEY_PACKAGES_MAX, false, KEY_PACKAGE_MILLIS);
        assert_eq!(left(&mut world, person), KEY_PACKAGES_MAX as u64);
        set_expires(&world.hospitals[0].office, "last_resort = 0", world.now);
        assert_eq!(left(&mut world, person), 0);
    }
    let mut one_too_many = 0;
    world.stock(person, KEY_PACKAGES_MAX, false, KEY_PACKAGE_MILLIS);
    let made = world.people[person].client.key_packages(1, false, KEY_PACKAGE_MILLIS, world.now).unwrap();
    for package in made {
        let upload = crate::wire::KeyPackageUpload { bytes: package.bytes, last_resort: false };
        let kept = world.hospitals[0].office.upload(world.people[person].device, &[upload], world.now);
        one_too_many += usize::from(matches!(kept, Err(OfficeError::Refused(Refusal::TooMany))));
    }
    assert_eq!(one_too_many, 1, "the limit stands");
}

#[test]
fn none_is_handed_out_that_could_expire_while_members_sleep() {
    let (mut world, person) = world(52, 3);
    let charter = world.open_group(0, world.people[person].consent);
    let channel = world.agree(person, &charter);
    let (device, now) = (world.people[person].device, world.now);
    set_expires(&world.hospitals[0].office, "true", now.plus(QUEUE_MILLIS - DAY));
    assert_eq!(left(&mut world, person), 0);
    let none = world.hospitals[0].office.next_package(device, channel, now);
    assert!(matches!(none, Err(OfficeError::Refused(Refusal::NoKeyPackage))), "{none:?}");
    world.stock(person, 1, true, KEY_PACKAGE_MILLIS);
    assert_eq!(left(&mut world, person), 1);
    world.hospitals[0].office.next_package(device, channel, now).unwrap();
}

/// Home and hub agree from when on a key package is too old to be added.
#[test]
fn who_waited_until_their_key_package_was_too_old_comes_in_with_another() {
    let (mut world, colleague) = world(55, 1);
    let consent = world.people[colleague].consent;
    let charter = world.open_match(0, &[consent]);
    let channel = world.create(colleague, &charter);
    world.submit(colleague, channel);
    let person = world.person(0, consent, PersonRole::Clinician, 0);
    world.stock(person, 1, false, QUEUE_MILLIS + 2 * DAY);
    world.stock(person, 1, false, KEY_PACKAGE_MILLIS);
    world.agree(person, &charter);
    world.admit(person, channel).unwrap();
    assert_eq!(world.admissions(colleague, channel).len(), 1);
    // For the last day nobody is sent to a hub with it any more; who waits there still waits.
    world.now = world.now.plus(DAY + DAY / 2);
    world.admit(person, channel).unwrap();
    assert_eq!(world.admissions(colleague, channel).len(), 1);
    world.now = world.now.plus(DAY);
    assert!(world.admissions(colleague, channel).is_empty());
    world.admit(person, channel).unwrap();
    assert_eq!(world.admissions(colleague, channel).len(), 1, "with another");
    assert!(world.settle(channel, 20));
    assert_eq!(world.people[colleague].client.members(channel).unwrap().len(), 2);
}

#[test]
fn the_one_of_last_resort_is_renewed_in_time() {
    let (mut world, person) = world(53, KEY_PACKAGES_WANTED);
    assert_eq!(left(&mut world, person), KEY_PACKAGES_WANTED as u64);
    set_expires(&world.hospitals[0].office, "last_resort = 1", world.now.plus(QUEUE_MILLIS - DAY));
    assert_eq!(left(&mut world, person), 0, "the device is told to bring a new one");
    world.stock(person, KEY_PACKAGES_WANTED, true, KEY_PACKAGE_MILLIS);
    let left = left(&mut world, person);
    assert!((KEY_PACKAGES_WANTED as u64..=KEY_PACKAGES_MAX as u64).contains(&left), "older ones make room: {left}");
}

#[test]
fn a_leaf_whose_key_package_has_expired_makes_room_for_another() {
    let (mut world, person) = world(54, 2);
    let charter = world.open_group(0, world.people[person].consent);
    let channel = world.agree(person, &charter);
    world.admit(person, channel).ok();
    let (device, now) = (world.people[person].device, world.now);
    let office = &mut world.hospitals[0].office;
    let first = bound(office, world.people[person].device, channel, now).unwrap();
    assert_eq!(office.next_package(device, channel, now).unwrap().participant, first);
    set_expires(office, "handed_out > 0", now);
    office.clean(now.plus(1)).unwrap();
    assert_eq!(
        bound(office, device, channel, now),
        Some(first),
        "a leaf is known for what it is as long as it is open"
    );
    let second = office.next_package(device, channel, now).unwrap().participant;
    assert_ne!(first, second);
    assert_eq!(bound(office, device, channel, now), None, "the old leaf is closed");
    office.clean(now.plus(1)).unwrap();
    let kept: i64 = office.connection().query_row("SELECT count(*) FROM key_packages", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 2, "and its key package goes");
}

fn bound(
    office: &mut Office,
    device: crate::office::DeviceId,
    channel: semblance_core::id::ChannelId,
    now: Timestamp,
) -> Option<ParticipantId> {
    office.bound(device, channel, now).unwrap().map(|(participant, _)| participant)
}
