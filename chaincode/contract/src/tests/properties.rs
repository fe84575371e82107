//! Nothing from outside makes the contract panic, and every layout has exactly one encoding.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use semblance_core::introduction::Outcome;
use semblance_core::record::Record;

use super::contact::*;
use super::permissions::arguments;
use super::world::*;
use crate::stub::Role;
use crate::testing::MemoryStub;
use crate::wire::*;
use crate::{Contract, FUNCTIONS, SemblanceContract, key, state};

fn changed(valid: &[u8], edits: &[(Index, u8)], cut: Index) -> [Vec<u8>; 2] {
    let mut bytes = valid.to_vec();
    for (index, byte) in edits {
        let at = index.index(bytes.len());
        bytes[at] = *byte;
    }
    let shorter = bytes[..cut.index(bytes.len())].to_vec();
    [bytes, shorter]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_argument_makes_the_contract_panic(
        function in select(FUNCTIONS.iter().map(|(name, _)| *name).chain(["", "no_such_function"]).collect::<Vec<_>>()),
        who in select(vec!["north", "alpha", "west"]),
        role in select(vec![Role::Node, Role::Admin]),
        noise in vec(vec(any::<u8>(), 0..200), 0..3),
        edits in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
    ) {
        let mut world = World::new();
        let valid = arguments(&mut world).remove(function).unwrap_or_else(|| vec![1]);
        let mut run = |arguments: &[Vec<u8>]| {
            world.stub.rollback();
            world.stub.set_caller(&id(who), role);
            for value in arguments.iter().take(1) {
                world.stub.set_transient(TRANSIENT_FINGERPRINTS, value.clone());
            }
            let _ = SemblanceContract.invoke(&mut world.stub, function, arguments);
        };
        run(&noise);
        for bytes in changed(&valid, &edits, cut) {
            run(&[bytes]);
        }
    }

    #[test]
    fn damaged_state_makes_the_contract_refuse(
        function in select(FUNCTIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        victim in any::<Index>(),
        edits in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
    ) {
        let mut world = World::new();
        let argument = arguments(&mut world).remove(function).unwrap();
        let keys: Vec<_> = world.stub.state().keys().cloned().collect();
        let key = &keys[victim.index(keys.len())];
        let value = world.stub.state()[key].clone();
        for bytes in changed(&value, &edits, cut) {
            world.stub.tamper(key, bytes);
            for (who, role) in [("north", Role::Node), ("north", Role::Admin), ("alpha", Role::Node)] {
                world.stub.rollback();
                world.stub.set_caller(&id(who), role);
                let _ = SemblanceContract.invoke(&mut world.stub, function, std::slice::from_ref(&argument));
            }
        }
    }
}

/// A check of one layout, given a valid encoding.
type Check = fn(&[u8]);

/// Bytes near a valid encoding are refused, or encode to themselves again.
fn assert_strict<T: Record>(valid: &[u8]) {
    let again = |bytes: &[u8]| T::decode(bytes).ok().map(|value| value.encode());
    assert_eq!(again(valid).as_deref(), Some(valid), "{} does not read back", T::NAME);
    for length in 0..valid.len() {
        assert!(T::decode(&valid[..length]).is_err(), "{} cut at {length}", T::NAME);
    }
    assert!(T::decode(&[valid, &[0]].concat()).is_err(), "{} with a byte behind", T::NAME);
    proptest!(|(edits in vec((any::<Index>(), any::<u8>()), 0..4), cut in any::<Index>())| {
        for bytes in changed(valid, &edits, cut) {
            if let Some(encoded) = again(&bytes) {
                prop_assert_eq!(&encoded, &bytes);
            }
        }
    });
}

#[test]
fn every_argument_has_one_encoding() {
    let arguments = arguments(&mut World::new());
    let strict: &[(&str, Check)] = &[
        ("register_hospital", assert_strict::<RegisterMember>),
        ("rotate_key", assert_strict::<SignedStatement>),
        ("open_epoch", assert_strict::<OpenEpoch>),
        ("close_epoch", assert_strict::<EpochArgument>),
        ("register_patient_key", assert_strict::<PatientKeys>),
        ("grant_consent", assert_strict::<SignedStatements>),
        ("publish_cases", assert_strict::<PublishCases>),
        ("expire", assert_strict::<Handles>),
        ("record_lookups", assert_strict::<RecordLookups>),
        ("record_denials", assert_strict::<RecordDenials>),
        ("network", assert_strict::<Empty>),
        ("organisation", assert_strict::<OrganisationArgument>),
        ("organisations", assert_strict::<PageRequest>),
        ("rotations", assert_strict::<OfOrganisation>),
        ("epoch_key", assert_strict::<EpochKeyArgument>),
        ("patient_key", assert_strict::<PatientKeyArgument>),
        ("consent", assert_strict::<ConsentArgument>),
        ("case", assert_strict::<Handle>),
        ("live_cases", assert_strict::<OfEpoch>),
        ("publication", assert_strict::<ConsentInEpoch>),
        ("fingerprints", assert_strict::<FingerprintsOf>),
        ("standing", assert_strict::<StandingOf>),
        ("lookup", assert_strict::<RequestArgument>),
        ("lookups_of_hospital", assert_strict::<OfOrganisationOnDay>),
        ("lookups_of_day", assert_strict::<OfDay>),
        ("open_group", assert_strict::<OpenGroup>),
        ("introduction", assert_strict::<IntroductionArgument>),
        ("introductions_of_lookup", assert_strict::<OfLookup>),
        ("channel", assert_strict::<ChannelArgument>),
        ("group_topic", assert_strict::<GroupTopicArgument>),
    ];
    for (function, check) in strict {
        check(&arguments[function]);
    }
}

#[test]
fn every_response_and_record_has_one_encoding() {
    let mut world = World::new();
    let (patient, handle) = world.published("north");
    world.record("alpha", patient.entry_of(1, |_| ())).unwrap();
    world.replace_key(&patient, false).unwrap();
    let withdrawn = world.withdraw("south", &patient).unwrap();
    world.purge("north", handle).unwrap();
    assert_strict::<Withdrawn>(&withdrawn.encode());

    let refused: Outcomes = world.node("north", "expire", &handles(&[world_handle()])).unwrap();
    assert_strict::<Outcomes>(&refused.encode());
    let found = FingerprintsFound::new(vec![Maybe(None), Maybe(Some(Opaque(vec![1, 2])))]).unwrap();
    assert_strict::<FingerprintsFound>(&found.encode());

    let ask = |world: &mut World, function: &str, argument: &[u8]| {
        world.invoke("alpha", Role::Node, function, argument.to_vec(), &[]).unwrap()
    };
    let key = PatientKeyArgument { hospital: id("north"), key: patient.key.verifying_key() };
    assert_strict::<Maybe<state::PatientKeyView>>(&ask(&mut world, "patient_key", &key.encode()));
    let consent = ConsentArgument(patient.consent);
    assert_strict::<Maybe<state::ConsentView>>(&ask(&mut world, "consent", &consent.encode()));
    assert_strict::<Maybe<state::CaseView>>(&ask(&mut world, "case", &Handle(handle).encode()));
    let publication = ConsentInEpoch { consent: patient.consent, epoch: EPOCH };
    assert_strict::<Maybe<state::Publication>>(&ask(&mut world, "publication", &publication.encode()));
    let request = RequestArgument(patient.request(1).request);
    assert_strict::<Maybe<state::LookupRecord>>(&ask(&mut world, "lookup", &request.encode()));
    let day = OfDay { day: TODAY, page: PageRequest::first(5) };
    assert_strict::<Page<state::LookupRow>>(&ask(&mut world, "lookups_of_day", &day.encode()));
    let members = ask(&mut world, "organisations", &PageRequest::first(2).encode());
    assert_strict::<Page<semblance_core::organisation::Organisation>>(&members);
}

#[test]
fn every_response_and_record_about_contact_has_one_encoding() {
    let mut world = World::new();
    world.answered(Outcome::Accepted);
    world.open_channel(opening("south", 1)).unwrap();
    world.open_group(group("north", 1, &["north", "south"])).unwrap();
    let record = |key: String| world.stub.state()[&key].clone();
    assert_strict::<state::IntroductionRecord>(&record(key::introduction(INTRODUCTION)));
    assert_strict::<state::IntroductionAnswerRecord>(&record(key::introduction_answer(INTRODUCTION)));
    assert_strict::<state::IntroductionChannel>(&record(key::introduction_channel(INTRODUCTION)));
    let mut ask =
        |function: &str, argument: &[u8]| world.invoke("alpha", Role::Node, function, argument.to_vec(), &[]).unwrap();
    let row = ask("introduction", &IntroductionArgument(INTRODUCTION).encode());
    assert_strict::<Maybe<state::IntroductionRow>>(&row);
    assert_strict::<Page<state::ChannelRecord>>(&ask("channels", &PageRequest::first(5).encode()));
    let topic = ask("group_topic", &GroupTopicArgument { group: GROUP, hospital: id("north") }.encode());
    assert_strict::<Maybe<semblance_core::channel::SealedTopic>>(&topic);
}

fn world_handle() -> semblance_core::id::CaseHandle {
    semblance_core::id::CaseHandle::from_bytes([0xee; 16])
}

#[test]
fn an_empty_ledger_refuses_everything_but_its_genesis() {
    let arguments = arguments(&mut World::new());
    for (function, access) in FUNCTIONS.iter().skip(1) {
        let mut stub = MemoryStub::new(&id("north"), access.role().unwrap_or(Role::Node), NOW);
        let argument = arguments[function].clone();
        let error = SemblanceContract.invoke(&mut stub, function, &[argument]).unwrap_err();
        assert_eq!(error.code(), crate::Code::NoNetwork, "{function}");
    }
}
