//! What a hub and a home refuse.

use semblance_core::attestation::PersonRole;
use semblance_core::id::ChannelId;

use super::{now, three};
use crate::client::{Client, ClientError, Content, Phase};
use crate::limits::{MESSAGE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::office::{OfficeError, Speaker};
use crate::store::MemoryStore;
use crate::testing::{NETWORK, World};
use crate::wire::{Body, Refusal, Submission};

fn speaker(world: &mut World, person: usize, channel: ChannelId) -> Speaker {
    let (hospital, device) = (world.people[person].hospital, world.people[person].device);
    world.hospitals[hospital].office.speaker(device, channel, world.now).unwrap().0
}

fn submit(world: &mut World, channel: ChannelId, from: Speaker, submission: Submission) -> Result<u64, Refusal> {
    let facts = world.facts.clone();
    let mut taken = world.hospitals[1].office.submit(vec![(channel, from, submission)], &facts, world.now).unwrap();
    taken.pop().unwrap().map_err(|error| error.refusal())
}

/// The message that a device would hand in next.
fn message(world: &mut World, person: usize, channel: ChannelId, text: &str) -> Submission {
    world.say(person, channel, text).unwrap();
    let facts = world.facts.clone();
    world.people[person].client.advance(channel, &[], &facts, world.now).unwrap();
    world.people[person].client.outgoing(channel).unwrap().pop().unwrap().1
}

#[test]
fn the_same_bytes_have_one_place_and_are_their_senders() {
    let (mut world, channel, [clinician, colleague, _]) = three(11);
    let said = message(&mut world, clinician, channel, "once");
    let from = speaker(&mut world, clinician, channel);
    let place = submit(&mut world, channel, from.clone(), said.clone()).unwrap();
    assert_eq!(submit(&mut world, channel, from, said.clone()), Ok(place));
    let other = speaker(&mut world, colleague, channel);
    assert_eq!(submit(&mut world, channel, other, said), Err(Refusal::NotAuthorised));
}

#[test]
fn nobody_speaks_for_another_hospitals_device_or_without_a_leaf() {
    let (mut world, channel, [clinician, colleague, _]) = three(12);
    let said = message(&mut world, clinician, channel, "hello");
    let from = speaker(&mut world, clinician, channel);
    let other = speaker(&mut world, colleague, channel);
    let forged = Speaker { hospital: other.hospital, participant: from.participant };
    assert_eq!(submit(&mut world, channel, forged, said.clone()), Err(Refusal::NotMember));
    let unknown = ChannelId::from_bytes([9; 16]);
    assert_eq!(submit(&mut world, unknown, from, said), Err(Refusal::UnknownChannel));
}

#[test]
fn a_device_says_sixty_things_a_minute() {
    let (mut world, channel, [clinician, ..]) = three(13);
    let from = speaker(&mut world, clinician, channel);
    let mut refused = None;
    for number in 0..70 {
        let said = message(&mut world, clinician, channel, &format!("{number}"));
        let key = said.key();
        match submit(&mut world, channel, from.clone(), said) {
            Ok(_) => world.people[clinician].client.answered(channel, key, Ok(())).unwrap(),
            Err(refusal) => {
                refused = Some((number, refusal));
                break;
            }
        }
    }
    assert_eq!(refused, Some((60, Refusal::TooMany)));
    world.now = world.now.plus(61_000);
    let waiting = world.people[clinician].client.outgoing(channel).unwrap().pop().unwrap().1;
    assert!(submit(&mut world, channel, from, waiting).is_ok(), "a minute later it goes on");
}

#[test]
fn a_message_has_sixty_four_kibibytes_at_most() {
    let (mut world, channel, [clinician, colleague, _]) = three(104);
    let from = speaker(&mut world, clinician, channel);
    let noise = |bytes| Submission::Message(vec![0; bytes]);
    assert_eq!(submit(&mut world, channel, from.clone(), noise(MESSAGE_BYTES_MAX + 1)), Err(Refusal::TooLarge));
    assert_eq!(submit(&mut world, channel, from, noise(MESSAGE_BYTES_MAX)), Err(Refusal::Malformed));
    let longest = "a".repeat(TEXT_BYTES_MAX);
    let too_long = world.say(clinician, channel, &format!("{longest}a"));
    assert!(matches!(too_long, Err(ClientError::Content)), "{too_long:?}");
    world.say(clinician, channel, &longest).unwrap();
    assert!(world.settle(channel, 20));
    assert_eq!(world.texts(colleague, channel), [longest]);
}

#[test]
fn a_key_package_is_handed_out_once() {
    let mut world = World::new([14; 32], 1, now());
    let consent = world.consent(0);
    let person = world.person(0, consent, PersonRole::Patient, 2);
    let device = world.people[person].device;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let charter = world.open_group(0, consent);
        let channel = world.agree(person, &charter);
        let hub = world.hospitals[0].id.clone();
        let next = world.hospitals[0].office.next_package(device, channel, world.now).unwrap();
        let proof = world.prove(person, channel, next.participant, next.leaf_key);
        let given = world.hospitals[0].office.hand_out(device, channel, &hub, &next, proof.clone(), world.now).unwrap();
        let again = world.hospitals[0].office.hand_out(device, channel, &hub, &next, proof, world.now).unwrap();
        assert_eq!(given, again, "the same channel gets the same");
        seen.push(given.key_package);
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2]);
    assert_eq!(seen[2], seen[3], "the one of last resort, when no other is left");
}

#[test]
fn a_proof_of_one_channel_opens_no_other() {
    let (mut world, channel, [clinician, ..]) = three(15);
    let consent = world.people[clinician].consent;
    let other = world.open_match(1, &[consent]);
    let elsewhere = world.agree(clinician, &other);
    let device = world.people[clinician].device;
    let hub = world.hospitals[1].id.clone();
    let next = world.hospitals[0].office.next_package(device, elsewhere, world.now).unwrap();
    let proof = world.prove(clinician, channel, next.participant, next.leaf_key);
    let mut admission = world.hospitals[0].office.hand_out(device, elsewhere, &hub, &next, proof, world.now).unwrap();
    admission.channel = elsewhere;
    let (home, facts) = (world.hospitals[0].id.clone(), world.facts.clone());
    let refused = world.hospitals[1].office.admit(&home, &admission, &facts, world.now);
    assert!(matches!(refused, Err(OfficeError::Refused(Refusal::Unproven))), "{refused:?}");
}

#[test]
fn a_hub_lets_nobody_in_on_a_consent_that_ended_or_does_not_belong() {
    let (mut world, channel, _) = three(16);
    let stranger = world.consent(0);
    let charter = world.hospitals[1].office.charter(channel, world.now).unwrap();
    let uninvited = world.person(0, stranger, PersonRole::Patient, 2);
    world.agree(uninvited, &charter);
    let refused = world.admit(uninvited, channel);
    assert!(matches!(refused, Err(OfficeError::Refused(Refusal::Unproven))), "not among the charter's: {refused:?}");
}

#[test]
fn nothing_is_said_while_a_removal_is_pending_and_no_commit_leaves_it_out() {
    let (mut world, channel, [clinician, _, patient]) = three(17);
    let said = message(&mut world, clinician, channel, "before");
    let consent = world.people[patient].consent;
    world.withdraw(consent);
    let from = speaker(&mut world, clinician, channel);
    assert_eq!(submit(&mut world, channel, from.clone(), said), Err(Refusal::MustCommit));
    // A commit made by a device that has not heard of the removal yet.
    assert!(world.people[clinician].client.refresh(channel).unwrap());
    let outgoing = world.people[clinician].client.outgoing(channel).unwrap();
    let (_, commit) = outgoing.into_iter().find(|(_, one)| matches!(one, Submission::Commit(_))).unwrap();
    assert_eq!(submit(&mut world, channel, from, commit), Err(Refusal::MustCommit));
}

#[test]
fn a_removed_devices_stored_keys_open_no_later_message() {
    let (mut world, channel, [clinician, _, patient]) = three(18);
    let stolen: MemoryStore = world.people[patient].client.store().clone();
    let consent = world.people[patient].consent;
    world.withdraw(consent);
    world.say(clinician, channel, "only for who is left").unwrap();
    assert!(world.settle(channel, 30));
    // Somebody copied the device before, and gets hold of everything that the hub ever delivered.
    let mut thief = Client::new(stolen, NETWORK, world.random.clone());
    let from = speaker(&mut world, clinician, channel);
    let items = world.hospitals[1].office.items(channel, &from, 1, world.now).unwrap();
    let facts = world.facts.clone();
    let (mut seen, mut phase) = (0, None);
    for item in items {
        let _ = thief.receive(&item, &facts, world.now);
        seen += usize::from(matches!(item.body, Body::Message(_)));
        phase = thief.channels().unwrap().pop().map(|(_, phase)| phase);
    }
    assert!(seen > 0 && phase != Some(Phase::Member));
    let said = Content::Text("only for who is left".to_owned());
    let read = thief.messages(channel, 0, usize::MAX).unwrap();
    assert!(read.iter().all(|message| message.content.as_ref() != Some(&said)));
    // Nor do the raw messages open with any secret that the device had.
    let rows: Vec<_> = thief.store().rows().map(|(_, value)| value.to_vec()).collect();
    assert!(rows.iter().all(|row| !row.windows(20).any(|window| window == &b"only for who is left"[..])));
}

/// A hub whose disk fails for a moment has not judged what it was given: the same is taken when it works again.
#[test]
fn a_hub_whose_rows_cannot_be_written_refuses_nothing_for_good() {
    let (mut world, channel, [clinician, colleague, _]) = three(89);
    let (consent, now) = (world.people[clinician].consent, world.now);
    let newcomer = world.person(0, consent, PersonRole::Clinician, 1);
    world.admit(newcomer, channel).unwrap();
    let admissions = world.admissions(colleague, channel);
    let client = &mut world.people[colleague].client;
    client.advance(channel, &admissions, &world.facts, now).unwrap();
    let submission = client.outgoing(channel).unwrap().pop().unwrap().1;
    assert!(matches!(submission, Submission::Commit(_)));
    let speaker = speaker(&mut world, colleague, channel);
    let mut hand_in = |sql: &str| {
        let office = &mut world.hospitals[1].office;
        office.connection().execute_batch(sql).unwrap();
        office.submit(vec![(channel, speaker.clone(), submission.clone())], &world.facts, now).unwrap().pop().unwrap()
    };
    let failing = "CREATE TRIGGER failing BEFORE INSERT ON rows BEGIN SELECT RAISE(FAIL, 'on purpose'); END";
    let failed = hand_in(failing);
    assert!(matches!(failed, Err(OfficeError::Store(_))), "{failed:?}");
    hand_in("DROP TRIGGER failing").unwrap();
}
