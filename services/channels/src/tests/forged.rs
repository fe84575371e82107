//! What members, hubs and those who were removed can make up, and what others believe of it.

use openmls::prelude::{KeyPackage, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupJoinConfig, RatchetTreeIn};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use semblance_core::attestation::{LeafProof, PersonRole};
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::random::SeededSource;
use semblance_core::record::Record;
use semblance_core::signature::SigningKey;
use tls_codec::{DeserializeBytes, VLBytes};

use super::{now, three, three_and_charter};
use crate::client::{Client, Event, Phase};
use crate::limits::KEY_PACKAGE_MILLIS;
use crate::mls;
use crate::office::{OfficeError, Speaker};
use crate::provider::{LeafSigner, Provider};
use crate::store::{MemoryStore, Store, StoreError};
use crate::testing::{NETWORK, World};
use crate::wire::{Admission, Body, Commit, Item, Note, Refusal, Submission};

/// A key package of an honest device, and the same with other keys, signed by it once more: as (RFC 9420 sections 7.2 and
/// 10) encode them.
struct Forge {
    signing: SigningKey,
    participant: ParticipantId,
    honest: Vec<u8>,
}

/// Where the init key and the leaf's key begin.
const INIT_KEY: usize = 4;
const LEAF_KEY: usize = INIT_KEY + 33;
/// A signature with its length.
const SIGNATURE: usize = 66;

impl Forge {
    fn new(seed: u8) -> Self {
        Self::living(seed, KEY_PACKAGE_MILLIS)
    }

    /// One that can be used for so many milliseconds.
    fn living(seed: u8, life: u64) -> Self {
        let (signing, participant) = (SigningKey::from_seed(&[seed; 32]), ParticipantId::from_bytes([seed; 16]));
        let (crypto, random) = (RustCrypto::default(), SeededSource::new([seed; 32]));
        let made = MemoryStore::default().transact(|rows| {
            let builder = KeyPackage::builder()
                .key_package_lifetime(mls::lifetime(now(), life))
                .leaf_node_capabilities(mls::capabilities());
            let provider = Provider::new(rows, &crypto, &random);
            let credential = mls::credential(participant, &signing.verifying_key());
            let made = builder.build(mls::SUITE, &provider, &LeafSigner(&signing), credential).unwrap();
            Ok::<_, StoreError>(made.key_package().clone())
        });
        let honest = mls::write(&made.unwrap()).unwrap();
        Self { signing, participant, honest }
    }

    fn sign(&self, label: &str, content: &[u8]) -> Vec<u8> {
        let label = VLBytes::new(format!("MLS 1.0 {label}").into_bytes());
        let parts = [mls::write(&label).unwrap(), mls::write(&VLBytes::new(content.to_vec())).unwrap()];
        let signature = self.signing.sign(&parts.concat());
        mls::write(&VLBytes::new(signature.as_bytes().to_vec())).unwrap()
    }

    fn with(&self, init_key: Option<&[u8]>, leaf_key: Option<&[u8]>) -> Vec<u8> {
        let key = |given: Option<&[u8]>, at: usize| {
            given.map_or_else(
                || self.honest[at..at + 33].to_vec(),
                |key| mls::write(&VLBytes::new(key.to_vec())).unwrap(),
            )
        };
        // No extensions: one byte before the last signature.
        let leaf_end = self.honest.len() - SIGNATURE - 1;
        let leaf = [&key(leaf_key, LEAF_KEY), &self.honest[LEAF_KEY + 33..leaf_end - SIGNATURE]].concat();
        let signed = [leaf.clone(), self.sign("LeafNodeTBS", &leaf)].concat();
        let package = [&self.honest[..INIT_KEY], &key(init_key, INIT_KEY), &signed, &[0]].concat();
        [package.clone(), self.sign("KeyPackageTBS", &package)].concat()
    }
}

#[test]
fn a_key_that_nobody_can_encrypt_to_is_none_of_ours() {
    let (forge, crypto, now) = (Forge::new(1), RustCrypto::default(), now());
    let read = |bytes: &[u8]| mls::read_key_package(bytes, &crypto, now).is_ok();
    assert!(read(&forge.honest));
    assert_eq!(forge.with(None, None), forge.honest, "Ed25519 signs the same in the same way");
    assert!(read(&forge.with(Some(&[5; 32]), Some(&[6; 32]))), "other keys of the right kind");
    // Of low order, twice, too short, too long, and none.
    let mut low_order = [0; 32];
    low_order[0] = 1;
    for bad in [&[0; 32][..], &low_order, &[9; 31], &[9; 33], &[]] {
        assert!(!read(&forge.with(None, Some(bad))), "{bad:?} as a leaf's key");
        assert!(!read(&forge.with(Some(bad), None)), "{bad:?} as an init key");
    }
}

fn speaker(world: &mut World, person: usize, channel: ChannelId) -> Speaker {
    let (hospital, device) = (world.people[person].hospital, world.people[person].device);
    world.hospitals[hospital].office.speaker(device, channel, world.now).unwrap().0
}

/// A key that a parent in the tree of a channel has.
fn parent_key(world: &mut World, person: usize, channel: ChannelId) -> Vec<u8> {
    let (from, now) = (speaker(world, person, channel), world.now);
    let info = world.hospitals[1].office.rejoin_info(channel, &from, now).unwrap();
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&info.tree).unwrap();
    mls::key_of(tree.parents().next().unwrap()).unwrap()
}

/// Hands a key package to the hub as a person's hospital does.
fn admit(world: &mut World, person: usize, channel: ChannelId, forge: &Forge, key_package: Vec<u8>) -> Admission {
    let proof = world.prove(person, channel, forge.participant, forge.signing.verifying_key());
    let home = world.hospitals[world.people[person].hospital].id.clone();
    let admission = Admission { channel, key_package, proof };
    world.hospitals[1].office.admit(&home, &admission, &world.facts, world.now).unwrap();
    admission
}

/// With a parent's key in a leaf no tree can be joined any more (RFC 9420 section 7.3), and with a key twice neither.
#[test]
fn who_waits_with_a_key_that_is_taken_hides_nobody_else() {
    let (mut world, channel, [clinician, colleague, _]) = three(99);
    assert!(world.people[colleague].client.refresh(channel).unwrap());
    world.submit(colleague, channel);
    assert!(world.settle(channel, 20));
    let parent = parent_key(&mut world, clinician, channel);
    let [one, two, three] = [2, 3, 4].map(Forge::new);
    admit(&mut world, clinician, channel, &one, one.with(None, Some(&parent)));
    let second = admit(&mut world, clinician, channel, &two, two.with(None, Some(&[6; 32])));
    admit(&mut world, clinician, channel, &three, three.with(None, Some(&[6; 32])));
    assert_eq!(world.admissions(colleague, channel), [second]);
    // Nobody takes the key of somebody who waits, either: here by being added with it.
    let four = Forge::new(5);
    let package = four.with(None, Some(&[6; 32]));
    let late = admit(&mut world, clinician, channel, &four, package.clone());
    let commit = commit(&world, colleague, channel, Some((package, late.proof)), (false, &[]));
    let (from, now) = (speaker(&mut world, colleague, channel), world.now);
    let taken = world.hospitals[1].office.submit(vec![(channel, from, commit)], &world.facts, now).unwrap().pop();
    assert!(matches!(taken, Some(Err(OfficeError::Refused(Refusal::Invalid)))), "{taken:?}");
}

/// Members sleep for as long as a queue holds.
#[test]
fn a_key_package_that_runs_out_while_members_sleep_is_not_added() {
    let (mut world, channel, [clinician, colleague, _]) = three(111);
    let forge = Forge::living(6, 32 * 86_400_000);
    admit(&mut world, clinician, channel, &forge, forge.honest.clone());
    assert_eq!(world.admissions(colleague, channel).len(), 1);
    world.now = world.now.plus(3 * 86_400_000);
    assert!(world.admissions(colleague, channel).is_empty());
    let forge = Forge::living(7, 30 * 86_400_000);
    let proof = world.prove(clinician, channel, forge.participant, forge.signing.verifying_key());
    let (home, admission) = (world.hospitals[0].id.clone(), Admission { channel, key_package: forge.honest, proof });
    let refused = world.hospitals[1].office.admit(&home, &admission, &world.facts, now());
    assert!(matches!(refused, Err(OfficeError::Refused(Refusal::NoKeyPackage))), "{refused:?}");
}

/// Who is said to have sent a message, every member can write: here by a change to its end.
#[test]
fn nobody_makes_a_device_believe_that_it_has_forgotten_what_it_said() {
    let (mut world, channel, [clinician, colleague, patient]) = three(100);
    world.say(colleague, channel, "hello").unwrap();
    world.advance(colleague, channel);
    let (from, facts, now) = (speaker(&mut world, patient, channel), world.facts.clone(), world.now);
    let hub = &mut world.hospitals[1].office;
    let said = hub.items(channel, &from, 1, now).unwrap().pop().unwrap();
    let Body::Message(mut bytes) = said.body else { panic!("a message") };
    *bytes.last_mut().unwrap() ^= 1;
    hub.submit(vec![(channel, from, Submission::Message(bytes))], &facts, now).unwrap().pop().unwrap().unwrap();
    assert!(world.settle(channel, 20));
    for person in [clinician, colleague, patient] {
        assert_eq!(world.phase(person, channel), Some(Phase::Member));
        assert!(world.people[person].events.iter().all(|(_, event)| *event != Event::Broken));
        let messages = world.people[person].client.messages(channel, said.sequence, 9).unwrap();
        assert_eq!(messages.len(), 1, "it is shown as one that cannot be read");
        assert_eq!(messages[0].content, None);
    }
    assert_eq!(world.texts(clinician, channel), ["hello"]);
}

#[test]
fn a_device_with_an_older_copy_of_its_store_finds_out_and_joins_again() {
    let (mut world, channel, [clinician, colleague, _]) = three(101);
    let copy = world.people[colleague].client.store().clone();
    world.say(colleague, channel, "one").unwrap();
    world.say(colleague, channel, "two").unwrap();
    assert!(world.settle(channel, 20));
    world.people[colleague].client = Client::new(copy, NETWORK, world.random.clone());
    assert!(world.catch_up(colleague, channel));
    assert!(world.people[colleague].events.iter().any(|(_, event)| *event == Event::Broken));
    assert!(world.settle(channel, 20));
    world.say(colleague, channel, "three").unwrap();
    assert!(world.settle(channel, 20));
    assert_eq!(world.texts(clinician, channel), ["one", "two", "three"]);
}

/// A hub that works together with somebody who was removed puts their words behind the removal. By then another has their
/// place in the tree.
#[test]
fn words_from_an_epoch_that_is_over_are_nobodys() {
    let (mut world, channel, [clinician, colleague, patient], charter) = three_and_charter(102);
    let start = world.people[clinician].client.next(channel).unwrap();
    world.say(patient, channel, "from beyond").unwrap();
    world.advance(patient, channel);
    let consent = world.people[colleague].consent;
    let newcomer = world.person(1, consent, PersonRole::Clinician, 1);
    world.agree(newcomer, &charter);
    world.leave(patient, channel).unwrap();
    world.admit(newcomer, channel).unwrap();
    for _ in 0..6 {
        while world.pull(colleague) {}
        world.advance(colleague, channel);
    }
    let from = speaker(&mut world, colleague, channel);
    let items = world.hospitals[1].office.items(channel, &from, start, world.now).unwrap();
    let (mut late, mut ordered): (Vec<Item>, Vec<Item>) =
        items.into_iter().partition(|item| matches!(item.body, Body::Message(_)));
    assert_eq!((late.len(), ordered.len()), (1, 2), "words, a removal and the commit that takes it up");
    ordered.append(&mut late);
    let client = &mut world.people[clinician].client;
    let mut events = Vec::new();
    for (place, item) in ordered.into_iter().enumerate() {
        let item = Item { sequence: start + place as u64, ..item };
        events.extend(client.receive(&item, &world.facts, world.now).unwrap());
    }
    assert!(events.iter().any(|event| matches!(event, Event::Added(_))), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Removed(_))), "{events:?}");
    let Some(Event::Message(read)) = events.pop() else { panic!("{events:?}") };
    assert_eq!((read.content, read.from), (None, ParticipantId::from_bytes([0; 16])));
}

/// A commit of a modified device, which adds whom it likes and tells those who join by themselves what it likes.
fn commit(
    world: &World,
    person: usize,
    channel: ChannelId,
    add: Option<(Vec<u8>, LeafProof)>,
    (tree, more): (bool, &[LeafProof]),
) -> Submission {
    let mut store = world.people[person].client.store().clone();
    let (crypto, random) = (RustCrypto::default(), SeededSource::new([3; 32]));
    let leaf = store.rows().find(|(key, _)| **key == [b"cl", channel.as_bytes().as_slice()].concat()).unwrap().1;
    // After the version and the pseudonym.
    let signing = SigningKey::from_seed(leaf[17..49].try_into().unwrap());
    let (package, proof) = add.unzip();
    let adds = package.map(|bytes| mls::read_key_package(&bytes, &crypto, world.now).unwrap());
    let made = store.transact(|rows| {
        let provider = Provider::new(rows, &crypto, &random);
        let mut group = MlsGroup::load(provider.storage(), &mls::group_id(channel)).unwrap().unwrap();
        let config = MlsGroupJoinConfig::builder().use_ratchet_tree_extension(tree);
        let config = config.wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY).build();
        group.set_configuration(provider.storage(), &config)?;
        group.set_aad(Note { proofs: proof.into_iter().chain(more.iter().cloned()).collect() }.encode());
        let building = group.commit_builder().force_self_update(adds.is_none()).propose_adds(adds);
        let building = building.load_psks(provider.storage()).unwrap().create_group_info(true);
        let built = building.build(provider.rand(), provider.crypto(), &LeafSigner(&signing), |_| true).unwrap();
        let (commit, welcome, info) = built.stage_commit(&provider).unwrap().into_messages();
        let write = |message| mls::write(&message).unwrap();
        let (welcome, group_info) = (welcome.map(|one| mls::write(&one).unwrap()), write(info.unwrap()));
        Ok::<_, StoreError>(Submission::Commit(Commit { commit: write(commit), welcome, group_info }))
    });
    made.unwrap()
}

#[test]
fn a_hub_takes_no_commit_after_which_nobody_could_join() {
    let (mut world, channel, [clinician, colleague, _]) = three(103);
    let (from, now) = (speaker(&mut world, clinician, channel), world.now);
    let tree = commit(&world, clinician, channel, None, (true, &[]));
    let plain = commit(&world, clinician, channel, None, (false, &[]));
    let mut submit = |submission: Submission| {
        let taken = world.hospitals[1].office.submit(vec![(channel, from.clone(), submission)], &world.facts, now);
        taken.unwrap().pop().unwrap().map(drop).map_err(|error| error.refusal())
    };
    assert_eq!(submit(tree), Err(Refusal::Invalid), "a ratchet tree beside the hub's");
    assert_eq!(submit(plain), Ok(()), "the same without");
    // Somebody waits whose key a parent in the tree gets meanwhile.
    assert!(world.settle(channel, 20));
    let parent = parent_key(&mut world, clinician, channel);
    let forge = Forge::new(4);
    let (bad, good) = (forge.with(None, Some(&parent)), forge.with(None, Some(&[6; 32])));
    let admission = admit(&mut world, clinician, channel, &forge, good.clone());
    for (package, expected) in [(bad, Err(Refusal::Invalid)), (good, Ok(()))] {
        let commit = commit(&world, colleague, channel, Some((package.clone(), admission.proof.clone())), (false, &[]));
        let speaker = speaker(&mut world, colleague, channel);
        let office = &mut world.hospitals[1].office;
        office.connection().execute("UPDATE leaves SET key_package = ?1 WHERE state = 'pending'", [package]).unwrap();
        let taken = office.submit(vec![(channel, speaker, commit)], &world.facts, now).unwrap().pop().unwrap();
        assert_eq!(taken.map(drop).map_err(|error| error.refusal()), expected);
    }
}

/// What is inside a Welcome the adder alone has made: here of a commit of its own, beside the one that the hub took.
#[test]
fn a_welcome_into_another_group_than_the_hubs_leads_nobody_astray() {
    for (seed, forked) in [(112, false), (113, true)] {
        let (mut world, channel, [clinician, colleague, patient], charter) = three_and_charter(seed);
        let consent = world.people[clinician].consent;
        let newcomer = world.person(0, consent, PersonRole::Clinician, 1);
        world.agree(newcomer, &charter);
        world.admit(newcomer, channel).unwrap();
        let waits = world.admissions(colleague, channel).pop().unwrap();
        let add = || Some((waits.key_package.clone(), waits.proof.clone()));
        let honest = commit(&world, colleague, channel, add(), (false, &[]));
        // The same tree, and another history.
        let more = if forked { vec![waits.proof.clone()] } else { Vec::new() };
        let other = commit(&world, colleague, channel, add(), (false, &more));
        let (Submission::Commit(mut honest), Submission::Commit(other)) = (honest, other) else { panic!("commits") };
        assert_eq!(honest.commit == other.commit, !forked);
        honest.welcome = other.welcome;
        let (from, now) = (speaker(&mut world, colleague, channel), world.now);
        let submission = vec![(channel, from, Submission::Commit(honest))];
        world.hospitals[1].office.submit(submission, &world.facts, now).unwrap().pop().unwrap().unwrap();
        world.relay(1);
        assert!(world.pull(newcomer));
        let came = world.people[newcomer].events.iter().any(|(_, event)| *event == Event::Joined);
        assert_eq!(came, !forked, "by the Welcome");
        assert!(world.settle(channel, 30));
        for person in [clinician, patient, newcomer] {
            assert_eq!(world.phase(person, channel), Some(Phase::Member), "person {person}");
        }
        world.say(newcomer, channel, "here I am").unwrap();
        assert!(world.settle(channel, 30));
        assert_eq!(world.texts(clinician, channel), ["here I am"]);
    }
}

/// Everybody who joins later is given all that the maker of a group put into its tree.
#[test]
fn a_first_tree_has_room_for_one_leaf() {
    let mut world = World::new([119; 32], 1, now());
    let consent = world.consent(0);
    let charter = world.open_group(0, consent);
    let person = world.person(0, consent, PersonRole::Patient, 1);
    let channel = world.create(person, &charter);
    let made = world.people[person].client.outgoing(channel).unwrap().pop().unwrap().1;
    let Submission::Create(mut creation) = made else { panic!("a group") };
    // Places that stay empty.
    creation.tree.resize(1025, 0);
    let (from, now) = (speaker(&mut world, person, channel), world.now);
    let submission = vec![(channel, from, Submission::Create(creation))];
    let taken = world.hospitals[0].office.submit(submission, &world.facts, now).unwrap().pop();
    assert!(matches!(taken, Some(Err(OfficeError::Refused(Refusal::TooLarge)))), "{taken:?}");
    world.submit(person, channel);
    assert_eq!(world.phase(person, channel), Some(Phase::Member), "the same with one leaf");
}
