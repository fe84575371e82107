//! `rotate_key`: a member replaces its keys, signed by the signing key it has.
//!
//! The member's own record carries the member's endorsement policy, so that no two others can do it. The replaced key
//! is kept, for those who verify old signatures.

use semblance_core::organisation::{KeyRotation, OrganisationError};

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::state::RotationRecord;
use crate::wire::{Empty, SignedStatement};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: SignedStatement) -> Result<Empty, ContractError> {
    let claim = argument.0.claim::<KeyRotation>(call.network_id())?;
    let present = call.member().clone();
    if *claim.claims().organisation() != present.id {
        let message = format!("{} may not rotate the keys of {}", present.id, claim.claims().organisation());
        return Err(ContractError::new(Code::NotOwner, message));
    }
    let signed = claim
        .verify(&present.verifying_key)
        .map_err(|_| ContractError::new(Code::BadSignature, "the rotation is not signed by the present signing key"))?;
    let (rotation, source) = signed.into_parts();
    let next = present.rotated(&rotation).map_err(|error| refusal(&error))?;
    let members = check::organisations(call)?;
    check::fresh_keys(&members, &next)?;
    let record = RotationRecord { at: call.now(), previous: present.verifying_key, source };
    call.save_owned(&key::rotation(&next.id, next.rotations), &record, &next.id)?;
    call.save_owned(&key::organisation(&next.id), &next, &next.id)?;
    call.emit(&Event::KeyRotated(next.id))?;
    Ok(Empty)
}

fn refusal(error: &OrganisationError) -> ContractError {
    let code = match error {
        OrganisationError::Sequence { .. } | OrganisationError::SealingKeyId { .. } => Code::WrongSequence,
        OrganisationError::SameKey => Code::KeyReused,
        OrganisationError::OtherOrganisation { .. } => Code::NotOwner,
        OrganisationError::Name { .. }
        | OrganisationError::TlsRoot { .. }
        | OrganisationError::Count { .. }
        | OrganisationError::NotUnique(_)
        | OrganisationError::NothingNew => Code::InvalidArgument,
    };
    ContractError::new(code, error.to_string())
}
