//! What happens in a channel.

use semblance_channels::limits::PADDING;
use semblance_core::signature::SigningKey;

use crate::device::{Change, Heard};
use crate::room::{Make, Room};

/// Every way to give the parts to the two implementations, except to one alone.
fn casts(parts: u32) -> impl Iterator<Item = Vec<Make>> {
    (1..2_u32.pow(parts) - 1)
        .map(move |cast| (0..parts).map(|part| if cast >> part & 1 == 0 { Make::Ours } else { Make::Theirs }).collect())
}

#[test]
fn a_device_joins_by_a_welcome_and_everybody_talks() {
    for cast in casts(2) {
        let mut room = Room::of(&cast);
        room.talk();
        room.talk();
    }
}

#[test]
fn every_kind_of_commit_by_either_is_followed_by_the_other() {
    for cast in casts(4) {
        let mut room = Room::alone(&cast);
        room.commit(0, &[1, 2], &[]);
        room.talk();
        for committer in [1, 0, 2] {
            room.commit(committer, &[], &[]);
            room.talk();
        }
        room.commit(2, &[3], &[]);
        room.talk();
        room.commit(3, &[], &[1]);
        assert!(!room.has(1));
        room.talk();
        room.commit(0, &[1], &[2]);
        room.talk();
        room.commit(1, &[2], &[]);
        room.talk();
    }
}

#[test]
fn messages_are_read_out_of_order_and_by_ours_not_after_the_next_commit() {
    for cast in casts(2) {
        let mut room = Room::of(&cast);
        for speaker in [0, 1] {
            let said: Vec<_> = (0..5).map(|number| [number; 9].to_vec()).collect();
            let messages: Vec<_> = said.iter().map(|words| room.devices[speaker].say(words).unwrap()).collect();
            for number in [4, 0, 2, 3] {
                room.heard(speaker, &messages[number], &said[number]);
            }
            let again = room.devices[1 - speaker].hear(&messages[0]);
            assert!(again.is_err(), "a message is read once: {again:?}");
            room.commit(1 - speaker, &[], &[]);
            if matches!(cast[1 - speaker], Make::Ours) {
                let late = room.devices[1 - speaker].hear(&messages[1]);
                assert!(late.is_err(), "whoever made it may be there no more: {late:?}");
            }
        }
    }
}

#[test]
fn what_we_say_is_padded_and_read_all_the_same() {
    let mut room = Room::of(&[Make::Ours, Make::Theirs]);
    let mut lengths = [1, 20, 100, 256 + 1, 256 + 100, 512 + 50].map(|length| {
        let words = vec![b'a'; length];
        let message = room.devices[0].say(&words).unwrap();
        room.heard(0, &message, &words);
        message.len()
    });
    let shortest = lengths[0];
    lengths.iter_mut().for_each(|length| *length -= shortest);
    assert_eq!(lengths, [0, 0, 0, PADDING, PADDING, 2 * PADDING]);
}

#[test]
fn of_two_commits_at_once_the_first_counts() {
    for cast in casts(2) {
        let mut room = Room::of(&cast);
        for winner in [0, 1] {
            let change = Change { note: b"won".to_vec(), ..Change::default() };
            let lost = room.devices[1 - winner].commit(&Change::default()).unwrap();
            let made = room.devices[winner].commit(&change).unwrap();
            room.devices[1 - winner].discard();
            room.order(winner, &made, b"won");
            room.agree();
            for device in [0, 1] {
                let late = room.devices[device].hear(&lost.commit);
                assert!(late.is_err(), "a commit to an epoch that is over: {late:?}");
            }
            room.talk();
        }
    }
}

#[test]
fn the_hubs_removal_is_obeyed_whoever_commits_it() {
    for cast in casts(3) {
        for (committer, removed, told) in [(0, 2, false), (2, 0, true), (1, 2, true), (2, 1, false)] {
            let mut room = Room::of(&cast);
            room.propose_removal(removed, told);
            let said = room.devices[committer].say(b"as if nothing were");
            assert!(said.is_err(), "nothing is said while a removal is pending");
            room.commit(committer, &[], &[]);
            assert!(!room.has(removed));
            room.talk();
            let secret = room.devices[committer].say(b"among us").unwrap();
            let overheard = room.devices[removed].hear(&secret);
            assert!(overheard.is_err(), "who was removed reads nothing more: {overheard:?}");
        }
    }
}

#[test]
fn a_removal_by_anybody_else_is_refused() {
    for cast in casts(2) {
        let mut room = Room::of(&cast);
        let stranger = SigningKey::from_seed(&[201; 32]);
        let hub = room.hub.clone();
        let (forged, genuine) = (room.removal(1, &stranger), room.removal(1, &hub));
        let mut changed = genuine.clone();
        *changed.last_mut().unwrap() ^= 1;
        room.commit(0, &[], &[]);
        for (what, proposal) in [("forged", forged), ("changed", changed), ("of another epoch", genuine)] {
            for device in [0, 1] {
                let heard = room.devices[device].hear(&proposal);
                assert!(heard.is_err(), "{what}: {heard:?}");
            }
        }
        room.talk();
    }
}

#[test]
fn a_device_that_lost_its_way_joins_again_by_itself() {
    for cast in casts(3) {
        let mut room = Room::of(&cast);
        for device in [2, 0, 1] {
            let before = room.devices[(device + 1) % 3].say(b"before").unwrap();
            room.rejoin(device);
            room.talk();
            let heard = room.devices[device].hear(&before);
            assert!(heard.is_err(), "what was said before it came stays closed: {heard:?}");
            room.commit(device, &[], &[]);
            room.talk();
        }
    }
}

#[test]
fn a_key_package_of_last_resort_joins_more_than_one_group() {
    for cast in casts(2) {
        let mut room = Room::alone(&cast);
        let package = room.devices[1].key_package(true);
        for round in 0..2 {
            let change = Change { adds: vec![package.clone()], ..Change::default() };
            let made = room.devices[0].commit(&change).unwrap();
            assert_eq!(room.devices[0].hear(&made.commit), Ok(Heard::Committed(Vec::new())));
            let tree = room.devices[0].tree();
            room.devices[1].join(&made.welcome.unwrap(), &tree).unwrap();
            assert_eq!(room.devices[0].state(), room.devices[1].state(), "round {round}");
            let leaf = *room.devices[0].state().members.keys().max().unwrap();
            let gone = room.devices[0].commit(&Change { removes: vec![leaf], ..Change::default() }).unwrap();
            assert_eq!(room.devices[0].hear(&gone.commit), Ok(Heard::Committed(Vec::new())));
            assert_eq!(room.devices[1].hear(&gone.commit), Ok(Heard::Removed));
        }
    }
}
