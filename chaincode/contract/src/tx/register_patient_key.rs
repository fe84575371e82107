//! `register_patient_key`: keys that speak for the patients of a hospital's cases, one key a case.
//!
//! A key may take an earlier one's place: with the earlier key's signature, or without it as a recovery that stays
//! visible. Consents given with the earlier key stay, and either key may withdraw them: a withdrawal follows the keys
//! from the one in the consent on, and a case has no more of them than it follows.

use semblance_core::id::OrganisationId;
use semblance_core::limits::PATIENT_KEYS_MAX;
use semblance_core::patient_key::{PatientKeyEntry, PatientKeyError, PatientKeyRegistration};
use semblance_core::signature::VerifyingKey;

use crate::call::Call;
use crate::event::Event;
use crate::state::{NewestConsent, PatientKeyRecord, Successor};
use crate::wire::{Outcomes, PatientKeys};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: PatientKeys) -> Result<Outcomes, ContractError> {
    let entries = argument.into_items();
    let (network, hospital) = (call.network_id(), call.caller().clone());
    let claims = entries.iter().filter_map(|entry| entry.claim(network).ok());
    call.read_ahead(claims.map(|claim| key::patient_key(&hospital, &claim.claims().key)))?;
    let (outcomes, registered) = call.each(entries, register)?;
    if !registered.is_empty() {
        let event = Event::PatientKeysRegistered(call.caller().clone(), registered);
        call.emit(&event)?;
    }
    Ok(outcomes)
}

fn register(call: &mut Call<'_>, entry: PatientKeyEntry) -> Result<VerifyingKey, ContractError> {
    let network = call.network_id();
    let hospital = call.caller().clone();
    if entry.claim(network)?.claims().hospital != hospital {
        return Err(ContractError::new(Code::NotOwner, "the registration names another hospital"));
    }
    let (signed, _) = entry.verify(network, &call.member().verifying_key).map_err(refusal)?;
    let (registration, _) = signed.into_parts();
    let own_key = key::patient_key(&hospital, &registration.key);
    if call.exists(&own_key)? {
        let message = "this patient key is registered already: make a fresh one for each case";
        return Err(ContractError::new(Code::PatientKeyExists, message));
    }
    call.claim(&[&own_key])?;
    if let Some(previous) = registration.previous {
        succeed(call, &registration, previous)?;
    }
    call.save_owned(&own_key, &PatientKeyRecord { registered: call.now(), entry }, &hospital)?;
    Ok(registration.key)
}

fn succeed(
    call: &mut Call<'_>,
    registration: &PatientKeyRegistration,
    previous: VerifyingKey,
) -> Result<(), ContractError> {
    let hospital = &registration.hospital;
    let earlier = registered(call, hospital, previous)?;
    if earlier.case != registration.case {
        return Err(ContractError::new(Code::CaseMismatch, "the previous patient key speaks for another case"));
    }
    let successor_key = key::patient_key_successor(hospital, &previous);
    if call.exists(&successor_key)? {
        return Err(ContractError::new(Code::PatientKeyReplaced, "the previous patient key was replaced before"));
    }
    check_chain(call, &earlier)?;
    let newest: Option<NewestConsent> = call.load(&key::patient_consent(hospital, &previous))?;
    call.claim(&[&successor_key])?;
    call.save_owned(&successor_key, &Successor(registration.key), hospital)?;
    if let Some(newest) = newest {
        call.save_owned(&key::patient_consent(hospital, &registration.key), &newest, hospital)?;
    }
    Ok(())
}

/// An earlier key of the same hospital.
fn registered(
    call: &mut Call<'_>,
    hospital: &OrganisationId,
    key: VerifyingKey,
) -> Result<PatientKeyRegistration, ContractError> {
    let own_key = key::patient_key(hospital, &key);
    let record: PatientKeyRecord = call
        .load(&own_key)?
        .ok_or_else(|| ContractError::new(Code::UnknownPatientKey, "the previous patient key is not registered"))?;
    record.registration(call.network_id()).map_err(|error| ContractError::corrupt(&own_key, &error))
}

/// The newest key so far may have one more in its place.
fn check_chain(call: &mut Call<'_>, newest: &PatientKeyRegistration) -> Result<(), ContractError> {
    let mut previous = newest.previous;
    // The key that comes and the newest so far are two.
    for _ in 2..PATIENT_KEYS_MAX {
        let Some(key) = previous else { return Ok(()) };
        previous = registered(call, &newest.hospital, key)?.previous;
    }
    if previous.is_none() {
        return Ok(());
    }
    let message =
        format!("a case has at most {PATIENT_KEYS_MAX} keys in a row: register one that takes no other's place");
    Err(ContractError::new(Code::PatientKeysExhausted, message))
}

fn refusal(error: PatientKeyError) -> ContractError {
    match error {
        PatientKeyError::Malformed(error) => error.into(),
        PatientKeyError::Signature(_) | PatientKeyError::Countersignature => {
            ContractError::new(Code::BadSignature, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use semblance_core::id::{ConsentId, Digest};
    use semblance_core::patient_key::{PatientKeyEntry, PatientKeyRegistration};
    use semblance_core::signature::{SigningKey, VerifyingKey};

    use crate::state::PatientKeyView;
    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{List, Maybe, Outcomes, PatientKeyArgument};
    use crate::{Code, key};

    fn view(world: &mut World, key: VerifyingKey) -> PatientKeyView {
        let argument = PatientKeyArgument { hospital: id("north"), key };
        world.node::<Maybe<PatientKeyView>>("alpha", "patient_key", &argument).unwrap().0.unwrap()
    }

    #[test]
    fn a_key_is_kept_with_the_hospitals_signature() {
        let mut world = World::new();
        let patient = world.registered("north");
        let own = patient.key.verifying_key();
        let view = view(&mut world, own);
        assert_eq!(view.record.entry, patient.entry());
        assert_eq!(view.record.registration(NETWORK).unwrap(), patient.registration());
        assert_eq!((view.successor, view.newest_consent), (None, None));
        let policy = KeyPolicy::AllOf(vec![id("north")]);
        assert_eq!(world.stub.policy(&key::patient_key(&id("north"), &own)), Some(&policy));
    }

    #[test]
    fn a_successor_inherits_the_case_and_its_newest_consent() {
        let mut world = World::new();
        let patient = world.patient("north");
        let next = world.replace_key(&patient, true).unwrap();
        let view = view(&mut world, next.verifying_key());
        assert_eq!(view.newest_consent.unwrap().0, patient.consent);

        let heir = Patient { key: next, ..patient.clone() };
        let renewed = heir.signed(|consent| (consent.consent, consent.sequence) = (ConsentId::from_bytes([9; 16]), 2));
        assert_eq!(world.grant("north", renewed), Err(Code::EarlierConsentLive));
    }

    #[test]
    fn a_key_is_replaced_once_and_for_its_own_case() {
        let mut world = World::new();
        let patient = world.registered("north");
        let other_case = Patient { case: Digest::of(b"other"), ..patient.clone() };
        assert_eq!(world.replace_key(&other_case, true).map(|_| ()), Err(Code::CaseMismatch));
        world.replace_key(&patient, false).unwrap();
        assert_eq!(world.replace_key(&patient, true).map(|_| ()), Err(Code::PatientKeyReplaced));
        let stranger = world.stranger("north");
        assert_eq!(world.replace_key(&stranger, true).map(|_| ()), Err(Code::UnknownPatientKey));
    }

    #[test]
    fn a_countersignature_is_by_the_key_that_goes() {
        let mut world = World::new();
        let patient = world.registered("north");
        let key = SigningKey::from_seed(&[4; 32]);
        let registration = PatientKeyRegistration {
            key: key.verifying_key(),
            previous: Some(patient.key.verifying_key()),
            ..patient.registration()
        };
        let entry = PatientKeyEntry::sign(registration, &node("north"), Some(&key));
        assert_eq!(world.register("north", entry), Err(Code::BadSignature));
    }

    #[test]
    fn one_key_twice_in_a_batch_is_registered_once() {
        let mut world = World::new();
        let entry = world.stranger("north").entry();
        let entries = List::<_, 100>::new(vec![entry.clone(), entry]).unwrap();
        let outcomes: Outcomes = world.node("north", "register_patient_key", &entries).unwrap();
        let codes: Vec<_> =
            outcomes.items().iter().map(|item| item.as_ref().err().and_then(|one| one.code())).collect();
        assert_eq!(codes, [None, Some(Code::DuplicateInBatch)]);
    }
}
