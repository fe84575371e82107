//! The corpus from which fuzzing begins: every kind of everything once.

use std::collections::BTreeMap;

use semblance_channels::client::Content;
use semblance_channels::office::Delivery;
use semblance_channels::testing::{World, organisation};
use semblance_channels::wire::{
    Admission, Answer, Body, Charter, Commit, ConsentFact, Creation, DeviceCall, Facts, Ground, HubCall, Item,
    KeyPackageUpload, Note, Offer, Opening, Piece, Refusal, RejoinInfo, Submission, WelcomePackage,
};
use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafProof, LeafRevocation, PersonRole};
use semblance_core::channel::{ChannelOpening, GroupOpening, Hub};
use semblance_core::consent::{Scope, Scopes};
use semblance_core::encode::Writer;
use semblance_core::id::{ChannelId, ConsentId, Digest, IntroductionId, ParticipantId, TransactionId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, SigningKey, Statement, VerifyingKey};
use semblance_core::time::{Clock, Timestamp};

use super::calls::CHANNELS_NETWORK as NETWORK;
use crate::permissions::assert_complete;
use crate::world::Wall;

const CHANNEL: ChannelId = ChannelId::from_bytes([5; 16]);
const CONSENT: ConsentId = ConsentId::from_bytes([6; 16]);
const PARTICIPANT: ParticipantId = ParticipantId::from_bytes([8; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn signing(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn key(seed: u8) -> VerifyingKey {
    signing(seed).verifying_key()
}

fn proof(role: PersonRole) -> LeafProof {
    let attestation = LeafAttestation {
        network: NETWORK,
        channel: CHANNEL,
        hospital: organisation("north"),
        participant: PARTICIPANT,
        leaf_key: key(3),
        role,
        consent: CONSENT,
        expires: NOW.plus(1000),
    };
    let pledge = LeafPledge { network: NETWORK, consent: CONSENT, leaf_key: key(3) };
    LeafProof {
        attestation: attestation.sign(&signing(1)).into_parts().1,
        pledge: (role == PersonRole::Patient).then(|| pledge.sign(&signing(2)).into_parts().1),
    }
}

fn revocation() -> SignedBytes {
    let (network, channel, hospital) = (NETWORK, CHANNEL, organisation("north"));
    let revocation = LeafRevocation { network, channel, hospital, participant: PARTICIPANT, time: NOW };
    revocation.sign(&signing(1)).into_parts().1
}

fn hub(consents: Vec<Digest>) -> Hub {
    Hub { channel: CHANNEL, hub: organisation("south"), hub_key: key(4), fence: 1, consents, time: NOW }
}

pub(super) fn charter() -> Charter {
    let consent = ConsentOpening { consent: CONSENT, salt: [9; 32] };
    let opening = ChannelOpening {
        network: NETWORK,
        hub: hub(vec![consent.commitment(NETWORK)]),
        introduction: IntroductionId::from_bytes([10; 16]),
        patients_alone: false,
    };
    Charter { opening: Opening::Channel(opening.sign(&signing(1)).into_parts().1), consents: vec![consent] }
}

fn group_charter() -> Charter {
    let consent = ConsentOpening { consent: CONSENT, salt: [9; 32] };
    let topic = Digest::of(b"a topic");
    let hub = hub(vec![consent.commitment(NETWORK)]);
    let opening = GroupOpening { network: NETWORK, hub, topic, topics: topic };
    Charter { opening: Opening::Group(opening.sign(&signing(1)).into_parts().1), consents: Vec::new() }
}

fn fact(withdrawn: bool) -> ConsentFact {
    ConsentFact {
        hospital: organisation("north"),
        patient_key: key(2),
        scopes: Scopes::new(&[Scope::BeContacted]).unwrap(),
        expires: NOW.plus(1000),
        withdrawn: withdrawn.then(|| (TransactionId::from_bytes([11; 32]), NOW)),
    }
}

pub(super) fn facts() -> Facts {
    let hospitals = [("north", vec![key(1)]), ("south", vec![key(4), key(5)])];
    let consents = [(CONSENT, fact(false)), (ConsentId::from_bytes([7; 16]), fact(true))];
    Facts {
        hospitals: hospitals.map(|(name, keys)| (organisation(name), keys)).into(),
        consents: BTreeMap::from(consents),
    }
}

/// As [`facts`], each time with two of something in the wrong order, or the same twice.
pub(super) fn disordered_facts() -> Vec<Vec<u8>> {
    let hospital = |writer: &mut Writer, name: &str| {
        organisation(name).write(writer);
        key(1).write(writer.count(1));
    };
    let consent = |writer: &mut Writer, seed: u8| {
        ConsentId::from_bytes([seed; 16]).write(writer);
        organisation("north").write(writer);
        key(2).write(writer);
        Scopes::new(&[Scope::BeContacted]).unwrap().write(writer);
        NOW.write(writer);
        writer.bool(false);
    };
    let made = |names: [&str; 2], seeds: [u8; 2]| {
        let mut writer = Writer::record(Facts::VERSION);
        writer.count(2);
        names.iter().for_each(|name| hospital(&mut writer, name));
        writer.count(2);
        seeds.iter().for_each(|seed| consent(&mut writer, *seed));
        writer.finish()
    };
    assert!(Facts::decode(&made(["north", "south"], [6, 7])).is_ok(), "the layout is the one that is read");
    vec![
        made(["south", "north"], [6, 7]),
        made(["north", "north"], [6, 7]),
        made(["north", "south"], [7, 6]),
        made(["north", "south"], [6, 6]),
    ]
}

fn piece() -> Piece {
    Piece { digest: Digest::of(b"scan"), size: 4, number: 0, bytes: b"scan".to_vec() }
}

fn submissions() -> [(&'static str, Submission); 4] {
    let commit = |welcome| Commit { commit: b"commit".to_vec(), welcome, group_info: b"info".to_vec() };
    let creation =
        Creation { group_info: b"info".to_vec(), tree: b"tree".to_vec(), proof: proof(PersonRole::Clinician) };
    [
        ("create", Submission::Create(creation)),
        ("commit", Submission::Commit(commit(None))),
        ("commit-with-welcome", Submission::Commit(commit(Some(b"welcome".to_vec())))),
        ("message", Submission::Message(b"message".to_vec())),
    ]
}

fn admission() -> Admission {
    Admission { channel: CHANNEL, key_package: b"package".to_vec(), proof: proof(PersonRole::Patient) }
}

fn rejoin() -> RejoinInfo {
    let roster = vec![proof(PersonRole::Clinician), proof(PersonRole::Patient)];
    RejoinInfo { group_info: b"info".to_vec(), tree: b"tree".to_vec(), roster, sequence: 12 }
}

fn bodies() -> [(&'static str, Body); 9] {
    let ended = |transaction| Ground::ConsentEnded { consent: CONSENT, transaction };
    let withdrawn = ended(Some(TransactionId::from_bytes([11; 32])));
    let welcome = |group_info: &[u8]| {
        let (welcome, tree, roster) = (b"welcome".to_vec(), b"tree".to_vec(), vec![proof(PersonRole::Clinician)]);
        Body::Welcome(WelcomePackage { welcome, tree, roster, group_info: group_info.to_vec() })
    };
    [
        ("commit", Body::Commit(b"commit".to_vec())),
        ("removal", Body::Removal { proposal: b"proposal".to_vec(), ground: withdrawn }),
        ("message", Body::Message(b"message".to_vec())),
        ("welcome", welcome(b"")),
        ("welcome-with-group-info", welcome(b"info")),
        ("work", Body::Work),
        ("expired", Body::Ended(ended(None))),
        ("left", Body::Ended(Ground::Revoked(revocation()))),
        (
            "removal-of-one-who-left",
            Body::Removal { proposal: b"proposal".to_vec(), ground: Ground::Revoked(revocation()) },
        ),
    ]
}

fn item(body: Body) -> Item {
    Item { channel: CHANNEL, sequence: 3, at: NOW, key: Digest::of(b"item"), body }
}

fn delivery(body: Body) -> Delivery {
    Delivery { item: item(body), to: vec![PARTICIPANT, ParticipantId::from_bytes([9; 16])] }
}

fn device_calls() -> Vec<DeviceCall> {
    let package = |last_resort| KeyPackageUpload { bytes: b"package".to_vec(), last_resort };
    let mut calls = vec![
        DeviceCall::Offers,
        DeviceCall::Upload(vec![package(false), package(true)]),
        DeviceCall::PackagesLeft,
        DeviceCall::Join { channel: CHANNEL, participant: PARTICIPANT, leaf_key: key(3) },
        DeviceCall::Items(CHANNEL, 7),
        DeviceCall::Admissions(CHANNEL),
        DeviceCall::Rejoin(CHANNEL),
        DeviceCall::Leave(CHANNEL),
        DeviceCall::Facts(vec![CONSENT]),
        DeviceCall::Kept(8),
        DeviceCall::PutPiece(CHANNEL, piece()),
        DeviceCall::Piece(CHANNEL, Digest::of(b"scan"), 1),
    ];
    calls.extend(submissions().map(|(_, one)| DeviceCall::Submit(CHANNEL, one)));
    calls
}

fn hub_calls() -> Vec<HubCall> {
    let mut calls = vec![
        HubCall::HasGroup(CHANNEL),
        HubCall::Admit(admission()),
        HubCall::Revoke(revocation()),
        HubCall::Items(CHANNEL, PARTICIPANT, 7),
        HubCall::Admissions(CHANNEL, PARTICIPANT),
        HubCall::Rejoin(CHANNEL, PARTICIPANT),
        HubCall::PutPiece(CHANNEL, PARTICIPANT, piece()),
        HubCall::Piece(CHANNEL, PARTICIPANT, Digest::of(b"scan"), 1),
        HubCall::Deliver(bodies().map(|(_, body)| (9, delivery(body).encode())).into()),
    ];
    calls.extend(submissions().map(|(_, one)| HubCall::Submit(CHANNEL, PARTICIPANT, one)));
    calls
}

fn answers() -> Vec<Answer> {
    let offer = |charter, joined| Offer { charter, consent: CONSENT, about: "with south".to_owned(), joined };
    vec![
        Answer::Done,
        Answer::Number(13),
        Answer::Flag(true),
        Answer::Offers(vec![offer(charter(), true), offer(group_charter(), false)]),
        Answer::Create(proof(PersonRole::Patient)),
        Answer::Items(bodies().map(|(_, body)| item(body)).into()),
        Answer::Admissions(vec![admission()]),
        Answer::Rejoin(rejoin()),
        Answer::Facts(facts()),
        Answer::Piece(piece()),
    ]
}

fn file() -> Vec<u8> {
    let mut writer = Writer::record(Content::VERSION);
    writer.u8(3).text("scan.dcm").u64(4).raw(Digest::of(b"scan").as_bytes()).raw(&[14; 32]);
    writer.finish()
}

/// Objects of a real group, which are other ones each time.
pub(super) fn mls() -> Vec<(&'static str, Vec<u8>)> {
    let mut world = World::new([15; 32], 1, Wall.now());
    let consent = world.consent(0);
    let charter = world.open_match(0, &[consent]);
    let first = world.person(0, consent, PersonRole::Clinician, 1);
    let second = world.person(0, consent, PersonRole::Clinician, 1);
    let channel = world.create(first, &charter);
    let made = world.people[first].client.outgoing(channel).unwrap().remove(0).1;
    world.submit(first, channel);
    world.agree(second, &charter);
    world.admit(second, channel).unwrap();
    let admissions = world.admissions(first, channel);
    let facts = world.facts.clone();
    let client = &mut world.people[first].client;
    client.say(channel, &Content::Text("Good morning".to_owned())).unwrap();
    client.advance(channel, &[], &facts, Wall.now()).unwrap();
    client.advance(channel, &admissions, &facts, Wall.now()).unwrap();
    let mut samples = vec![("key-package", admissions[0].key_package.clone())];
    for submission in client.outgoing(channel).unwrap().into_iter().map(|(_, one)| one).chain([made]) {
        match submission {
            Submission::Create(creation) => {
                samples.extend([("first-info", creation.group_info), ("tree", creation.tree)])
            }
            Submission::Commit(commit) => {
                samples.extend([("commit", commit.commit), ("info", commit.group_info)]);
                samples.push(("welcome", commit.welcome.unwrap()));
            }
            Submission::Message(message) => samples.push(("message", message)),
        }
    }
    assert_eq!(samples.len(), 7);
    samples
}

/// Every sample: its fuzz target, its file's name, its bytes.
pub(super) fn all() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |target, name: &str, bytes| all.push((target, name.to_owned(), bytes));
    let (devices, hubs, answers) = (device_calls(), hub_calls(), answers());
    assert_complete(&devices);
    assert_complete(&hubs);
    assert_complete(&answers);
    for (number, call) in devices.iter().enumerate() {
        add("channel_call", &format!("{number:02}"), call.encode());
    }
    for (number, call) in hubs.iter().enumerate() {
        add("channel_relay", &format!("{number:02}"), call.encode());
    }
    for (number, answer) in answers.iter().enumerate() {
        add("channel_answer", &format!("{number:02}"), answer.encode());
    }
    add("channel_answer", "refusal", Refusal::NotMember.word().as_bytes().to_vec());
    add("channel_charter", "match", charter().encode());
    add("channel_charter", "group", group_charter().encode());
    add("channel_charter", "facts", facts().encode());
    add("channel_content", "introduce", Content::Introduce { name: "Dr N. North".to_owned() }.encode());
    add("channel_content", "text", Content::Text("Good morning".to_owned()).encode());
    add("channel_content", "file", file());
    for (name, body) in bodies() {
        add("channel_item", &format!("body-{name}"), body.encode());
        add("channel_item", name, item(body.clone()).encode());
        add("channel_item", &format!("delivery-{name}"), delivery(body).encode());
    }
    for (name, submission) in submissions() {
        add("channel_submission", name, submission.encode());
    }
    add("channel_submission", "admission", admission().encode());
    add("channel_submission", "rejoin", rejoin().encode());
    let note = Note { proofs: vec![proof(PersonRole::Clinician), proof(PersonRole::Patient)] };
    add("channel_submission", "note", note.encode());
    all
}
