//! `record_lookups`: the entries of look-ups, written by the matcher before any answer leaves.
//!
//! Two-sided: a look-up is made from an own case that is published with live consent in the query's epoch, or it is
//! refused. Each takes one of the hospital's slots of the day; the request id is used once. What is refused has its
//! code, so that the matcher records a denial.

use semblance_core::id::OrganisationId;
use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::organisation::OrganisationKind;
use semblance_core::time::Timestamp;

use crate::call::Call;
use crate::check;
use crate::event::{Event, RecordedLookup};
use crate::state::{LookupRecord, LookupRow};
use crate::wire::{Handle, Outcomes, RecordLookups};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: RecordLookups) -> Result<Outcomes, ContractError> {
    let (outcomes, recorded) = call.each(argument.into_items(), record)?;
    if !recorded.is_empty() {
        call.emit(&Event::LookupsRecorded(recorded))?;
    }
    Ok(outcomes)
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
    check_own_case(call, &request)?;
    call.claim(&[&lookup_key, &slot_key])?;

    let recorded = call.now();
    call.save(&lookup_key, &LookupRecord { recorded, entry })?;
    call.save(&slot_key, &row(&request, recorded))?;
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

fn check_own_case(call: &mut Call<'_>, request: &LookupRequest) -> Result<(), ContractError> {
    let unpublished = || {
        let message = format!("the asker's case is not live in epoch {}: publish it first", request.epoch);
        ContractError::new(Code::CaseNotPublished, message)
    };
    let published_key = key::published(&request.hospital, request.case, request.epoch);
    let Handle(handle) = call.load(&published_key)?.ok_or_else(unpublished)?;
    let case = check::case(call, handle)?;
    check::live_consent(call, case.consent)?;
    if call.exists(&key::case_tombstone(handle))? {
        return Err(unpublished());
    }
    Ok(())
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
