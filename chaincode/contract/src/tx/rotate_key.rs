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

#[cfg(test)]
mod tests {
    use semblance_core::organisation::{KeyRotation, Organisation};
    use semblance_core::signature::{SigningKey, Statement};

    use crate::state::RotationRecord;
    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{Empty, Maybe, OfOrganisation, OrganisationArgument, Page, PageRequest, SignedStatement};
    use crate::{Code, key};

    fn signed(rotation: KeyRotation, key: &SigningKey) -> SignedStatement {
        SignedStatement(rotation.sign(key).into_parts().1)
    }

    fn new_signing_key() -> KeyRotation {
        rotation("north", |next| next.verifying_key = node("north again").verifying_key())
    }

    #[test]
    fn the_old_key_names_the_new_one_and_is_kept() {
        let mut world = World::founded();
        world.admin::<Empty>("north", "rotate_key", &signed(new_signing_key(), &node("north"))).unwrap();
        let found: Maybe<Organisation> =
            world.node("south", "organisation", &OrganisationArgument(id("north"))).unwrap();
        let north = found.0.unwrap();
        assert_eq!((north.verifying_key, north.rotations), (node("north again").verifying_key(), 1));
        let policy = KeyPolicy::AllOf(vec![id("north")]);
        assert_eq!(world.stub.policy(&key::organisation(&id("north"))), Some(&policy));

        let page = OfOrganisation { organisation: id("north"), page: PageRequest::first(5) };
        let rotations: Page<RotationRecord> = world.node("south", "rotations", &page).unwrap();
        assert_eq!(rotations.rows.iter().map(|row| row.previous).collect::<Vec<_>>(), [node("north").verifying_key()]);
    }

    #[test]
    fn a_rotation_is_not_played_twice() {
        let mut world = World::founded();
        let sealing = rotation("north", |next| next.sealing_key = sealing_key("north", 2));
        let statement = signed(sealing, &node("north"));
        world.admin::<Empty>("north", "rotate_key", &statement).unwrap();
        let error = world.admin::<Empty>("north", "rotate_key", &statement).unwrap_err();
        assert_eq!(error.code(), Code::WrongSequence);
    }

    #[test]
    fn the_new_key_does_not_introduce_itself() {
        let statement = signed(new_signing_key(), &node("north again"));
        let error = World::founded().admin::<Empty>("north", "rotate_key", &statement).unwrap_err();
        assert_eq!(error.code(), Code::BadSignature);
    }

    #[test]
    fn no_two_members_share_a_key() {
        let taken = rotation("north", |next| next.verifying_key = node("south").verifying_key());
        let error = World::founded().admin::<Empty>("north", "rotate_key", &signed(taken, &node("north"))).unwrap_err();
        assert_eq!(error.code(), Code::KeyReused);
    }

    #[test]
    fn a_look_up_signed_with_the_replaced_key_is_refused() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.admin::<Empty>("north", "rotate_key", &signed(new_signing_key(), &node("north"))).unwrap();
        assert_eq!(world.record("alpha", patient.entry_of(1, |_| ())), Err(Code::BadSignature));
        world.record("alpha", entry(patient.request(1), &node("north again"))).unwrap();
    }
}
