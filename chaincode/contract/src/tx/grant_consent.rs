//! `grant_consent`: patients' signed, bounded permissions.
//!
//! A consent id is used once. A key has one consent at a time: an earlier one must be withdrawn or expired, and each
//! statement of a key carries a higher sequence number than the one before, so that none can be played again.

use semblance_core::consent::Consent;
use semblance_core::id::ConsentId;
use semblance_core::signature::Unverified;

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::state::{ConsentRecord, ConsentTombstone, NewestConsent, PatientKeyRecord};
use crate::wire::{Outcomes, SignedStatement, SignedStatements};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: SignedStatements) -> Result<Outcomes, ContractError> {
    let network = call.network_id();
    let claims: Vec<_> =
        argument.into_items().into_iter().map(|SignedStatement(source)| source.claim::<Consent>(network)).collect();
    read_ahead(call, claims.iter().flatten().map(Unverified::claims))?;
    let (outcomes, granted) = call.each(claims, |call, claim| grant(call, claim?))?;
    if !granted.is_empty() {
        let event = Event::ConsentsGranted(call.caller().clone(), granted);
        call.emit(&event)?;
    }
    Ok(outcomes)
}

fn read_ahead<'a>(call: &mut Call<'_>, consents: impl Iterator<Item = &'a Consent>) -> Result<(), ContractError> {
    let hospital = call.caller().clone();
    call.read_ahead(consents.flat_map(|consent| {
        [
            key::patient_key(&hospital, &consent.patient_key),
            key::patient_key_successor(&hospital, &consent.patient_key),
            key::consent(consent.consent),
            key::patient_consent(&hospital, &consent.patient_key),
        ]
    }))
}

fn grant(call: &mut Call<'_>, claim: Unverified<Consent>) -> Result<ConsentId, ContractError> {
    let hospital = call.caller().clone();
    if claim.claims().hospital != hospital {
        return Err(ContractError::new(Code::NotOwner, "the consent was given to another hospital"));
    }
    if call.now() >= claim.claims().expires {
        return Err(ContractError::new(Code::ConsentExpired, "the consent has expired: ask for a new one"));
    }
    let key = claim.claims().patient_key;
    let (consent, source) = claim
        .verify(&key)
        .map_err(|_| ContractError::new(Code::BadSignature, "the consent is not signed by the patient key it names"))?
        .into_parts();
    check_key(call, &consent)?;
    let consent_key = key::consent(consent.consent);
    if call.exists(&consent_key)? {
        let message = format!("consent id {} was used before: draw a new one", consent.consent);
        return Err(ContractError::new(Code::ConsentExists, message));
    }
    let newest_key = key::patient_consent(&hospital, &key);
    check_earlier(call, &consent, &newest_key)?;
    call.claim(&[&consent_key, &newest_key])?;
    call.save_owned(&consent_key, &ConsentRecord { granted: call.now(), source }, &hospital)?;
    call.save_owned(&newest_key, &NewestConsent(consent.consent), &hospital)?;
    Ok(consent.consent)
}

/// The key is registered by this hospital, speaks for this case and was not replaced.
fn check_key(call: &mut Call<'_>, consent: &Consent) -> Result<(), ContractError> {
    let record_key = key::patient_key(&consent.hospital, &consent.patient_key);
    let record: PatientKeyRecord = call.load(&record_key)?.ok_or_else(|| {
        ContractError::new(Code::UnknownPatientKey, "the patient key is not registered: register it first")
    })?;
    let registration =
        record.registration(call.network_id()).map_err(|error| ContractError::corrupt(&record_key, &error))?;
    if registration.case != consent.case {
        return Err(ContractError::new(Code::CaseMismatch, "the patient key was registered for another case"));
    }
    if call.exists(&key::patient_key_successor(&consent.hospital, &consent.patient_key))? {
        return Err(ContractError::new(
            Code::PatientKeyReplaced,
            "the patient key was replaced: sign with the new one",
        ));
    }
    Ok(())
}

fn check_earlier(call: &mut Call<'_>, consent: &Consent, newest_key: &str) -> Result<(), ContractError> {
    let Some(NewestConsent(earlier)) = call.load(newest_key)? else { return Ok(()) };
    let mut sequence = check::consent(call, earlier)?.sequence;
    let tombstone_key = key::consent_tombstone(earlier);
    match call.load::<ConsentTombstone>(&tombstone_key)? {
        Some(tombstone) => {
            let withdrawal = tombstone
                .withdrawal(call.network_id())
                .map_err(|error| ContractError::corrupt(&tombstone_key, &error))?;
            sequence = sequence.max(withdrawal.sequence);
        }
        None if call.now() < check::consent(call, earlier)?.expires => {
            let message = format!("consent {earlier} of this key still holds: withdraw it first");
            return Err(ContractError::new(Code::EarlierConsentLive, message));
        }
        None => {}
    }
    if consent.sequence <= sequence {
        let message = format!("sequence number {} must be above {sequence}", consent.sequence);
        return Err(ContractError::new(Code::WrongSequence, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use semblance_core::id::ConsentId;
    use semblance_core::time::Day;

    use crate::state::ConsentView;
    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{ConsentArgument, Maybe};
    use crate::{Code, key};

    const NEXT: ConsentId = ConsentId::from_bytes([9; 16]);

    #[test]
    fn a_consent_is_kept_as_it_was_signed() {
        let mut world = World::new();
        let patient = world.patient("north");
        let found: Maybe<ConsentView> = world.node("beta", "consent", &ConsentArgument(patient.consent)).unwrap();
        let view = found.0.unwrap();
        assert_eq!(view.consent.source, patient.signed(|_| ()).0);
        assert_eq!(*view.consent.consent(NETWORK).unwrap(), patient.consent_parts());
        assert!(view.tombstone.is_none() && view.consent.granted == NOW);
        let policy = KeyPolicy::AllOf(vec![id("north")]);
        assert_eq!(world.stub.policy(&key::consent(patient.consent)), Some(&policy));
    }

    #[test]
    fn after_a_withdrawal_or_the_expiry_a_key_consents_again() {
        let mut world = World::new();
        let (patient, other) = (world.patient("north"), world.patient("north"));
        world.withdraw("north", &patient).unwrap();
        let again = |patient: &Patient, sequence| {
            patient.signed(|consent| {
                (consent.consent, consent.sequence) = (NEXT, sequence);
                consent.expires = NOW.plus(90 * Day::MILLIS);
            })
        };
        assert_eq!(world.grant("north", again(&patient, 2)), Err(Code::WrongSequence), "the withdrawal had 2");
        world.grant("north", again(&patient, 3)).unwrap();

        world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS));
        let late = other.signed(|consent| {
            (consent.consent, consent.sequence) = (ConsentId::from_bytes([8; 16]), 2);
            consent.expires = NOW.plus(90 * Day::MILLIS);
        });
        world.grant("north", late).unwrap();
    }

    #[test]
    fn an_expired_consent_is_not_granted() {
        let mut world = World::new();
        let patient = world.registered("north");
        world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS));
        assert_eq!(world.grant("north", patient.signed(|_| ())), Err(Code::ConsentExpired));
    }
}
