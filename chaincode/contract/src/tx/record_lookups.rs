//! `record_lookups`: the entries of look-ups, written by the matcher before any answer leaves.
//!
//! Two-sided: a look-up is made from an own case that is published with live consent in the query's epoch, or it is
//! refused. Each takes one of the hospital's slots of the day; the request id is used once. What is refused has its
//! code, so that the matcher records a denial. Nobody rewrites an entry later without both asker and matcher.

use semblance_core::id::{CaseHandle, Digest, OrganisationId};
use semblance_core::limits::{LOOKUP_VALIDITY_MILLIS, PROPOSAL_SKEW_MILLIS};
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::organisation::OrganisationKind;
use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;

use crate::call::Call;
use crate::check;
use crate::event::{Event, RecordedLookup};
use crate::state::{LookupRecord, LookupRow, Publication};
use crate::wire::{Outcomes, RecordLookups};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: RecordLookups) -> Result<Outcomes, ContractError> {
    let entries = argument.into_items();
    read_ahead(call, &entries)?;
    let (outcomes, recorded) = call.each(entries, record)?;
    if !recorded.is_empty() {
        call.emit(&Event::LookupsRecorded(recorded))?;
    }
    Ok(outcomes)
}

fn read_ahead(call: &mut Call<'_>, entries: &[LookupEntry]) -> Result<(), ContractError> {
    let network = call.network_id();
    let claims = entries.iter().filter_map(|entry| entry.claim(network).ok());
    let keys: Vec<String> = claims
        .flat_map(|claim| {
            let request = claim.claims();
            [
                key::organisation(&request.hospital),
                key::lookup(request.request),
                key::lookup_slot(&request.hospital, request.slot),
                key::epoch(request.epoch),
                key::published(&request.hospital, request.case, request.epoch),
            ]
        })
        .collect();
    call.read_ahead(keys)
}

fn record(call: &mut Call<'_>, entry: LookupEntry) -> Result<RecordedLookup, ContractError> {
    let claim = entry.claim(call.network_id())?;
    check_claims(claim.claims(), &entry, call.caller(), call.now())?;
    let hospital = check::organisation(call, &claim.claims().hospital)?;
    if hospital.kind != OrganisationKind::Hospital {
        return Err(ContractError::new(Code::WrongKind, format!("{} is no hospital", hospital.id)));
    }
    let (request, _) = claim
        .verify(&hospital.verifying_key)
        .map_err(|_| {
            let message = format!("the request is not signed by the present key of {}", hospital.id);
            ContractError::new(Code::BadSignature, message)
        })?
        .into_parts();

    let lookup_key = key::lookup(request.request);
    if call.exists(&lookup_key)? {
        let message = format!("request {} was recorded before: its entry is the answer's", request.request);
        return Err(ContractError::new(Code::RequestUsed, message));
    }
    let slot_key = key::lookup_slot(&request.hospital, request.slot);
    if call.exists(&slot_key)? {
        let (number, day) = (request.slot.number(), request.slot.day());
        let message = format!("slot {number} of {} on day {day} is taken: take another", request.hospital);
        return Err(ContractError::new(Code::SlotUsed, message));
    }
    check::open_epoch(call, request.epoch)?;
    check_own_case(call, &request.hospital, request.case, request.epoch)?;
    call.claim(&[&lookup_key, &slot_key])?;

    let recorded = call.now();
    let both = vec![request.hospital.clone(), request.matcher.clone()];
    call.save_guarded(&lookup_key, &LookupRecord { recorded, entry }, both.clone())?;
    call.save_guarded(&slot_key, &row(&request, recorded), both)?;
    Ok(RecordedLookup {
        request: request.request,
        hospital: request.hospital,
        matcher: request.matcher,
        clinician: request.clinician,
        slot: request.slot,
    })
}

/// What needs no state.
fn check_claims(
    request: &LookupRequest,
    entry: &LookupEntry,
    caller: &OrganisationId,
    now: Timestamp,
) -> Result<(), ContractError> {
    if request.matcher != *caller {
        return Err(ContractError::new(Code::WrongMatcher, format!("the request is for {}", request.matcher)));
    }
    if now > request.expires {
        return Err(ContractError::new(Code::RequestExpired, "the request has expired: sign a new one"));
    }
    // Signed by a clock that may be ahead of the proposal's; a request that stays valid longer could be kept and played.
    if request.expires > now.plus(LOOKUP_VALIDITY_MILLIS + PROPOSAL_SKEW_MILLIS) {
        let minutes = LOOKUP_VALIDITY_MILLIS / 60_000;
        let message = format!("the request expires more than {minutes} minutes from now: sign a shorter one");
        return Err(ContractError::new(Code::RequestLongLived, message));
    }
    // A request signed just before midnight, or by a clock a little ahead, is still of its day.
    let earliest = Timestamp::from_millis(now.millis().saturating_sub(PROPOSAL_SKEW_MILLIS)).day();
    let latest = now.plus(PROPOSAL_SKEW_MILLIS).day();
    let day = request.slot.day();
    if day < earliest || day > latest {
        let message = format!("the slot is of day {day}, today is day {}: take one of today", now.day());
        return Err(ContractError::new(Code::SlotDay, message));
    }
    if entry.index_height < request.minimum_height {
        let (height, minimum) = (entry.index_height, request.minimum_height);
        let message = format!("the index had reached block {height}, the request wants {minimum}");
        return Err(ContractError::new(Code::EntryMismatch, message));
    }
    Ok(())
}

/// The live handle of the asker's own case; the query `standing` asks the same.
pub(crate) fn check_own_case(
    call: &mut Call<'_>,
    hospital: &OrganisationId,
    commitment: Digest,
    epoch: EpochNumber,
) -> Result<CaseHandle, ContractError> {
    let unpublished = || {
        let message = format!("the asker's case is not live in epoch {epoch}: publish it first");
        ContractError::new(Code::CaseNotPublished, message)
    };
    let published_key = key::published(hospital, commitment, epoch);
    let Publication { handle, .. } = call.load(&published_key)?.ok_or_else(unpublished)?;
    let case = check::case(call, handle)?;
    check::live_consent(call, case.consent)?;
    if call.exists(&key::case_tombstone(handle))? {
        return Err(unpublished());
    }
    Ok(handle)
}

fn row(request: &LookupRequest, recorded: Timestamp) -> LookupRow {
    LookupRow {
        hospital: request.hospital.clone(),
        slot: request.slot,
        request: request.request,
        clinician: request.clinician,
        purpose: request.purpose,
        short: request.short,
        matcher: request.matcher.clone(),
        recorded,
    }
}

#[cfg(test)]
mod tests {
    use semblance_core::limits::{LOOKUP_VALIDITY_MILLIS, PROPOSAL_SKEW_MILLIS};
    use semblance_core::lookup::LookupSlot;
    use semblance_core::time::{Day, Timestamp};
    use semblance_core::token::EpochNumber;

    use crate::state::{LookupRecord, LookupRow};
    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{Empty, List, Maybe, OfDay, OfOrganisationOnDay, Outcomes, Page, PageRequest, RequestArgument};
    use crate::{Code, key};

    #[test]
    fn the_entry_stands_as_it_was_signed() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let entry = patient.entry_of(1, |request| request.short = true);
        world.record("alpha", entry.clone()).unwrap();
        let argument = RequestArgument(patient.request(1).request);
        let found: Maybe<LookupRecord> = world.node("north", "lookup", &argument).unwrap();
        assert_eq!(found.0, Some(LookupRecord { recorded: NOW, entry }));
        let argument = OfOrganisationOnDay { organisation: id("north"), day: TODAY, page: PageRequest::first(9) };
        let rows: Page<LookupRow> = world.node("south", "lookups_of_hospital", &argument).unwrap();
        let [row] = &rows.rows[..] else { panic!("one look-up") };
        assert!(row.short && row.matcher == id("alpha") && row.clinician == patient.request(1).clinician);
        let both = KeyPolicy::AllOf(vec![id("north"), id("alpha")]);
        for key in [key::lookup(row.request), key::lookup_slot(&row.hospital, row.slot)] {
            assert_eq!(world.stub.policy(&key), Some(&both), "no two others rewrite what was asked");
        }
    }

    #[test]
    fn a_slot_counts_across_matchers() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.record("alpha", patient.entry_of(1, |_| ())).unwrap();
        let by_beta = patient.entry_of(2, |request| {
            (request.slot, request.matcher) = (patient.request(1).slot, id("beta"));
        });
        assert_eq!(world.record("beta", by_beta), Err(Code::SlotUsed));
    }

    #[test]
    fn both_sides_take_part_or_nobody_asks() {
        let mut world = World::new();
        let (patient, first) = world.published("north");
        let foreign = patient.entry_of(1, |request| request.hospital = id("south"));
        assert_eq!(world.record("alpha", foreign), Err(Code::BadSignature), "signed by north");
        let mut request = patient.request(1);
        request.hospital = id("south");
        assert_eq!(world.record("alpha", entry(request, &node("south"))), Err(Code::CaseNotPublished));
        world.admin::<Empty>("north", "open_epoch", &open_epoch(2)).unwrap();
        let elsewhere = patient.entry_of(1, |request| request.epoch = EpochNumber(2));
        assert_eq!(world.record("alpha", elsewhere), Err(Code::CaseNotPublished));
        let second = world.handle();
        world.publish("north", item(&patient, second, Some(first))).unwrap();
        world.record("alpha", patient.entry_of(1, |_| ())).unwrap();
        world.withdraw("south", &patient).unwrap();
        assert_eq!(world.record("alpha", patient.entry_of(2, |_| ())), Err(Code::ConsentWithdrawn));
    }

    #[test]
    fn a_request_is_valid_for_minutes() {
        let longest = LOOKUP_VALIDITY_MILLIS + PROPOSAL_SKEW_MILLIS;
        for (life, expected) in [(longest, Ok(())), (longest + 1, Err(Code::RequestLongLived))] {
            let mut world = World::new();
            let (patient, _) = world.published("north");
            let entry = patient.entry_of(1, |request| request.expires = NOW.plus(life));
            assert_eq!(world.record("alpha", entry), expected, "{life}");
        }
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let endless = patient.entry_of(1, |request| request.expires = Timestamp::from_millis(u64::MAX));
        assert_eq!(world.record("alpha", endless), Err(Code::RequestLongLived));
    }

    #[test]
    fn an_index_has_reached_the_height_that_was_asked_for() {
        for (height, expected) in [(9, Ok(())), (10, Err(Code::EntryMismatch)), (u64::MAX, Err(Code::EntryMismatch))] {
            let mut world = World::new();
            let (patient, _) = world.published("north");
            let entry = patient.entry_of(1, |request| request.minimum_height = height);
            assert_eq!(entry.index_height, 9);
            assert_eq!(world.record("alpha", entry), expected, "{height}");
        }
    }

    #[test]
    fn a_matchers_clock_behind_the_hospitals_does_not_undo_a_publication() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let consent = patient.consent_parts();
        world.stub.set_timestamp(Timestamp::from_millis(consent.not_before.millis() - PROPOSAL_SKEW_MILLIS));
        world.record("alpha", patient.entry_of(1, |_| ())).unwrap();
    }

    #[test]
    fn an_expired_asker_does_not_ask() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let late = NOW.plus(30 * Day::MILLIS);
        world.stub.set_timestamp(late);
        let entry = patient.entry_of(1, |request| {
            request.slot = LookupSlot::new(late.day(), 1).unwrap();
            request.expires = late;
        });
        assert_eq!(world.record("alpha", entry), Err(Code::ConsentExpired));
    }

    #[test]
    fn around_midnight_two_days_have_slots() {
        let midnight = Timestamp::from_millis((u64::from(TODAY.number()) + 1) * Day::MILLIS);
        let four_minutes = 4 * 60_000;
        let cases = [(midnight, TODAY, true), (midnight.plus(four_minutes), TODAY, true)];
        let after = midnight.plus(6 * 60_000);
        let tomorrow = midnight.day();
        let early = Timestamp::from_millis(midnight.millis() - four_minutes);
        let too_early = Timestamp::from_millis(midnight.millis() - 6 * 60_000);
        let more = [(after, TODAY, false), (early, tomorrow, true), (too_early, tomorrow, false)];
        for (now, day, taken) in cases.into_iter().chain(more) {
            let mut world = World::new();
            let (patient, _) = world.published("north");
            world.stub.set_timestamp(now);
            let entry = patient.entry_of(1, |request| {
                request.slot = LookupSlot::new(day, 1).unwrap();
                request.expires = now;
            });
            let expected = if taken { Ok(()) } else { Err(Code::SlotDay) };
            assert_eq!(world.record("alpha", entry), expected, "at {now:?} for day {day}");
        }
    }

    #[test]
    fn items_are_judged_one_by_one() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let entries = vec![
            patient.entry_of(1, |_| ()),
            patient.entry_of(2, |request| request.slot = patient.request(1).slot),
            patient.entry_of(3, |request| request.matcher = id("beta")),
            patient.entry_of(4, |_| ()),
        ];
        let outcomes: Outcomes = world.node("alpha", "record_lookups", &List::<_, 50>::new(entries).unwrap()).unwrap();
        let codes: Vec<_> =
            outcomes.items().iter().map(|item| item.as_ref().err().and_then(|one| one.code())).collect();
        assert_eq!(codes, [None, Some(Code::DuplicateInBatch), Some(Code::WrongMatcher), None]);
    }

    #[test]
    fn a_days_look_ups_come_in_pages_over_all_hospitals() {
        let mut world = World::new();
        for hospital in ["north", "south"] {
            let (patient, _) = world.published(hospital);
            for number in 1..=3 {
                let unique = if hospital == "north" { number } else { number + 100 };
                let entry = patient.entry_of(unique, |request| request.slot = patient.request(number).slot);
                world.record("alpha", entry).unwrap();
            }
        }
        for limit in 1..=7 {
            let (mut found, mut bookmark) = (Vec::new(), None);
            loop {
                let page = PageRequest::at(bookmark, limit);
                let rows: Page<LookupRow> = world.node("beta", "lookups_of_day", &OfDay { day: TODAY, page }).unwrap();
                assert!(rows.rows.len() <= limit);
                found.extend(rows.rows.into_iter().map(|row| (row.hospital, row.slot.number())));
                match rows.next {
                    Some(next) => bookmark = Some(next),
                    None => break,
                }
            }
            let slots = |name| (1..=3).map(move |number| (id(name), number));
            assert_eq!(found, slots("north").chain(slots("south")).collect::<Vec<_>>(), "pages of {limit}");
        }
    }
}
