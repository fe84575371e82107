//! Proofs of leaves, one by one and many at once.

use semblance_core::attestation::LeafProof;
use semblance_core::id::ChannelId;
use semblance_core::signature::SigningKey;

use super::three;
use crate::mls;
use crate::testing::{NETWORK, World};
use crate::wire::{Body, Facts};

/// The proofs of all leaves, as a hub gives them to whoever joins again.
fn proofs(world: &mut World, channel: ChannelId, person: usize) -> Vec<LeafProof> {
    let (now, device, home) = (world.now, world.people[person].device, world.people[person].hospital);
    let speaker = world.hospitals[home].office.speaker(device, channel, now).unwrap().0;
    world.hospitals[1].office.rejoin_info(channel, &speaker, now).unwrap().roster
}

/// Whether all proofs are believed at once, and how many are one by one.
fn believed(facts: &Facts, proofs: &[LeafProof]) -> (bool, usize) {
    let claims: Vec<_> = proofs.iter().map(|proof| proof.claim(NETWORK).unwrap()).collect();
    (facts.prove_all(&claims), claims.iter().filter(|claim| facts.prove(claim).is_some()).count())
}

#[test]
fn proofs_are_believed_at_once_where_each_would_be_alone() {
    let (mut world, channel, [clinician, _, patient]) = three(98);
    let proofs = proofs(&mut world, channel, clinician);
    let stranger = SigningKey::from_seed(&[9; 32]).verifying_key();
    let (north, south) = (world.hospitals[0].id.clone(), world.hospitals[1].id.clone());
    assert_eq!(believed(&world.facts, &proofs), (true, 3));

    let mut replaced = world.facts.clone();
    replaced.hospitals.get_mut(&south).unwrap().insert(0, stranger);
    assert_eq!(believed(&replaced, &proofs), (true, 3), "the key before this one vouches too");
    replaced.hospitals.insert(south.clone(), vec![stranger, stranger]);
    assert_eq!(believed(&replaced, &proofs), (false, 1), "neither key is the one");

    let mut other = world.facts.clone();
    other.hospitals.insert(north.clone(), vec![stranger]);
    assert_eq!(believed(&other, &proofs), (false, 2));
    other.hospitals.remove(&north);
    assert_eq!(believed(&other, &proofs), (false, 2), "no member");
    other.hospitals.insert(north.clone(), Vec::new());
    assert_eq!(believed(&other, &proofs), (false, 2), "no key");

    let (mut foreign, consent) = (world.facts.clone(), world.people[patient].consent);
    foreign.consents.get_mut(&consent).unwrap().hospital = north;
    assert_eq!(believed(&foreign, &proofs), (false, 1), "another hospital's consent");
    let mut keyless = world.facts.clone();
    keyless.consents.get_mut(&consent).unwrap().patient_key = stranger;
    assert_eq!(believed(&keyless, &proofs), (false, 2), "the patient did not pledge; a clinician need not");
    keyless.consents.remove(&consent);
    assert_eq!(believed(&keyless, &proofs), (false, 1));
}

#[test]
fn a_handshake_message_is_one_that_the_hub_can_read() {
    let (mut world, channel, [_, colleague, _]) = three(99);
    world.say(colleague, channel, "hello").unwrap();
    assert!(world.settle(channel, 20));
    let (now, device) = (world.now, world.people[colleague].device);
    let speaker = world.hospitals[1].office.speaker(device, channel, now).unwrap().0;
    let items = world.hospitals[1].office.items(channel, &speaker, 1, now).unwrap();
    let (mut commits, mut messages) = (0, 0);
    for item in items {
        match item.body {
            Body::Commit(bytes) => {
                mls::read_handshake(&bytes, channel).unwrap();
                let other = ChannelId::from_bytes([1; 16]);
                assert!(mls::read_handshake(&bytes, other).is_err(), "of another channel");
                commits += 1;
            }
            Body::Message(bytes) => {
                assert!(mls::read_protocol(&bytes, channel).is_ok());
                let refused = mls::read_handshake(&bytes, channel).unwrap_err();
                assert_eq!(refused.why, "it is encrypted");
                messages += 1;
            }
            _ => {}
        }
    }
    assert!(commits > 0 && messages > 0);
}
