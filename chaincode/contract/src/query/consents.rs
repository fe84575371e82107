//! Queries about patients' keys and consents.

use crate::ContractError;
use crate::call::Call;
use crate::key;
use crate::state::{ConsentRecord, ConsentView, PatientKeyView};
use crate::wire::{ConsentArgument, Maybe, PatientKeyArgument};

/// `patient_key`: one key, with the key that took its place and the newest consent of its case.
pub(crate) fn patient_key(
    call: &mut Call<'_>,
    argument: PatientKeyArgument,
) -> Result<Maybe<PatientKeyView>, ContractError> {
    let (hospital, own) = (&argument.hospital, &argument.key);
    let Some(record) = call.load(&key::patient_key(hospital, own))? else { return Ok(Maybe(None)) };
    let successor = call.load(&key::patient_key_successor(hospital, own))?;
    let newest_consent = call.load(&key::patient_consent(hospital, own))?;
    Ok(Maybe(Some(PatientKeyView { record, successor, newest_consent })))
}

/// `consent`: one consent with its withdrawal.
pub(crate) fn consent(
    call: &mut Call<'_>,
    ConsentArgument(id): ConsentArgument,
) -> Result<Maybe<ConsentView>, ContractError> {
    let Some(consent) = call.load::<ConsentRecord>(&key::consent(id))? else { return Ok(Maybe(None)) };
    let tombstone = call.load(&key::consent_tombstone(id))?;
    Ok(Maybe(Some(ConsentView { consent, tombstone })))
}
