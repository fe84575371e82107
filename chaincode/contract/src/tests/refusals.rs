//! For each code one story that ends with it; a code without a story fails the test.

mod contact;

use semblance_core::consent::{Scope, Scopes};
use semblance_core::encode::Writer;
use semblance_core::id::CaseHandle;
use semblance_core::organisation::{OrganisationKind, TlsRoot};
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::record::Record;
use semblance_core::signature::Statement;
use semblance_core::time::Day;
use semblance_core::token::EpochNumber;

use super::world::*;
use crate::stub::{Role, Stub};
use crate::wire::{
    Empty, Fingerprints, Handle, List, Maybe, OfEpoch, Opaque, Outcomes, Page, PageRequest, PublishItem,
    SignedStatement, TRANSIENT_FINGERPRINTS,
};
use crate::{Code, Contract, ContractError, SemblanceContract, key};

/// What ends a story: the refusal's code.
type End = Result<(), Code>;

fn whole<T>(result: Result<T, ContractError>) -> End {
    result.map(|_| ()).map_err(|error| error.code())
}

/// A story from an empty ledger to its end.
type Story = fn() -> End;

const STORIES: &[(Code, Story)] = &[
    (Code::UnknownFunction, || whole(World::new().node::<Empty>("north", "drop_tables", &Empty))),
    (Code::InvalidArgument, || whole(World::new().invoke("north", Role::Node, "network", vec![1, 1], &[]))),
    (Code::UnsupportedVersion, || whole(World::new().invoke("north", Role::Node, "network", vec![2], &[]))),
    (Code::TooLarge, too_large),
    (Code::WrongNetwork, || {
        let mut world = World::new();
        let patient = world.registered("north");
        let other = semblance_core::id::NetworkId::from_bytes([8; 16]);
        world.grant("north", patient.signed(|consent| consent.network = other))
    }),
    (Code::InvalidBookmark, || {
        let page = PageRequest::at(Some("organisation/north".into()), 5);
        whole(World::new().node::<Page<semblance_core::epoch::Epoch>>("north", "epochs", &page))
    }),
    (Code::LedgerState, || {
        let mut world = World::new();
        world.stub.set_broken(true);
        whole(world.node::<semblance_core::organisation::Network>("north", "network", &Empty))
    }),
    (Code::CorruptState, || {
        let mut world = World::new();
        world.stub.tamper(&key::epoch(EPOCH), vec![1, 2, 3]);
        whole(world.close("north", 1))
    }),
    (Code::NetworkExists, || whole(World::new().admin::<Empty>("north", "genesis", &genesis()))),
    (Code::NoNetwork, || whole(World::empty().admin::<Empty>("north", "open_epoch", &open_epoch(1)))),
    (Code::NotMember, || whole(World::new().node::<Empty>("west", "network", &Empty))),
    (Code::WrongRole, || whole(World::founded().node::<Empty>("north", "open_epoch", &open_epoch(1)))),
    (Code::WrongKind, || whole(World::founded().admin::<Empty>("alpha", "open_epoch", &open_epoch(1)))),
    (Code::NotOwner, || {
        let mut world = World::new();
        let patient = world.patient("north");
        let handle = world.handle();
        world.publish("south", item(&patient, handle, None))
    }),
    (Code::WrongEndorser, wrong_endorser),
    (Code::MemberExists, || {
        let again = newcomer(organisation("south", OrganisationKind::Hospital), &["north", "south", "alpha"]);
        whole(World::new().admin::<Empty>("north", "register_hospital", &again))
    }),
    (Code::UnknownMember, || {
        let newcomer = newcomer(organisation("west", OrganisationKind::Hospital), &["north", "south", "east"]);
        whole(World::new().admin::<Empty>("north", "register_hospital", &newcomer))
    }),
    (Code::ApprovalsMissing, || {
        let newcomer = newcomer(organisation("west", OrganisationKind::Hospital), &["north", "south"]);
        whole(World::new().admin::<Empty>("north", "register_hospital", &newcomer))
    }),
    (Code::KeyReused, || {
        let mut west = organisation("west", OrganisationKind::Hospital);
        west.sealing_key = sealing_key("south", 1);
        let newcomer = newcomer(west, &["north", "south", "alpha"]);
        whole(World::new().admin::<Empty>("north", "register_hospital", &newcomer))
    }),
    (Code::WrongSequence, || {
        let mut world = World::new();
        let patient = world.patient("north");
        world.withdraw("south", &patient).unwrap();
        let next =
            crate::tests::world::Patient { consent: semblance_core::id::ConsentId::from_bytes([9; 16]), ..patient };
        world.grant("north", next.signed(|consent| consent.sequence = 2))
    }),
    (Code::BadSignature, || {
        let mut world = World::new();
        let patient = world.registered("north");
        let SignedStatement(source) = patient.signed(|_| ());
        world.grant("north", SignedStatement(forged(&source)))
    }),
    (Code::WrongEpochNumber, || whole(World::new().admin::<Empty>("north", "open_epoch", &open_epoch(3)))),
    (Code::EpochOverlap, || {
        let mut world = World::new();
        world.admin::<Empty>("south", "open_epoch", &open_epoch(2)).unwrap();
        whole(world.admin::<Empty>("south", "open_epoch", &open_epoch(3)))
    }),
    (Code::UnknownEpoch, || {
        let mut world = World::new();
        let (patient, handle) = (world.patient("north"), world.handle());
        world.publish("north", PublishItem { epoch: EpochNumber(2), ..item(&patient, handle, None) })
    }),
    (Code::EpochClosed, || {
        let mut world = World::new();
        let (patient, handle) = (world.patient("north"), world.handle());
        world.close("north", 1).unwrap();
        world.publish("north", item(&patient, handle, None))
    }),
    (Code::EpochKeysIncomplete, || {
        let mut epoch = open_epoch(1);
        epoch.keys = List::new(epoch.keys.items()[..1].to_vec()).unwrap();
        whole(World::founded().admin::<Empty>("north", "open_epoch", &epoch))
    }),
    (Code::PatientKeyExists, || {
        let mut world = World::new();
        let patient = world.registered("north");
        world.register("north", patient.entry())
    }),
    (Code::UnknownPatientKey, || {
        let mut world = World::new();
        let patient = world.stranger("north");
        world.grant("north", patient.signed(|_| ()))
    }),
    (Code::PatientKeyReplaced, || {
        let mut world = World::new();
        let patient = world.registered("north");
        world.replace_key(&patient, true).unwrap();
        world.grant("north", patient.signed(|_| ()))
    }),
    (Code::PatientKeysExhausted, || {
        let mut world = World::new();
        let mut patient = world.registered("north");
        loop {
            patient.key = world.replace_key(&patient, false)?;
        }
    }),
    (Code::ConsentExists, || {
        let mut world = World::new();
        let patient = world.patient("north");
        world.withdraw("north", &patient).unwrap();
        world.grant("north", patient.signed(|consent| consent.sequence = 3))
    }),
    (Code::UnknownConsent, || {
        let mut world = World::new();
        let patient = world.registered("north");
        whole(world.withdraw("north", &patient))
    }),
    (Code::ConsentWithdrawn, || {
        let mut world = World::new();
        let (patient, handle) = (world.patient("north"), world.handle());
        world.withdraw("alpha", &patient).unwrap();
        world.publish("north", item(&patient, handle, None))
    }),
    (Code::ConsentExpired, || {
        let mut world = World::new();
        let (patient, handle) = (world.patient("north"), world.handle());
        world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS));
        world.publish("north", item(&patient, handle, None))
    }),
    (Code::ConsentNotYetValid, || {
        let mut world = World::new();
        let (patient, handle) = (world.registered("north"), world.handle());
        world.grant("north", patient.signed(|consent| consent.not_before = NOW.plus(1))).unwrap();
        world.publish("north", item(&patient, handle, None))
    }),
    (Code::ConsentScope, || {
        let mut world = World::new();
        let (patient, handle) = (world.registered("north"), world.handle());
        let scopes = Scopes::new(&[Scope::JoinGroups]).unwrap();
        world.grant("north", patient.signed(|consent| consent.scopes = scopes)).unwrap();
        world.publish("north", item(&patient, handle, None))
    }),
    (Code::EarlierConsentLive, || {
        let mut world = World::new();
        let patient = world.patient("north");
        let other = semblance_core::id::ConsentId::from_bytes([9; 16]);
        let renewed = patient.signed(|consent| (consent.consent, consent.sequence) = (other, 2));
        world.grant("north", renewed)
    }),
    (Code::CaseMismatch, || {
        let mut world = World::new();
        let patient = world.registered("north");
        world.grant("north", patient.signed(|consent| consent.case = semblance_core::id::Digest::of(b"other")))
    }),
    (Code::UnknownCase, || World::new().expire("north", CaseHandle::from_bytes([1; 16]))),
    (Code::HandleUsed, || {
        let mut world = World::new();
        let ((_, handle), other) = (world.published("north"), world.patient("south"));
        world.publish("south", item(&other, handle, None))
    }),
    (Code::AlreadyPublished, || {
        let mut world = World::new();
        let ((patient, _), handle) = (world.published("north"), world.handle());
        world.publish("north", item(&patient, handle, None))
    }),
    (Code::ReplacesMismatch, || {
        let mut world = World::new();
        let ((patient, _), handle, other) = (world.published("north"), world.handle(), world.handle());
        world.publish("north", item(&patient, handle, Some(other)))
    }),
    (Code::PublicationsExhausted, || {
        let mut world = World::new();
        let (patient, mut last) = world.published("north");
        for _ in 0..2 {
            let handle = world.handle();
            world.publish("north", item(&patient, handle, Some(last))).unwrap();
            last = handle;
        }
        let handle = world.handle();
        world.publish("north", item(&patient, handle, Some(last)))
    }),
    (Code::EpochsExhausted, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        // As if all epochs up to this one had been opened and closed.
        let late = EpochNumber(EPOCH.0 + semblance_core::limits::CONSENT_EPOCHS_MAX);
        let mut epoch = semblance_core::epoch::Epoch::decode(&world.stub.state()[&key::epoch(EPOCH)]).unwrap();
        epoch.number = late;
        world.stub.tamper(&key::epoch(late), epoch.encode());
        let next = world.handle();
        world.publish("north", PublishItem { epoch: late, ..item(&patient, next, None) })
    }),
    (Code::FingerprintMissing, || {
        let mut world = World::new();
        let (patient, handle) = (world.patient("north"), world.handle());
        let argument = publish_cases(vec![item(&patient, handle, None)]);
        whole(world.node::<Outcomes>("north", "publish_cases", &argument))
    }),
    (Code::FingerprintInvalid, || publish_value(b"no fingerprint".to_vec())),
    (Code::FingerprintHash, || publish_value(private_value(2).encode())),
    (Code::CaseLive, || {
        let mut world = World::new();
        let (_, handle) = world.published("north");
        world.purge("north", handle)
    }),
    (Code::NotExpired, || {
        let mut world = World::new();
        let (_, handle) = world.published("north");
        world.expire("north", handle)
    }),
    (Code::WrongMatcher, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.record("beta", patient.entry_of(1, |_| ()))
    }),
    (Code::RequestExpired, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.stub.set_timestamp(NOW.plus(60_001));
        world.record("alpha", patient.entry_of(1, |_| ()))
    }),
    (Code::RequestLongLived, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.record("alpha", patient.entry_of(1, |request| request.expires = NOW.plus(Day::MILLIS)))
    }),
    (Code::RequestUsed, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.record("alpha", patient.entry_of(1, |_| ())).unwrap();
        world.record("alpha", patient.entry_of(1, |request| request.slot = patient.request(2).slot))
    }),
    (Code::SlotUsed, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.record("alpha", patient.entry_of(1, |_| ())).unwrap();
        world.record("alpha", patient.entry_of(2, |request| request.slot = patient.request(1).slot))
    }),
    (Code::SlotDay, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let yesterday = semblance_core::lookup::LookupSlot::new(Day::from_number(TODAY.number() - 1), 1).unwrap();
        world.record("alpha", patient.entry_of(1, |request| request.slot = yesterday))
    }),
    (Code::CaseNotPublished, || {
        let mut world = World::new();
        let patient = world.patient("north");
        world.record("alpha", patient.entry_of(1, |_| ()))
    }),
    (Code::EntryMismatch, || {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.record("alpha", patient.entry_of(1, |request| request.minimum_height = 10))
    }),
    (Code::DenialTime, || {
        let mut late = denial("alpha", 1);
        late.time = NOW.plus(6 * 60 * 1000);
        record_denial(&mut World::new(), late)
    }),
    (Code::DenialTooOld, || {
        let mut old = denial("alpha", 1);
        old.time = semblance_core::time::Timestamp::from_millis(NOW.millis() - 32 * Day::MILLIS);
        record_denial(&mut World::new(), old)
    }),
    (Code::DenialExists, || {
        let mut world = World::new();
        record_denial(&mut world, denial("alpha", 1)).unwrap();
        let mut other = denial("alpha", 1);
        other.code = semblance_core::denial::DenialCode::Malformed;
        record_denial(&mut world, other)
    }),
    (Code::DuplicateInBatch, || {
        let mut world = World::new();
        let (patient, one, other) = (world.patient("north"), world.handle(), world.handle());
        let items = vec![item(&patient, one, None), item(&patient, other, None)];
        let outcomes = world.publish_all("north", items).unwrap();
        assert!(outcomes.items()[0].is_ok());
        outcomes.items()[1].clone().map_err(|refusal| refusal.code().unwrap())
    }),
];

fn too_large() -> End {
    let mut writer = Writer::record(1);
    writer.count(101);
    for _ in 0..101 {
        Handle(CaseHandle::from_bytes([1; 16])).write(&mut writer);
    }
    whole(World::new().invoke("north", Role::Node, "expire", writer.finish(), &[]))
}

fn wrong_endorser() -> End {
    let mut world = World::new();
    let (patient, handle) = (world.patient("north"), world.handle());
    world.stub.set_caller(&id("north"), Role::Node);
    world.stub.set_endorser(&id("south"));
    let values = Fingerprints::new(vec![Opaque(private_value(1).encode())]).unwrap();
    world.stub.set_transient(TRANSIENT_FINGERPRINTS, values.encode());
    let argument = publish_cases(vec![item(&patient, handle, None)]).encode();
    assert_eq!(world.stub.endorser(), &id("south"));
    whole(SemblanceContract.invoke(&mut world.stub, "publish_cases", &[argument]))
}

fn publish_value(value: Vec<u8>) -> End {
    let mut world = World::new();
    let (patient, handle) = (world.patient("north"), world.handle());
    let values = Fingerprints::new(vec![Opaque(value)]).unwrap();
    let transient = [(TRANSIENT_FINGERPRINTS, values.encode())];
    let argument = publish_cases(vec![item(&patient, handle, None)]).encode();
    let response = world.invoke("north", Role::Node, "publish_cases", argument, &transient).unwrap();
    assert!(world.writes.private.is_empty() && world.writes.event.is_none());
    only(Outcomes::decode(&response).unwrap())
}

fn record_denial(world: &mut World, denial: semblance_core::denial::Denial) -> End {
    let denials = List::<_, 100>::new(vec![denial]).unwrap();
    only(world.node("alpha", "record_denials", &denials).unwrap())
}

#[test]
fn every_code_has_a_story_that_ends_with_it() {
    let stories = || STORIES.iter().chain(contact::STORIES);
    for (code, story) in stories() {
        assert_eq!(story(), Err(*code), "the story of {code}");
    }
    let told: std::collections::BTreeSet<_> = stories().map(|(code, _)| *code).collect();
    let untold: Vec<_> = Code::ALL.iter().filter(|code| !told.contains(code)).collect();
    assert!(untold.is_empty(), "no story ends with {untold:?}");
}

#[test]
fn signatures_and_sequences_are_checked_wherever_they_stand() {
    let mut world = World::new();
    let (patient, _) = world.published("north");
    let forged_statement = |SignedStatement(source): SignedStatement| SignedStatement(forged(&source));

    let rotation = rotation("north", |next| next.tls_root = TlsRoot::new(vec![2]).unwrap());
    let (_, source) = rotation.sign(&node("north")).into_parts();
    let forgery = SignedStatement(forged(&source));
    assert_eq!(whole(world.admin::<Empty>("north", "rotate_key", &forgery)), Err(Code::BadSignature));

    let withdrawal = forged_statement(patient.signed_withdrawal());
    let refused = world.node::<crate::wire::Withdrawn>("north", "withdraw_consent", &withdrawal);
    assert_eq!(whole(refused), Err(Code::BadSignature));

    let mut request = patient.entry_of(1, |_| ());
    request.request = forged(&request.request);
    assert_eq!(world.record("alpha", request), Err(Code::BadSignature));

    let stranger = world.stranger("north");
    let by_another = PatientKeyEntry::sign(stranger.registration(), &node("south"), None);
    assert_eq!(world.register("north", by_another), Err(Code::BadSignature));

    for function in ["propose_introduction", "answer_introduction", "open_channel"] {
        let argument = super::permissions::arguments(&mut World::new()).remove(function).unwrap();
        let forgery = forged_statement(SignedStatement::decode(&argument).unwrap());
        assert_eq!(whole(world.node::<Empty>("north", function, &forgery)), Err(Code::BadSignature), "{function}");
    }
    let mut opening = super::contact::open_group(super::contact::group("north", 1, &["north", "south"]));
    opening.opening = forged(&opening.opening);
    assert_eq!(whole(world.node::<Empty>("north", "open_group", &opening)), Err(Code::BadSignature));

    let early = SignedStatement(
        semblance_core::consent::Withdrawal { sequence: 1, ..patient.withdrawal() }.sign(&patient.key).into_parts().1,
    );
    let refused = world.node::<crate::wire::Withdrawn>("north", "withdraw_consent", &early);
    assert_eq!(whole(refused), Err(Code::WrongSequence));
}

#[test]
fn a_broken_ledger_ends_the_whole_batch() {
    let mut world = World::new();
    let (_, handle) = world.published("north");
    world.stub.tamper(&key::case(handle), vec![0]);
    let result = world.node::<Outcomes>("north", "expire", &handles(&[handle]));
    assert_eq!(whole(result), Err(Code::CorruptState));
}

#[test]
fn unknown_things_are_none_in_queries() {
    let mut world = World::new();
    let nothing = Handle(CaseHandle::from_bytes([1; 16]));
    let found: Maybe<crate::state::CaseView> = world.node("south", "case", &nothing).unwrap();
    assert_eq!(found, Maybe(None));
    let page = OfEpoch { epoch: EpochNumber(9), page: PageRequest::first(5) };
    let page: Page<semblance_core::case::PublishedCase> = world.node("south", "live_cases", &page).unwrap();
    assert_eq!(page, Page { rows: vec![], next: None });
}
