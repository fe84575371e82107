//! `withdraw_consent`: a patient's signed withdrawal, submitted by any member.
//!
//! One public transaction ends the consent for ever and takes its cases of all epochs out. It needs neither the
//! hospital nor a matcher, because tombstones stand under the ordinary rule and no private data are touched; their
//! purge is `purge_case`. The key in the consent may always withdraw it, also after another took its place, so that a
//! recovery by the hospital cannot take the patient's last word away. A second withdrawal changes nothing and succeeds.

use semblance_core::case::CaseStatus;
use semblance_core::consent::{Consent, ConsentError, Withdrawal};
use semblance_core::id::CaseHandle;
use semblance_core::limits::PAGE_MAX;
use semblance_core::signature::VerifyingKey;

use crate::call::{Call, decode};
use crate::check;
use crate::event::{Event, OwnedCase};
use crate::state::{CaseTombstone, ConsentTombstone, Publication, Successor};
use crate::wire::{SignedStatement, Withdrawn};
use crate::{Code, ContractError, key};

/// How often a patient's key may have been replaced.
const SUCCESSORS_MAX: usize = 32;

pub(crate) fn run(call: &mut Call<'_>, argument: SignedStatement) -> Result<Withdrawn, ContractError> {
    let claim = argument.0.claim::<Withdrawal>(call.network_id())?;
    let signer = claim.claims().patient_key;
    let (withdrawal, source) = claim
        .verify(&signer)
        .map_err(|_| ContractError::new(Code::BadSignature, "the withdrawal is not signed by the key it names"))?
        .into_parts();
    let consent = check::consent(call, withdrawal.consent)?;
    check_speaker(call, &consent, &signer)?;
    withdrawal.check(&consent, &signer).map_err(refusal)?;
    let handles = handles(call, &consent)?;
    let tombstone_key = key::consent_tombstone(withdrawal.consent);
    if !call.exists(&tombstone_key)? {
        let cases = end_cases(call, &consent, &handles)?;
        call.save(&tombstone_key, &ConsentTombstone { at: call.now(), source })?;
        call.emit(&Event::ConsentWithdrawn(withdrawal.consent, cases))?;
    }
    Ok(Withdrawn { hospital: consent.hospital.clone(), handles })
}

/// The signer is the consent's own key, or one that took its place.
fn check_speaker(call: &mut Call<'_>, consent: &Consent, signer: &VerifyingKey) -> Result<(), ContractError> {
    let mut speaker = consent.patient_key;
    for _ in 0..SUCCESSORS_MAX {
        if speaker == *signer {
            return Ok(());
        }
        match call.load(&key::patient_key_successor(&consent.hospital, &speaker))? {
            Some(Successor(next)) => speaker = next,
            None => break,
        }
    }
    Err(refusal(ConsentError::OtherKey))
}

/// The newest handle of the consent in each epoch; earlier ones have their tombstones since they were replaced.
fn handles(call: &mut Call<'_>, consent: &Consent) -> Result<Vec<CaseHandle>, ContractError> {
    let prefix = key::live_of_consent(consent.consent);
    let rows = call.stub().range(&prefix, &key::end(&prefix), PAGE_MAX)?;
    rows.iter().map(|(key, value)| decode::<Publication>(key, value).map(|publication| publication.handle)).collect()
}

fn end_cases(call: &mut Call<'_>, consent: &Consent, handles: &[CaseHandle]) -> Result<Vec<OwnedCase>, ContractError> {
    let mut cases = Vec::new();
    for handle in handles {
        let tombstone_key = key::case_tombstone(*handle);
        if !call.exists(&tombstone_key)? {
            call.save(&tombstone_key, &CaseTombstone { status: CaseStatus::Withdrawn, at: call.now() })?;
            cases.push(OwnedCase { handle: *handle, hospital: consent.hospital.clone() });
        }
    }
    Ok(cases)
}

fn refusal(error: ConsentError) -> ContractError {
    let code = match error {
        ConsentError::OtherKey => Code::BadSignature,
        ConsentError::Sequence => Code::WrongSequence,
        ConsentError::OtherConsent | ConsentError::NoScope | ConsentError::NeverHolds | ConsentError::TooLong => {
            Code::InvalidArgument
        }
    };
    ContractError::new(code, error.to_string())
}
