//! `register_hospital` and `register_matcher`: a new member.
//!
//! Who may add one: more than half of the present members approve by signing the newcomer's exact record with their
//! nodes' keys; the newcomer signs it too, to show that it holds its key. The administrator of any member submits it.
//! So neither one member alone nor the two that endorse can let somebody in.

use semblance_core::limits::ORGANISATIONS_MAX;
use semblance_core::organisation::{Organisation, OrganisationKind};

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::wire::{Empty, Membership, RegisterMember};
use crate::{Code, ContractError, key};

pub(crate) fn hospital(call: &mut Call<'_>, argument: RegisterMember) -> Result<Empty, ContractError> {
    run(call, argument, OrganisationKind::Hospital)
}

pub(crate) fn matcher(call: &mut Call<'_>, argument: RegisterMember) -> Result<Empty, ContractError> {
    run(call, argument, OrganisationKind::Matcher)
}

fn run(call: &mut Call<'_>, argument: RegisterMember, kind: OrganisationKind) -> Result<Empty, ContractError> {
    let newcomer = newcomer(call, &argument, kind)?;
    let members = check::organisations(call)?;
    if members.iter().any(|member| member.id == newcomer.id) {
        return Err(ContractError::new(Code::MemberExists, format!("{} is a member already", newcomer.id)));
    }
    if members.len() >= ORGANISATIONS_MAX {
        let message = format!("a network has at most {ORGANISATIONS_MAX} members");
        return Err(ContractError::new(Code::TooLarge, message));
    }
    check::fresh_keys(&members, &newcomer)?;
    check_approvals(&members, &argument)?;
    call.save_owned(&key::organisation(&newcomer.id), &newcomer, &newcomer.id)?;
    call.emit(&Event::MemberRegistered(newcomer.id))?;
    Ok(Empty)
}

fn newcomer(call: &Call<'_>, argument: &RegisterMember, kind: OrganisationKind) -> Result<Organisation, ContractError> {
    let claim = argument.membership.clone().claim::<Membership>(call.network_id())?;
    let key = claim.claims().organisation.verifying_key;
    let newcomer = claim.verify(&key).map_err(|_| bad_signature("the newcomer"))?.into_parts().0.organisation;
    if newcomer.kind != kind {
        return Err(ContractError::new(Code::WrongKind, format!("{} is a {}", newcomer.id, newcomer.kind)));
    }
    if newcomer.rotations != 0 {
        let message = format!("{} joins with keys that were never rotated: set rotations to 0", newcomer.id);
        return Err(ContractError::new(Code::WrongSequence, message));
    }
    Ok(newcomer)
}

fn check_approvals(members: &[Organisation], argument: &RegisterMember) -> Result<(), ContractError> {
    for approval in argument.approvals() {
        let member = members.iter().find(|member| member.id == approval.member).ok_or_else(|| {
            ContractError::new(Code::UnknownMember, format!("{} approves and is no member", approval.member))
        })?;
        member
            .verifying_key
            .verify(argument.membership.bytes(), &approval.signature)
            .map_err(|_| bad_signature(approval.member.as_str()))?;
    }
    let (given, needed) = (argument.approvals().len(), members.len() / 2 + 1);
    if given < needed {
        let message = format!("{given} of {} members approve, {needed} are needed", members.len());
        return Err(ContractError::new(Code::ApprovalsMissing, message));
    }
    Ok(())
}

fn bad_signature(whose: &str) -> ContractError {
    ContractError::new(Code::BadSignature, format!("the signature of {whose} does not verify"))
}

#[cfg(test)]
mod tests {
    use semblance_core::organisation::{Organisation, OrganisationKind};

    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{Approval, Empty, Maybe, OrganisationArgument, RegisterMember};
    use crate::{Code, key};

    fn west() -> Organisation {
        organisation("west", OrganisationKind::Hospital)
    }

    #[test]
    fn more_than_half_of_the_members_let_somebody_in() {
        let mut world = World::founded();
        let approved = newcomer(west(), &["north", "south", "alpha"]);
        world.admin::<Empty>("beta", "register_hospital", &approved).unwrap();
        let found: Maybe<Organisation> = world.node("west", "organisation", &OrganisationArgument(id("west"))).unwrap();
        assert_eq!(found.0, Some(west()));
        let policy = KeyPolicy::AllOf(vec![id("west")]);
        assert_eq!(world.stub.policy(&key::organisation(&id("west"))), Some(&policy));

        // Five members now: three approvals are still more than half.
        let gamma = newcomer(organisation("gamma", OrganisationKind::Matcher), &["north", "west", "beta"]);
        world.admin::<Empty>("north", "register_matcher", &gamma).unwrap();
    }

    #[test]
    fn an_approval_counts_once() {
        let thrice = newcomer(west(), &["north", "north", "north"]);
        let error = World::founded().admin::<Empty>("north", "register_hospital", &thrice).unwrap_err();
        assert_eq!(error.code(), Code::ApprovalsMissing);
    }

    #[test]
    fn forged_approvals_and_stolen_keys_do_not_count() {
        let good = newcomer(west(), &["north", "south", "alpha"]);
        let mut approvals = good.approvals().to_vec();
        approvals[0] = Approval { member: id("alpha"), signature: node("beta").sign(good.membership.bytes()) };
        let forgery = RegisterMember::new(good.membership.clone(), approvals);
        let error = World::founded().admin::<Empty>("north", "register_hospital", &forgery).unwrap_err();
        assert_eq!(error.code(), Code::BadSignature);

        let not_its_own = RegisterMember::new(forged(&good.membership), good.approvals().to_vec());
        let error = World::founded().admin::<Empty>("north", "register_hospital", &not_its_own).unwrap_err();
        assert_eq!(error.code(), Code::BadSignature);
    }

    #[test]
    fn a_hospital_does_not_join_as_a_matcher() {
        let approved = newcomer(west(), &["north", "south", "alpha"]);
        let error = World::founded().admin::<Empty>("north", "register_matcher", &approved).unwrap_err();
        assert_eq!(error.code(), Code::WrongKind);
    }
}
