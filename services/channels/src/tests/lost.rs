//! Devices that are lost or leave, what a hub hears of it later, and on which ground it removes.

use semblance_core::attestation::LeafRevocation;
use semblance_core::id::{ChannelId, ParticipantId, TransactionId};
use semblance_core::signature::{SignedBytes, Statement};

use super::three;
use crate::client::Phase;
use crate::office::OfficeError;
use crate::testing::{NETWORK, World};
use crate::wire::{Body, Ground, Refusal};

fn signer(world: &World, hospital: usize) -> impl Fn(ChannelId, ParticipantId) -> SignedBytes + use<> {
    let (signing, time) = (world.hospitals[hospital].signing.clone(), world.now);
    let hospital = world.hospitals[hospital].id.clone();
    move |channel, participant| {
        let revocation = LeafRevocation { network: NETWORK, channel, hospital: hospital.clone(), participant, time };
        revocation.sign(&signing).into_parts().1
    }
}

/// Tells the hub what it has not heard yet.
fn tell(world: &mut World, home: usize, hub: usize) -> usize {
    let (now, from, to) = (world.now, world.hospitals[home].id.clone(), world.hospitals[hub].id.clone());
    let waiting = world.hospitals[home].office.revocations(&to, now).unwrap();
    for ((channel, participant, _), revocation) in &waiting {
        world.hospitals[hub].office.revoke(&from, revocation, &world.facts, now).unwrap();
        world.hospitals[home].office.revocation_heard(*channel, *participant, now).unwrap();
    }
    assert!(world.hospitals[home].office.hubs_to_tell(now).unwrap().is_empty());
    waiting.len()
}

#[test]
fn a_lost_device_is_served_no_more_and_removed_as_soon_as_the_hub_hears() {
    let (mut world, channel, [clinician, colleague, _]) = three(61);
    let (device, now, sign) = (world.people[clinician].device, world.now, signer(&world, 0));
    let home = &mut world.hospitals[0].office;
    assert!(!home.lose_device(crate::office::DeviceId::from_bytes([0; 16]), &sign, now).unwrap(), "nobody's");
    assert!(home.lose_device(device, &sign, now).unwrap());
    assert!(home.channels_of(device, now).unwrap().is_empty());
    assert!(matches!(home.queue(device, 0, 10, now), Err(OfficeError::Refused(Refusal::NotAuthorised))));
    assert!(!home.list_devices("person-0", now).unwrap()[0].2);
    for table in ["queue", "key_packages"] {
        let sql = format!("SELECT count(*) FROM {table} WHERE device = ?1");
        let rows: i64 = home.connection().query_row(&sql, [device.as_bytes()], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    // The hub was away; it hears of it later, and again.
    assert_eq!(tell(&mut world, 0, 1), 1);
    assert_eq!(tell(&mut world, 0, 1), 0);
    assert!(world.settle(channel, 30));
    assert_eq!(world.people[colleague].client.members(channel).unwrap().len(), 2, "the hub had it removed");
}

#[test]
fn a_device_that_leaves_while_the_hub_is_away_is_out_at_once() {
    let (mut world, channel, [clinician, colleague, _]) = three(62);
    let (device, now, sign) = (world.people[clinician].device, world.now, signer(&world, 0));
    world.hospitals[0].office.leave(device, channel, &sign, now).unwrap();
    let again = world.hospitals[0].office.leave(device, channel, &sign, now);
    assert!(matches!(again, Err(OfficeError::Refused(Refusal::NotMember))), "{again:?}");
    world.pull(clinician);
    assert_eq!(world.phase(clinician, channel), Some(Phase::Removed), "its own node tells it");
    assert_eq!(tell(&mut world, 0, 1), 1);
    assert!(world.settle(channel, 30));
    assert_eq!(world.people[colleague].client.members(channel).unwrap().len(), 2);
}

/// A removal that was proposed before it was known by what the consent was withdrawn stands on the withdrawal as soon as
/// its block is read: whoever did not believe the first comes back and finds the second.
#[test]
fn a_removal_without_a_transaction_gets_its_ground_when_the_block_is_read() {
    let (mut world, channel, [_, _, patient]) = three(63);
    let (consent, now) = (world.people[patient].consent, world.now);
    let transaction = TransactionId::from_bytes([6; 32]);
    let hub = &mut world.hospitals[1].office;
    hub.end_consent(consent, None, now).unwrap();
    hub.take_block((3, now), &[(consent, transaction)], now).unwrap();
    let known = Ground::ConsentEnded { consent, transaction: Some(transaction) };
    let mut writer = semblance_core::encode::Writer::default();
    known.write(&mut writer);
    let sql = "SELECT count(*) FROM leaves WHERE state = 'cut' AND ground != ?1";
    let lesser: i64 = hub.connection().query_row(sql, [writer.finish()], |row| row.get(0)).unwrap();
    assert_eq!(lesser, 0, "every leaf that is cut cites it");
    let mut statement =
        hub.connection().prepare("SELECT body FROM items WHERE channel = ?1 ORDER BY sequence").unwrap();
    let rows = statement.query_map([channel.as_bytes()], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let bodies = rows.map(|row| <Body as semblance_core::record::Record>::decode(&row.unwrap()).unwrap());
    let removals: Vec<_> =
        bodies.filter_map(|body| if let Body::Removal { ground, .. } = body { Some(ground) } else { None }).collect();
    assert_eq!(removals, [known.clone(), known], "the removals of both that rested on it");
}
