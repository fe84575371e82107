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
use semblance_core::limits::{CONSENT_EPOCHS_MAX, PUBLICATIONS_MAX};
use semblance_core::organisation::OrganisationKind;
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use crate::call::{Call, decode};
use crate::check;
use crate::event::{CasePublication, Event};
use crate::state::{CaseTombstone, Publication};
use crate::stub::fingerprint_collection;
use crate::wire::{Fingerprints, Opaque, Outcomes, PublishCases, PublishItem, TRANSIENT_FINGERPRINTS};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: PublishCases) -> Result<Outcomes, ContractError> {
    let values = private_values(call, argument.items.items().len())?;
    check_endorser(call, &argument.matcher)?;
    read_ahead(call, argument.items.items())?;
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

fn read_ahead(call: &mut Call<'_>, items: &[PublishItem]) -> Result<(), ContractError> {
    call.read_ahead(items.iter().flat_map(|item| {
        [
            key::consent(item.consent),
            key::consent_tombstone(item.consent),
            key::epoch(item.epoch),
            key::case(item.handle),
            key::live(item.consent, item.epoch),
        ]
    }))?;
    // What is written under the case itself, the consents alone tell.
    let hospital = call.caller().clone();
    let mut published = Vec::new();
    for item in items {
        match check::consent(call, item.consent) {
            Ok(consent) => published.push(key::published(&hospital, consent.case, item.epoch)),
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => {}
        }
    }
    call.read_ahead(published)
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
    check_consent(&consent, &hospital, call.now())?;
    check::open_epoch(call, item.epoch)?;
    let handle_key = key::case(item.handle);
    if call.exists(&handle_key)? {
        return Err(ContractError::new(Code::HandleUsed, format!("handle {} was used before", item.handle)));
    }
    let live_key = key::live(item.consent, item.epoch);
    let published_key = key::published(&hospital, consent.case, item.epoch);
    check_earlier(call, item, &live_key)?;
    check_epochs(call, item)?;
    let count = check_case(call, item, &published_key)?;
    call.claim(&[&handle_key, &live_key, &published_key])?;

    if let Some(replaced) = item.replaces {
        let tombstone = CaseTombstone { status: CaseStatus::Replaced { by: item.handle }, at: call.now() };
        call.save_owned(&key::case_tombstone(replaced), &tombstone, &hospital)?;
    }
    let record = record_of(call, item, &consent);
    call.save_owned(&handle_key, &record, &hospital)?;
    let publication = Publication { handle: item.handle, count };
    call.save_owned(&live_key, &publication, &hospital)?;
    call.save_owned(&published_key, &publication, &hospital)?;
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

fn check_consent(consent: &Consent, hospital: &OrganisationId, now: Timestamp) -> Result<(), ContractError> {
    let id = consent.consent;
    if consent.hospital != *hospital {
        return Err(ContractError::new(Code::NotOwner, format!("consent {id} was given to another hospital")));
    }
    if now < consent.not_before {
        return Err(ContractError::new(Code::ConsentNotYetValid, format!("consent {id} does not hold yet")));
    }
    if !consent.scopes.allow(Scope::BeFound) {
        return Err(ContractError::new(Code::ConsentScope, format!("consent {id} does not allow to be found")));
    }
    Ok(())
}

/// One live handle a consent and epoch; corrections name it.
fn check_earlier(call: &mut Call<'_>, item: &PublishItem, live_key: &str) -> Result<(), ContractError> {
    let live = match call.load::<Publication>(live_key)? {
        Some(earlier) if !call.exists(&key::case_tombstone(earlier.handle))? => Some(earlier.handle),
        _ => None,
    };
    match (live, item.replaces) {
        (live, replaces) if live == replaces => Ok(()),
        (Some(live), None) => {
            let message = format!("the case is live as {live} in epoch {}: name it in replaces", item.epoch);
            Err(ContractError::new(Code::AlreadyPublished, message))
        }
        _ => {
            let (consent, epoch) = (item.consent, item.epoch);
            let message = format!("replaces does not name the live handle of consent {consent} in epoch {epoch}");
            Err(ContractError::new(Code::ReplacesMismatch, message))
        }
    }
}

/// All epochs of a consent lie so near each other that one withdrawal reads them at once.
fn check_epochs(call: &mut Call<'_>, item: &PublishItem) -> Result<(), ContractError> {
    let prefix = key::live_of_consent(item.consent);
    for (key, value) in call.stub().range(&prefix, &key::end(&prefix), 1)? {
        let first = check::case(call, decode::<Publication>(&key, &value)?.handle)?.epoch;
        if item.epoch.0 >= first.0.saturating_add(CONSENT_EPOCHS_MAX) {
            let consent = item.consent;
            let message = format!("consent {consent} was published in {CONSENT_EPOCHS_MAX} epochs: ask for a new one");
            return Err(ContractError::new(Code::EpochsExhausted, message));
        }
    }
    Ok(())
}

/// The same local case may have been published under an earlier consent: then that handle must be dead, and counts,
/// because what two fingerprints differ in does not depend on consents. Returns the number of this publication.
fn check_case(call: &mut Call<'_>, item: &PublishItem, published_key: &str) -> Result<u8, ContractError> {
    let Some(Publication { handle, count }) = call.load(published_key)? else { return Ok(1) };
    if Some(handle) != item.replaces && !call.exists(&key::case_tombstone(handle))? {
        let message = format!("the case is live as {handle} under another consent");
        return Err(ContractError::new(Code::AlreadyPublished, message));
    }
    if count >= PUBLICATIONS_MAX {
        let message = format!("a case is published at most {PUBLICATIONS_MAX} times an epoch: wait for the next one");
        return Err(ContractError::new(Code::PublicationsExhausted, message));
    }
    Ok(count.saturating_add(1))
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

#[cfg(test)]
mod tests {
    use semblance_core::case::{CaseStatus, PublishedCase};
    use semblance_core::id::{CaseHandle, ConsentId};

    use crate::state::{CaseView, Publication};
    use crate::stub::{KeyPolicy, Role};
    use crate::tests::world::*;
    use crate::wire::*;
    use crate::{Code, key};

    fn view(world: &mut World, handle: CaseHandle) -> CaseView {
        world.node::<Maybe<CaseView>>("south", "case", &Handle(handle)).unwrap().0.unwrap()
    }

    fn fingerprints(world: &mut World, handles: &[CaseHandle]) -> Vec<Option<Vec<u8>>> {
        let handles = FingerprintsOf::new(handles.iter().copied().map(Handle).collect()).unwrap();
        let found: FingerprintsFound = world.node("alpha", "fingerprints", &handles).unwrap();
        found.into_items().into_iter().map(|Maybe(value)| value.map(|value| value.0)).collect()
    }

    #[test]
    fn the_chain_holds_handle_and_hash_the_collection_the_value() {
        let mut world = World::new();
        let (patient, handle) = world.published("north");
        let value = private_value(1).encode();
        let collection = ("fingerprints_north".to_owned(), handle.to_string());
        assert_eq!(world.writes.private.get(&collection), Some(&Some(value.clone())));
        let public = world.writes.public.values().flatten().chain(world.writes.event.iter().map(|(_, bytes)| bytes));
        for bytes in public {
            assert!(!bytes.windows(8).any(|window| window == &value[34..42]), "a token stands in public");
        }
        let policy = KeyPolicy::AllOf(vec![id("north")]);
        for key in world.writes.public.keys() {
            assert_eq!(world.stub.policy(key), Some(&policy), "{key}");
        }
        let view = view(&mut world, handle);
        assert_eq!((view.case.owner, view.case.commitment), (id("north"), patient.case));
        assert_eq!((view.case.status, view.purge), (CaseStatus::Live, None));
        assert_eq!(fingerprints(&mut world, &[handle, CaseHandle::from_bytes([9; 16])]), [Some(value), None]);
    }

    #[test]
    fn a_correction_takes_the_place_of_the_live_handle() {
        let mut world = World::new();
        let (patient, first) = world.published("north");
        let second = world.handle();
        world.publish("north", item(&patient, second, Some(first))).unwrap();
        assert_eq!(view(&mut world, first).case.status, CaseStatus::Replaced { by: second });
        assert_eq!(fingerprints(&mut world, &[first]), [None]);
        let asked = ConsentInEpoch { consent: patient.consent, epoch: EPOCH };
        let found: Maybe<Publication> = world.node("north", "publication", &asked).unwrap();
        assert_eq!(found.0, Some(Publication { handle: second, count: 2 }));
        // The dead handle is neither replaced again nor used again.
        let third = world.handle();
        assert_eq!(world.publish("north", item(&patient, third, Some(first))), Err(Code::ReplacesMismatch));
        assert_eq!(world.publish("north", item(&patient, first, Some(second))), Err(Code::HandleUsed));
    }

    #[test]
    fn a_case_is_live_under_one_consent_alone() {
        let mut world = World::new();
        let (patient, first) = world.published("north");
        // A second key that the hospital registered for the same case, instead of rotating the first.
        let twin = Patient { key: node("twin"), consent: ConsentId::from_bytes([9; 16]), ..patient.clone() };
        world.register("north", twin.entry()).unwrap();
        world.grant("north", twin.signed(|_| ())).unwrap();
        let second = world.handle();
        assert_eq!(world.publish("north", item(&twin, second, None)), Err(Code::AlreadyPublished));
        world.withdraw("north", &patient).unwrap();
        world.publish("north", item(&twin, second, None)).unwrap();
        assert_eq!(view(&mut world, first).case.status, CaseStatus::Withdrawn);
    }

    #[test]
    fn a_new_consent_brings_no_more_publications() {
        let mut world = World::new();
        let (patient, first) = world.published("north");
        let second = world.handle();
        world.publish("north", item(&patient, second, Some(first))).unwrap();
        world.withdraw("north", &patient).unwrap();
        let again = Patient { consent: ConsentId::from_bytes([9; 16]), ..patient };
        world.grant("north", again.signed(|consent| consent.sequence = 3)).unwrap();
        let (third, fourth) = (world.handle(), world.handle());
        world.publish("north", item(&again, third, None)).unwrap();
        assert_eq!(world.publish("north", item(&again, fourth, Some(third))), Err(Code::PublicationsExhausted));
        world.admin::<Empty>("north", "open_epoch", &open_epoch(2)).unwrap();
        let next = PublishItem { epoch: semblance_core::token::EpochNumber(2), ..item(&again, fourth, None) };
        world.publish("north", next).unwrap();
    }

    #[test]
    fn a_matcher_is_named_as_matcher() {
        let mut world = World::new();
        let (patient, handle) = (world.patient("north"), world.handle());
        for (named, code) in [("south", Code::WrongKind), ("west", Code::UnknownMember)] {
            let items = List::new(vec![item(&patient, handle, None)]).unwrap();
            let argument = PublishCases { matcher: id(named), items };
            let values = Fingerprints::new(vec![Opaque(private_value(1).encode())]).unwrap();
            let transient = [(TRANSIENT_FINGERPRINTS, semblance_core::record::Record::encode(&values))];
            let argument = semblance_core::record::Record::encode(&argument);
            let error = world.invoke("north", Role::Node, "publish_cases", argument, &transient).unwrap_err();
            assert_eq!(error.code(), code);
        }
    }

    #[test]
    fn pages_of_cases_lead_from_one_to_the_next() {
        let mut world = World::new();
        let mut all: Vec<_> = (0..7).map(|_| world.published("north").1).collect();
        let (withdrawn, _) = world.published("north");
        world.published("south");
        world.withdraw("north", &withdrawn).unwrap();
        let (mut own, mut live, mut page) = (0, Vec::new(), PageRequest::first(3));
        loop {
            let argument = OfOrganisation { organisation: id("north"), page };
            let rows: Page<CaseView> = world.node("alpha", "cases_of_hospital", &argument).unwrap();
            assert!(rows.rows.len() <= 3);
            own += rows.rows.len();
            match rows.next {
                Some(next) => page = PageRequest::at(Some(next), 3),
                None => break,
            }
        }
        page = PageRequest::first(2);
        loop {
            let rows: Page<PublishedCase> = world.node("alpha", "live_cases", &OfEpoch { epoch: EPOCH, page }).unwrap();
            live.extend(rows.rows.iter().filter(|case| case.owner == id("north")).map(|case| case.handle));
            match rows.next {
                Some(next) => page = PageRequest::at(Some(next), 2),
                None => break,
            }
        }
        all.sort();
        assert_eq!((own, live), (8, all));
    }

    #[test]
    fn a_matcher_notices_a_changed_private_value() {
        let mut world = World::new();
        let (_, handle) = world.published("north");
        let mut record = view(&mut world, handle).case;
        record.private_hash = [0; 32];
        world.stub.tamper(&key::case(handle), semblance_core::record::Record::encode(&record));
        let handles = FingerprintsOf::new(vec![Handle(handle)]).unwrap();
        let error = world.node::<FingerprintsFound>("alpha", "fingerprints", &handles).unwrap_err();
        assert_eq!(error.code(), Code::CorruptState);
    }
}
