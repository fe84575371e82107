//! `expire`: takes cases out whose consents have expired by the proposal's time. Anyone may submit it.
//!
//! Matchers do not wait for it. A case that has ended already counts as done.

use semblance_core::case::CaseStatus;

use crate::call::Call;
use crate::check;
use crate::event::{Event, OwnedCase};
use crate::state::CaseTombstone;
use crate::wire::{Handle, Handles, Outcomes};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: Handles) -> Result<Outcomes, ContractError> {
    let (outcomes, expired) = call.each(argument.into_items(), expire)?;
    let expired: Vec<_> = expired.into_iter().flatten().collect();
    if !expired.is_empty() {
        call.emit(&Event::CasesExpired(expired))?;
    }
    Ok(outcomes)
}

fn expire(call: &mut Call<'_>, Handle(handle): Handle) -> Result<Option<OwnedCase>, ContractError> {
    let case = check::case(call, handle)?;
    let tombstone_key = key::case_tombstone(handle);
    if call.exists(&tombstone_key)? {
        return Ok(None);
    }
    if call.now() < case.expires {
        return Err(ContractError::new(Code::NotExpired, format!("the consent of case {handle} still holds")));
    }
    call.claim(&[&tombstone_key])?;
    call.save(&tombstone_key, &CaseTombstone { status: CaseStatus::Expired, at: call.now() })?;
    Ok(Some(OwnedCase { handle, hospital: case.owner }))
}
