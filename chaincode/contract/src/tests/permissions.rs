//! Who may call what: every function by every kind of caller, and what belongs to whom.

use std::collections::BTreeMap;

use semblance_core::id::{CaseHandle, ConsentId, RequestId};
use semblance_core::introduction::{Outcome, Side};
use semblance_core::organisation::{OrganisationKind, TlsRoot};
use semblance_core::record::Record;
use semblance_core::signature::Statement;

use super::contact::*;
use super::world::*;
use crate::stub::Role;
use crate::wire::{
    ChannelArgument, ConsentArgument, ConsentInEpoch, Empty, EpochArgument, EpochKeyArgument, FingerprintsOf,
    GroupTopicArgument, Handle, IntroductionArgument, List, OfDay, OfEpoch, OfLookup, OfOrganisation,
    OfOrganisationOnDay, OrganisationArgument, PageRequest, PatientKeyArgument, RequestArgument, SignedStatement,
    StandingOf,
};
use crate::{Code, FUNCTIONS};

/// Allowed callers: H and h a hospital's administrator and node, M and m a matcher's.
const TABLE: &[(&str, &str)] = &[
    ("genesis", "HM"),
    ("register_hospital", "HM"),
    ("register_matcher", "HM"),
    ("rotate_key", "HM"),
    ("open_epoch", "H"),
    ("close_epoch", "H"),
    ("register_patient_key", "h"),
    ("grant_consent", "h"),
    ("withdraw_consent", "HhMm"),
    ("publish_cases", "h"),
    ("expire", "HhMm"),
    ("purge_case", "HhMm"),
    ("record_lookups", "m"),
    ("record_denials", "hm"),
    ("propose_introduction", "h"),
    ("answer_introduction", "h"),
    ("open_channel", "h"),
    ("open_group", "h"),
    ("version", "HhMm"),
    ("network", "HhMm"),
    ("organisation", "HhMm"),
    ("organisations", "HhMm"),
    ("rotations", "HhMm"),
    ("epoch", "HhMm"),
    ("epochs", "HhMm"),
    ("epoch_key", "HhMm"),
    ("patient_key", "HhMm"),
    ("consent", "HhMm"),
    ("case", "HhMm"),
    ("cases_of_hospital", "HhMm"),
    ("live_cases", "HhMm"),
    ("publication", "HhMm"),
    ("fingerprints", "m"),
    ("standing", "m"),
    ("lookup", "HhMm"),
    ("lookups_of_hospital", "HhMm"),
    ("lookups_of_day", "HhMm"),
    ("denials", "HhMm"),
    ("introduction", "HhMm"),
    ("introductions_of_lookup", "HhMm"),
    ("channel", "HhMm"),
    ("channels", "HhMm"),
    ("group_topic", "HhMm"),
];

/// A well-formed argument for each function, about a patient of `north`.
pub(super) fn arguments(world: &mut World) -> BTreeMap<&'static str, Vec<u8>> {
    let (patient, handle) = world.published("north");
    let page = PageRequest::at(Some("organisation/north".into()), 5);
    let of_organisation = OfOrganisation { organisation: id("north"), page: PageRequest::first(5) }.encode();
    let on_day = OfOrganisationOnDay { organisation: id("north"), day: TODAY, page: PageRequest::first(5) }.encode();
    let rotation = rotation("north", |next| next.tls_root = TlsRoot::new(vec![2]).unwrap()).sign(&node("north"));
    let newcomer = |kind| newcomer(organisation("west", kind), &["north", "south", "alpha"]).encode();
    let some_handle = handles(&[handle]).encode();
    BTreeMap::from([
        ("genesis", genesis().encode()),
        ("register_hospital", newcomer(OrganisationKind::Hospital)),
        ("register_matcher", newcomer(OrganisationKind::Matcher)),
        ("rotate_key", SignedStatement(rotation.into_parts().1).encode()),
        ("open_epoch", open_epoch(2).encode()),
        ("close_epoch", EpochArgument(EPOCH).encode()),
        ("register_patient_key", List::<_, 100>::new(vec![patient.entry()]).unwrap().encode()),
        ("grant_consent", List::<_, 100>::new(vec![patient.signed(|_| ())]).unwrap().encode()),
        ("withdraw_consent", patient.signed_withdrawal().encode()),
        ("publish_cases", publish_cases(vec![item(&patient, handle, Some(handle))]).encode()),
        ("expire", some_handle.clone()),
        ("purge_case", some_handle.clone()),
        ("record_lookups", List::<_, 50>::new(vec![patient.entry_of(1, |_| ())]).unwrap().encode()),
        ("record_denials", List::<_, 100>::new(vec![denial("north", 1)]).unwrap().encode()),
        ("version", Empty.encode()),
        ("network", Empty.encode()),
        ("organisation", OrganisationArgument(id("north")).encode()),
        ("organisations", page.encode()),
        ("rotations", of_organisation.clone()),
        ("epoch", EpochArgument(EPOCH).encode()),
        ("epochs", PageRequest::first(5).encode()),
        ("epoch_key", EpochKeyArgument { epoch: EPOCH, hospital: id("north") }.encode()),
        ("patient_key", PatientKeyArgument { hospital: id("north"), key: patient.key.verifying_key() }.encode()),
        ("consent", ConsentArgument(ConsentId::from_bytes([1; 16])).encode()),
        ("case", Handle(CaseHandle::from_bytes([1; 16])).encode()),
        ("cases_of_hospital", of_organisation),
        ("live_cases", OfEpoch { epoch: EPOCH, page: PageRequest::first(5) }.encode()),
        ("publication", ConsentInEpoch { consent: patient.consent, epoch: EPOCH }.encode()),
        ("fingerprints", FingerprintsOf::new(vec![Handle(handle)]).unwrap().encode()),
        (
            "standing",
            StandingOf { hospital: id("north"), case: patient.case, epoch: EPOCH, found: vec![handle] }.encode(),
        ),
        ("lookup", RequestArgument(RequestId::from_bytes([1; 16])).encode()),
        ("lookups_of_hospital", on_day.clone()),
        ("lookups_of_day", OfDay { day: TODAY, page: PageRequest::first(5) }.encode()),
        ("denials", on_day),
    ])
    .into_iter()
    .chain(contact_arguments(&patient))
    .collect()
}

/// The same for introductions and channels, on a look-up of that patient's.
fn contact_arguments(patient: &Patient) -> [(&'static str, Vec<u8>); 9] {
    let lookup = patient.request(1).request;
    [
        ("propose_introduction", by("north", proposal(lookup, "north", Side::Asker, "south")).encode()),
        ("answer_introduction", by("north", answer("north", Outcome::Accepted)).encode()),
        ("open_channel", by("north", opening("north", 1)).encode()),
        ("open_group", open_group(group("north", 1, &["north", "south"])).encode()),
        ("introduction", IntroductionArgument(INTRODUCTION).encode()),
        ("introductions_of_lookup", OfLookup { request: lookup, page: PageRequest::first(5) }.encode()),
        ("channel", ChannelArgument(CHANNEL).encode()),
        ("channels", PageRequest::first(5).encode()),
        ("group_topic", GroupTopicArgument { group: GROUP, hospital: id("north") }.encode()),
    ]
}

/// The refusal that the table asks for.
fn expected(allowed: &str, letter: char, outsider: bool) -> Option<Code> {
    let same_role = allowed.chars().any(|one| one.is_uppercase() == letter.is_uppercase());
    match (same_role, outsider, allowed.contains(letter)) {
        (false, _, _) => Some(Code::WrongRole),
        (true, true, _) => Some(Code::NotMember),
        (true, false, false) => Some(Code::WrongKind),
        (true, false, true) => None,
    }
}

#[test]
fn every_function_takes_the_callers_of_the_table_and_no_others() {
    let listed: Vec<_> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, TABLE.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let callers = [
        ("north", Role::Admin, 'H'),
        ("north", Role::Node, 'h'),
        ("alpha", Role::Admin, 'M'),
        ("alpha", Role::Node, 'm'),
        ("west", Role::Admin, 'H'),
        ("west", Role::Node, 'h'),
    ];
    for (function, allowed) in TABLE {
        for (who, role, letter) in callers {
            let mut world = World::new();
            let argument = arguments(&mut world).remove(function).unwrap();
            let result = world.invoke(who, role, function, argument, &[]).map_err(|error| error.code());
            let refused = match result {
                Err(code @ (Code::WrongRole | Code::NotMember | Code::WrongKind)) => Some(code),
                _ => None,
            };
            assert_eq!(refused, expected(allowed, letter, who == "west"), "{function} by {who} as {role:?}");
        }
    }
}

#[test]
fn what_belongs_to_north_is_not_souths() {
    let owned = ["register_patient_key", "grant_consent", "publish_cases", "record_denials"];
    for function in owned {
        let mut world = World::new();
        let argument = arguments(&mut world).remove(function).unwrap();
        let outcome = if function == "publish_cases" {
            let (patient, handle) = world.published("north");
            let other = world.handle();
            world.publish("south", item(&patient, other, Some(handle)))
        } else {
            let response = world.invoke("south", Role::Node, function, argument, &[]).unwrap();
            only(crate::wire::Outcomes::decode(&response).unwrap())
        };
        assert_eq!(outcome, Err(Code::NotOwner), "{function}");
        assert!(world.writes.public.is_empty() || function == "publish_cases", "{function} wrote");
    }
    let contact = ["propose_introduction", "answer_introduction", "open_channel", "open_group"];
    let whole = contact.map(|function| (function, Role::Node));
    for (function, role) in [("rotate_key", Role::Admin), ("close_epoch", Role::Admin)].into_iter().chain(whole) {
        let mut world = World::new();
        let argument = arguments(&mut world).remove(function).unwrap();
        let error = world.invoke("south", role, function, argument, &[]).unwrap_err();
        assert_eq!(error.code(), Code::NotOwner, "{function}");
    }
}

#[test]
fn any_member_in_any_role_ends_what_is_to_end() {
    for who in ["north", "south", "alpha", "beta"] {
        for role in [Role::Node, Role::Admin] {
            let mut world = World::new();
            let (patient, handle) = world.published("north");
            let withdrawn: crate::wire::Withdrawn =
                world.call(who, role, "withdraw_consent", &patient.signed_withdrawal()).unwrap();
            assert_eq!(withdrawn.handles, [handle]);
            only(world.call(who, role, "purge_case", &handles(&[handle])).unwrap()).unwrap();
            let (_, other) = world.published("north");
            world.stub.set_timestamp(NOW.plus(30 * 86_400_000));
            only(world.call(who, role, "expire", &handles(&[other])).unwrap()).unwrap();
        }
    }
}
