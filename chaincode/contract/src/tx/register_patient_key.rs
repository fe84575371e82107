//! `register_patient_key`: keys that speak for the patients of a hospital's cases, one key a case.
//!
//! A key may take an earlier one's place: with the earlier key's signature, or without it as a recovery that stays
//! visible. Consents given with the earlier key stay, and either key may withdraw them.

use semblance_core::patient_key::{PatientKeyEntry, PatientKeyError, PatientKeyRegistration};
use semblance_core::signature::VerifyingKey;

use crate::call::Call;
use crate::event::Event;
use crate::state::{NewestConsent, PatientKeyRecord, Successor};
use crate::wire::{Outcomes, PatientKeys};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: PatientKeys) -> Result<Outcomes, ContractError> {
    let (outcomes, registered) = call.each(argument.into_items(), register)?;
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
    let previous_key = key::patient_key(hospital, &previous);
    let record: PatientKeyRecord = call
        .load(&previous_key)?
        .ok_or_else(|| ContractError::new(Code::UnknownPatientKey, "the previous patient key is not registered"))?;
    let earlier =
        record.registration(call.network_id()).map_err(|error| ContractError::corrupt(&previous_key, &error))?;
    if earlier.case != registration.case {
        return Err(ContractError::new(Code::CaseMismatch, "the previous patient key speaks for another case"));
    }
    let successor_key = key::patient_key_successor(hospital, &previous);
    if call.exists(&successor_key)? {
        return Err(ContractError::new(Code::PatientKeyReplaced, "the previous patient key was replaced before"));
    }
    let newest: Option<NewestConsent> = call.load(&key::patient_consent(hospital, &previous))?;
    call.claim(&[&successor_key])?;
    call.save_owned(&successor_key, &Successor(registration.key), hospital)?;
    if let Some(newest) = newest {
        call.save_owned(&key::patient_consent(hospital, &registration.key), &newest, hospital)?;
    }
    Ok(())
}

fn refusal(error: PatientKeyError) -> ContractError {
    match error {
        PatientKeyError::Malformed(error) => error.into(),
        PatientKeyError::Signature(_) | PatientKeyError::Countersignature => {
            ContractError::new(Code::BadSignature, error.to_string())
        }
    }
}
