//! What followers are told, and that its bytes read back.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use semblance_core::id::{ClinicianPseudonym, DenialId, RequestId};
use semblance_core::introduction::Outcome;
use semblance_core::limits::{EVENT_BYTES_MAX, PUBLISH_BATCH_MAX};

use super::contact::{CHANNEL, GROUP, INTRODUCTION};
use super::world::*;
use crate::event::{CasePublication, Event, OwnedCase, RecordedLookup};

fn publication() -> CasePublication {
    CasePublication {
        handle: semblance_core::id::CaseHandle::from_bytes([1; 16]),
        hospital: id(&"h".repeat(40)),
        consent: semblance_core::id::ConsentId::from_bytes([2; 16]),
        epoch: EPOCH,
        expires: NOW,
        private_hash: [3; 32],
        replaces: Some(semblance_core::id::CaseHandle::from_bytes([4; 16])),
    }
}

fn all() -> Vec<Event> {
    let case = OwnedCase { handle: publication().handle, hospital: id("north") };
    let lookup = RecordedLookup {
        request: RequestId::from_bytes([5; 16]),
        hospital: id("north"),
        matcher: id("alpha"),
        clinician: ClinicianPseudonym::from_bytes([6; 32]),
        slot: semblance_core::lookup::LookupSlot::new(TODAY, 7).unwrap(),
    };
    vec![
        Event::NetworkCreated(vec![id("north"), id("south")]),
        Event::MemberRegistered(id("west")),
        Event::KeyRotated(id("north")),
        Event::EpochOpened(EPOCH),
        Event::EpochClosed(EPOCH),
        Event::PatientKeysRegistered(id("north"), vec![node("patient").verifying_key()]),
        Event::ConsentsGranted(id("north"), vec![publication().consent]),
        Event::ConsentWithdrawn(publication().consent, vec![case.clone()]),
        Event::CasesExpired(vec![case.clone()]),
        Event::CasesPublished(vec![publication()]),
        Event::CasesPurged(vec![case]),
        Event::LookupsRecorded(vec![lookup]),
        Event::DenialsRecorded(id("alpha"), vec![DenialId::from_bytes([8; 16])]),
        Event::IntroductionProposed(INTRODUCTION, id("north")),
        Event::IntroductionAnswered(INTRODUCTION, id("south"), Outcome::Accepted),
        Event::ChannelOpened(CHANNEL, id("south"), 1),
        Event::GroupOpened(GROUP, id("north"), u32::MAX),
    ]
}

#[test]
fn every_event_reads_back() {
    for event in all() {
        assert_eq!(Event::decode(event.name(), &event.payload()), Ok(Some(event)));
    }
    assert_eq!(Event::decode("made-up-later", &[1]), Ok(None));
}

#[test]
fn the_largest_batch_fits_into_an_event() {
    let largest = Event::CasesPublished(vec![publication(); PUBLISH_BATCH_MAX]);
    assert!(largest.payload().len() < EVENT_BYTES_MAX);
}

proptest! {
    #[test]
    fn near_an_event_only_canonical_bytes_are_taken(
        event in select(all()),
        edits in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
    ) {
        let mut bytes = event.payload();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(Some(decoded)) = Event::decode(event.name(), bytes) {
                prop_assert_eq!(decoded.payload(), bytes);
            }
        }
    }
}

#[test]
fn only_what_took_effect_is_told() {
    let mut world = World::new();
    let (good, other) = (world.patient("north"), world.patient("north"));
    let (one, two) = (world.handle(), world.handle());
    world.withdraw("north", &other).unwrap();
    let outcomes = world.publish_all("north", vec![item(&other, two, None), item(&good, one, None)]).unwrap();
    assert!(outcomes.items()[0].is_err() && outcomes.items()[1].is_ok());
    let (name, payload) = world.writes.event.clone().unwrap();
    let Some(Event::CasesPublished(cases)) = Event::decode(&name, &payload).unwrap() else { panic!("{name}") };
    assert_eq!(cases.iter().map(|case| case.handle).collect::<Vec<_>>(), [one]);
}
