use semblance_core::id::{ChannelId, Digest, ParticipantId};
use semblance_core::time::Timestamp;

use super::raise_numbers;
use crate::limits::QUEUE_MILLIS;
use crate::office::Office;
use crate::testing::World;
use crate::tests::{now, three};
use crate::wire::{Body, Item};

const CHANNEL: ChannelId = ChannelId::from_bytes([4; 16]);

fn item(number: u8, body: Body) -> Item {
    let at = Timestamp::from_millis(u64::from(number));
    Item { channel: CHANNEL, sequence: u64::from(number), at, key: Digest::of(&[number]), body }
}

fn send(office: &mut Office, item: &Item, now: Timestamp) {
    let to = vec![ParticipantId::from_bytes([1; 16])];
    office.step(now, |desk| desk.send("south", item, to)).unwrap();
}

fn kinds(office: &Office) -> Vec<String> {
    let mut statement = office.connection().prepare("SELECT kind FROM outbox ORDER BY number").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn count(office: &Office, sql: &str) -> i64 {
    office.connection().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A hub whose channel is frozen, with members here and at a hospital that is away.
fn frozen(seed: u8) -> World {
    let (world, channel, _) = three(seed);
    // Somebody of whom nobody can find a key package, and who waits for ever.
    world.hospitals[1]
        .office
        .connection()
        .execute(
            "INSERT INTO leaves (channel, participant, hospital, consent, proof, state, since, seen)
             SELECT channel, ?2, hospital, consent, proof, 'pending', 0, 0 FROM leaves WHERE channel = ?1 LIMIT 1",
            rusqlite::params![channel.as_bytes(), [7_u8; 16]],
        )
        .unwrap();
    world
}

#[test]
fn a_call_for_work_waits_once_for_each() {
    let mut world = frozen(31);
    for _ in 0..20 {
        world.now = world.now.plus(700_000);
        let now = world.now;
        world.hospitals[1].office.press(now).unwrap();
    }
    let office = &world.hospitals[1].office;
    assert_eq!(kinds(office), ["work"], "one delivery, however often members are asked");
    assert_eq!(count(office, "SELECT count(*) FROM held"), 1, "one item here, too");
}

#[test]
fn members_are_asked_less_and_less_often() {
    let mut world = frozen(32);
    let times = "SELECT times FROM pressed";
    for _ in 0..100 {
        let now = world.now;
        world.hospitals[1].office.press(now).unwrap();
    }
    assert_eq!(count(&world.hospitals[1].office, times), 13, "then there is a pause");
    for (millis, expected) in [(5_001, 14), (5_001, 14), (5_001, 15), (15_000, 15), (5_001, 16)] {
        world.now = world.now.plus(millis);
        let now = world.now;
        world.hospitals[1].office.press(now).unwrap();
        assert_eq!(count(&world.hospitals[1].office, times), expected, "{millis} ms later");
    }
}

#[test]
fn what_waits_too_long_is_dropped_but_not_that_a_device_left() {
    let mut world = World::new([33; 32], 1, now());
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    let ended = crate::wire::Ground::ConsentEnded {
        consent: semblance_core::id::ConsentId::from_bytes([3; 16]),
        transaction: None,
    };
    for body in [Body::Work, Body::Message(vec![1]), Body::Commit(vec![2]), Body::Ended(ended)] {
        send(office, &item(1, body), now);
    }
    office.clean(now.plus(QUEUE_MILLIS - 1000)).unwrap();
    assert_eq!(kinds(office), ["work", "message", "other", "ended"]);
    office.clean(now.plus(QUEUE_MILLIS + 1000)).unwrap();
    assert_eq!(kinds(office), ["ended"]);
}

#[test]
fn what_is_too_much_goes_with_what_can_be_had_in_another_way_first() {
    let mut world = World::new([34; 32], 1, now());
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    let bodies = [Body::Commit(vec![0]), Body::Work, Body::Message(vec![2]), Body::Message(vec![3])];
    for (number, body) in (0..).zip(bodies) {
        send(office, &item(number, body), now);
    }
    for (most, expected) in
        [(4, &["other", "work", "message", "message"][..]), (2, &["other", "message"]), (1, &["other"])]
    {
        office.step(now, |desk| desk.trim_outbox(most)).unwrap();
        assert_eq!(kinds(office), expected);
    }
}

/// What peers and devices have noted must not be reached again by a database that came back from a backup.
#[test]
fn numbers_rise_above_all_that_were_ever_given() {
    let mut world = World::new([35; 32], 1, now());
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    for later in [now, now.plus(1), now] {
        raise_numbers(office.connection(), later).unwrap();
        send(office, &item(1, Body::Message(vec![1])), now);
    }
    let numbers = "SELECT min(number) > ?1, max(number) > ?1 + 1000, count(*) FROM outbox";
    let least = i64::try_from(now.millis() * 1000).unwrap();
    let found = office.connection().query_row(numbers, [least], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    assert_eq!(found, Ok((true, true, 3)));
}

#[test]
fn what_a_peer_kept_is_not_offered_again_even_before_that_is_written() {
    let mut world = World::new([36; 32], 1, now());
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    let peer = semblance_core::id::OrganisationId::new("south").unwrap();
    for number in 1..=3 {
        send(office, &item(number, Body::Message(vec![number])), now);
    }
    let numbers = |office: &mut Office| -> Vec<u64> {
        office.outbound(&peer, 9, now).unwrap().into_iter().map(|one| one.number).collect()
    };
    let all = numbers(office);
    office.acknowledged(&peer, all[1]);
    assert_eq!(count(office, "SELECT count(*) FROM outbox"), 3, "nothing has been written since");
    assert_eq!(numbers(office), all[2..]);
    office.acknowledged(&peer, all[0]);
    assert_eq!(numbers(office), all[2..], "an answer that comes late takes nothing back");
    office.acknowledged(&peer, all[2]);
    assert!(office.peers(now).unwrap().is_empty());
    send(office, &item(4, Body::Message(vec![4])), now);
    assert_eq!(count(office, "SELECT count(*) FROM outbox"), 1, "it went with the next transaction");
    assert_eq!(office.peers(now).unwrap(), [peer]);
}
