//! Questions that several transactions ask of the state; a "no" is a refusal with its code.

use semblance_core::case::PublishedCase;
use semblance_core::consent::Consent;
use semblance_core::epoch::Epoch;
use semblance_core::id::{CaseHandle, ConsentId, OrganisationId};
use semblance_core::limits::ORGANISATIONS_MAX;
use semblance_core::organisation::Organisation;
use semblance_core::token::EpochNumber;

use crate::call::{Call, decode};
use crate::state::ConsentRecord;
use crate::{Code, ContractError, key};

/// A member by name.
pub(crate) fn organisation(call: &mut Call<'_>, id: &OrganisationId) -> Result<Organisation, ContractError> {
    call.load(&key::organisation(id))?
        .ok_or_else(|| ContractError::new(Code::UnknownMember, format!("{id} is no member of this network")))
}

/// All members.
pub(crate) fn organisations(call: &mut Call<'_>) -> Result<Vec<Organisation>, ContractError> {
    let rows = call.stub().range(key::ORGANISATIONS, &key::end(key::ORGANISATIONS), ORGANISATIONS_MAX)?;
    rows.iter().map(|(key, value)| decode(key, value)).collect()
}

/// No other member has one of these keys.
pub(crate) fn fresh_keys(members: &[Organisation], newcomer: &Organisation) -> Result<(), ContractError> {
    let shares = |member: &&Organisation| {
        member.id != newcomer.id
            && (member.verifying_key == newcomer.verifying_key
                || member.sealing_key.public == newcomer.sealing_key.public)
    };
    match members.iter().find(shares) {
        Some(member) => {
            let message = format!("a key belongs to {} already: make a fresh one", member.id);
            Err(ContractError::new(Code::KeyReused, message))
        }
        None => Ok(()),
    }
}

/// A consent, whatever became of it.
pub(crate) fn consent(call: &mut Call<'_>, id: ConsentId) -> Result<Consent, ContractError> {
    let key = key::consent(id);
    let record: ConsentRecord = call
        .load(&key)?
        .ok_or_else(|| ContractError::new(Code::UnknownConsent, format!("no consent {id} on this ledger")))?;
    record.consent(call.network_id()).map_err(|error| ContractError::corrupt(&key, &error))
}

/// A consent that is neither withdrawn nor expired at the proposal's time. Whether it has begun, the publication
/// judges: a case that stands on the ledger does not end because another clock is a little behind.
pub(crate) fn live_consent(call: &mut Call<'_>, id: ConsentId) -> Result<Consent, ContractError> {
    let consent = consent(call, id)?;
    if call.exists(&key::consent_tombstone(id))? {
        return Err(ContractError::new(Code::ConsentWithdrawn, format!("consent {id} was withdrawn")));
    }
    if call.now() >= consent.expires {
        return Err(ContractError::new(Code::ConsentExpired, format!("consent {id} has expired: ask for a new one")));
    }
    Ok(consent)
}

/// A published case, whatever became of it.
pub(crate) fn case(call: &mut Call<'_>, handle: CaseHandle) -> Result<PublishedCase, ContractError> {
    call.load(&key::case(handle))?
        .ok_or_else(|| ContractError::new(Code::UnknownCase, format!("no case {handle} on this ledger")))
}

/// An epoch, open or closed.
pub(crate) fn epoch(call: &mut Call<'_>, number: EpochNumber) -> Result<Epoch, ContractError> {
    call.load(&key::epoch(number))?
        .ok_or_else(|| ContractError::new(Code::UnknownEpoch, format!("no epoch {number} on this ledger")))
}

/// An epoch that is open.
pub(crate) fn open_epoch(call: &mut Call<'_>, number: EpochNumber) -> Result<Epoch, ContractError> {
    let epoch = epoch(call, number)?;
    if !epoch.is_open() {
        return Err(ContractError::new(Code::EpochClosed, format!("epoch {number} is closed: use the newest one")));
    }
    Ok(epoch)
}
