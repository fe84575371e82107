//! `publish_cases`: fingerprints into the hospital's private collection, handles and hashes onto the chain.
//!
//! The fingerprints travel as transient data, so they reach the peers of the named endorsers alone: the hospital's own
//! and one matcher's. A peer of anyone else refuses to execute, so that a careless choice of endorsers is noticed.
//! The consent, its tombstone and the epoch are read, so that a withdrawal or the epoch's end at the same moment
//! conflicts with the publication.

use semblance_core::case::{CaseStatus, PublishedCase};
use semblance_core::consent::{Consent, Scope};
use semblance_core::fingerprint::PrivateValue;
use semblance_core::id::OrganisationId;
use semblance_core::limits::PUBLICATIONS_MAX;
use semblance_core::organisation::OrganisationKind;
use semblance_core::record::Record;

use crate::call::Call;
use crate::check;
use crate::event::{CasePublication, Event};
use crate::state::{CaseTombstone, Publication};
use crate::stub::fingerprint_collection;
use crate::wire::{Fingerprints, Handle, Opaque, Outcomes, PublishCases, PublishItem, TRANSIENT_FINGERPRINTS};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: PublishCases) -> Result<Outcomes, ContractError> {
    let values = private_values(call, argument.items.items().len())?;
    check_endorser(call, &argument.matcher)?;
    let items = argument.items.into_items().into_iter().zip(values);
    let (outcomes, published) = call.each(items, |call, (item, value)| publish(call, &item, value))?;
    if !published.is_empty() {
        call.emit(&Event::CasesPublished(published))?;
    }
    Ok(outcomes)
}

fn private_values(call: &mut Call<'_>, expected: usize) -> Result<Vec<Opaque>, ContractError> {
    let missing = |why: String| ContractError::new(Code::FingerprintMissing, why);
    let transient = call
        .stub()
        .transient(TRANSIENT_FINGERPRINTS)
        .ok_or_else(|| missing(format!("the transient field '{TRANSIENT_FINGERPRINTS}' is missing")))?;
    let values = Fingerprints::decode(transient)?.into_items();
    if values.len() != expected {
        return Err(missing(format!("{expected} items came with {} fingerprints", values.len())));
    }
    Ok(values)
}

/// Both endorsers read the same keys, so that their results are equal.
fn check_endorser(call: &mut Call<'_>, matcher: &OrganisationId) -> Result<(), ContractError> {
    if check::organisation(call, matcher)?.kind != OrganisationKind::Matcher {
        return Err(ContractError::new(Code::WrongKind, format!("{matcher} is named as matcher and is none")));
    }
    let (caller, endorser) = (call.caller().clone(), call.stub().endorser());
    if *endorser != caller && endorser != matcher {
        let message = format!("{endorser} must not see fingerprints: name {caller} and {matcher} as endorsers");
        return Err(ContractError::new(Code::WrongEndorser, message));
    }
    Ok(())
}

fn publish(call: &mut Call<'_>, item: &PublishItem, value: Opaque) -> Result<CasePublication, ContractError> {
    check_value(item, &value)?;
    let hospital = call.caller().clone();
    let consent = check::live_consent(call, item.consent)?;
    check_consent(&consent, &hospital)?;
    check::open_epoch(call, item.epoch)?;
    let handle_key = key::case(item.handle);
    if call.exists(&handle_key)? {
        return Err(ContractError::new(Code::HandleUsed, format!("handle {} was used before", item.handle)));
    }
    let live_key = key::live(item.consent, item.epoch);
    let published_key = key::published(&hospital, consent.case, item.epoch);
    let count = check_earlier(call, item, &live_key)?;
    check_commitment_is_free(call, item, &published_key)?;
    call.claim(&[&handle_key, &live_key, &published_key])?;

    if let Some(replaced) = item.replaces {
        let tombstone = CaseTombstone { status: CaseStatus::Replaced { by: item.handle }, at: call.now() };
        call.save(&key::case_tombstone(replaced), &tombstone)?;
    }
    let record = record_of(call, item, &consent);
    call.save_owned(&handle_key, &record, &hospital)?;
    call.save_owned(&live_key, &Publication { handle: item.handle, count }, &hospital)?;
    call.save_owned(&published_key, &Handle(item.handle), &hospital)?;
    call.stub().put_private(&fingerprint_collection(&hospital), &item.handle.to_string(), value.0)?;
    Ok(CasePublication::of(&record, item.replaces))
}

/// Form and hash of the private value, before any state is read.
fn check_value(item: &PublishItem, value: &Opaque) -> Result<(), ContractError> {
    let decoded = PrivateValue::decode(&value.0)
        .map_err(|error| ContractError::new(Code::FingerprintInvalid, format!("case {}: {error}", item.handle)))?;
    if decoded.sha256().as_bytes() != &item.private_hash {
        let message = format!("the fingerprint of case {} has another hash than its item says", item.handle);
        return Err(ContractError::new(Code::FingerprintHash, message));
    }
    Ok(())
}

fn check_consent(consent: &Consent, hospital: &OrganisationId) -> Result<(), ContractError> {
    let id = consent.consent;
    if consent.hospital != *hospital {
        return Err(ContractError::new(Code::NotOwner, format!("consent {id} was given to another hospital")));
    }
    if !consent.scopes.allow(Scope::BeFound) {
        return Err(ContractError::new(Code::ConsentScope, format!("consent {id} does not allow to be found")));
    }
    Ok(())
}

/// One live handle a consent and epoch; corrections name it and are few. Returns the number of this publication.
fn check_earlier(call: &mut Call<'_>, item: &PublishItem, live_key: &str) -> Result<u8, ContractError> {
    let earlier: Option<Publication> = call.load(live_key)?;
    let live = match &earlier {
        Some(earlier) if !call.exists(&key::case_tombstone(earlier.handle))? => Some(earlier.handle),
        _ => None,
    };
    match (live, item.replaces) {
        (live, replaces) if live == replaces => {}
        (Some(live), None) => {
            let message = format!("the case is live as {live} in epoch {}: name it in replaces", item.epoch);
            return Err(ContractError::new(Code::AlreadyPublished, message));
        }
        _ => {
            let (consent, epoch) = (item.consent, item.epoch);
            let message = format!("replaces does not name the live handle of consent {consent} in epoch {epoch}");
            return Err(ContractError::new(Code::ReplacesMismatch, message));
        }
    }
    let count = earlier.map_or(0, |earlier| earlier.count).saturating_add(1);
    if count > PUBLICATIONS_MAX {
        let message = format!("a consent is published at most {PUBLICATIONS_MAX} times an epoch");
        return Err(ContractError::new(Code::PublicationsExhausted, message));
    }
    Ok(count)
}

/// The same local case may have been published under an earlier consent: then that handle must be dead.
fn check_commitment_is_free(call: &mut Call<'_>, item: &PublishItem, key: &str) -> Result<(), ContractError> {
    let Some(Handle(other)) = call.load(key)? else { return Ok(()) };
    if Some(other) == item.replaces || call.exists(&key::case_tombstone(other))? {
        return Ok(());
    }
    Err(ContractError::new(Code::AlreadyPublished, format!("the case is live as {other} under another consent")))
}

fn record_of(call: &Call<'_>, item: &PublishItem, consent: &Consent) -> PublishedCase {
    PublishedCase {
        handle: item.handle,
        owner: consent.hospital.clone(),
        consent: item.consent,
        epoch: item.epoch,
        private_hash: item.private_hash,
        commitment: consent.case,
        published: call.now(),
        expires: consent.expires,
        status: CaseStatus::Live,
    }
}
