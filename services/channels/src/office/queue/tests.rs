use semblance_core::id::{ChannelId, Digest, ParticipantId, TransactionId};
use semblance_core::time::Timestamp;

use crate::limits::ANSWER_BYTES;
use crate::office::OfficeError;
use crate::tests::three;
use crate::wire::{Body, Item, Refusal};

fn item(channel: ChannelId, sequence: u64, bytes: usize) -> Item {
    let body = Body::Message(vec![0; bytes]);
    Item { channel, sequence, at: Timestamp::from_millis(1), key: Digest::of(&sequence.to_be_bytes()), body }
}

#[test]
fn one_answer_holds_so_many_bytes_and_a_revoked_device_gets_none() {
    let (mut world, channel, [clinician, ..]) = three(41);
    let (hub, device) = (world.hospitals[1].id.clone(), world.people[clinician].device);
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    let participant = office.speaker(device, channel, now).unwrap().0.participant;
    let size = 60 << 10;
    for sequence in 100..140 {
        office.step(now, |desk| desk.put_in_queues(&hub, &item(channel, sequence, size), &[participant])).unwrap();
    }
    let first = office.queue(device, 0, 1000, now).unwrap();
    assert!(first.len() > 10 && first.len() <= ANSWER_BYTES / size, "{} items", first.len());
    let rest = office.queue(device, first.last().unwrap().position, 1000, now).unwrap();
    assert!(!rest.is_empty(), "the rest comes next");
    office.revoke_device(device, now).unwrap();
    let refused = office.queue(device, 0, 1000, now);
    assert!(matches!(refused, Err(OfficeError::Refused(Refusal::NotAuthorised))), "{refused:?}");
}

#[test]
fn the_oldest_of_a_queue_that_is_too_long_goes() {
    let (mut world, channel, [clinician, ..]) = three(42);
    let (hub, device) = (world.hospitals[1].id.clone(), world.people[clinician].device);
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    let participant = office.speaker(device, channel, now).unwrap().0.participant;
    for sequence in 100..110 {
        office.step(now, |desk| desk.put_in_queues(&hub, &item(channel, sequence, 1), &[participant])).unwrap();
    }
    office.step(now, |desk| desk.trim_queue(device.as_bytes(), 3)).unwrap();
    let left: Vec<_> = office.queue(device, 0, 1000, now).unwrap().iter().map(|one| one.item.sequence).collect();
    assert_eq!(left, [107, 108, 109]);
    let held: i64 = office.connection().query_row("SELECT count(*) FROM held", [], |row| row.get(0)).unwrap();
    assert_eq!(held, 3);
}

/// Facts from before the block was read let nobody in after it, and nothing is delivered then.
#[test]
fn a_consent_that_was_withdrawn_binds_no_leaf_and_takes_nothing() {
    let (mut world, channel, [clinician, ..]) = three(43);
    let (hub, device) = (world.hospitals[1].id.clone(), world.people[clinician].device);
    let consent = world.people[clinician].consent;
    let proof =
        world.prove(clinician, channel, ParticipantId::from_bytes([9; 16]), world.hospitals[0].signing.verifying_key());
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    let participant = office.speaker(device, channel, now).unwrap().0.participant;
    office.take_block((1, now), &[(consent, TransactionId::from_bytes([1; 32]))], now).unwrap();
    let bound = office.bind_leaf(device, &proof, &hub, now);
    assert!(matches!(bound, Err(OfficeError::Refused(Refusal::Unproven))), "{bound:?}");
    // As if it had been bound at the same moment.
    office.connection().execute("UPDATE own_leaves SET state = 'open'", []).unwrap();
    let before = office.queue(device, 0, 1000, now).unwrap();
    office.step(now, |desk| desk.put_in_queues(&hub, &item(channel, 100, 1), &[participant])).unwrap();
    assert_eq!(office.queue(device, 0, 1000, now).unwrap(), before);
    assert!(matches!(before.last().unwrap().item.body, Body::Ended(_)), "that it ended is the last that comes");
}

#[test]
fn what_was_sent_waits_until_it_is_kept() {
    let (mut world, channel, [clinician, ..]) = three(74);
    let (device, now) = (world.people[clinician].device, world.now);
    let hub = world.hospitals[1].id.clone();
    let office = &mut world.hospitals[0].office;
    let (_, participant, _) = office.channels_of(device, now).unwrap().pop().unwrap();
    let before = office.queue(device, 0, 99, now).unwrap().last().map_or(0, |one| one.position);
    for sequence in 101..104 {
        office.step(now, |desk| desk.put_in_queues(&hub, &item(channel, sequence, 1), &[participant])).unwrap();
    }
    let places: Vec<_> = office.queue(device, before, 99, now).unwrap().iter().map(|one| one.position).collect();
    assert_eq!(places.len(), 3);
    // A connection goes on after what it sent; if it breaks, the device asks from where it was.
    assert_eq!(office.queue(device, places[1], 99, now).unwrap().len(), 1);
    assert_eq!(office.queue(device, before, 99, now).unwrap().len(), 3);
    office.keep_until(device, places[0]);
    assert_eq!(office.queue(device, before, 99, now).unwrap().len(), 2, "noted at once");
    office.clean(now).unwrap();
    assert_eq!(office.queue(device, before, 99, now).unwrap().len(), 2, "and written");
}
