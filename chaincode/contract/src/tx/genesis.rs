//! `genesis`: what the network is and who its first members are. Once, by the administrator of one of them.
//!
//! Every member should endorse it, so that none finds itself with keys it did not name.

use semblance_core::organisation::Genesis;

use crate::access::Access;
use crate::call::{emit, save_guarded};
use crate::event::Event;
use crate::stub::Stub;
use crate::wire::Empty;
use crate::{Code, ContractError, key};

pub(crate) const ACCESS: Access = Access::ADMIN;

pub(crate) fn run(stub: &mut dyn Stub, genesis: &Genesis) -> Result<Empty, ContractError> {
    let caller = stub.caller().organisation.clone();
    if !genesis.organisations().iter().any(|organisation| organisation.id == caller) {
        return Err(ContractError::new(Code::NotMember, format!("{caller} is not among the members it names")));
    }
    if let Some(rotated) = genesis.organisations().iter().find(|organisation| organisation.rotations != 0) {
        let message = format!("{} joins with keys that were never rotated: set rotations to 0", rotated.id);
        return Err(ContractError::new(Code::WrongSequence, message));
    }
    if stub.get(key::NETWORK)?.is_some() {
        return Err(ContractError::new(Code::NetworkExists, "this ledger has its genesis already"));
    }
    let members: Vec<_> = genesis.organisations().iter().map(|organisation| organisation.id.clone()).collect();
    save_guarded(stub, key::NETWORK, genesis.network(), members.clone())?;
    for organisation in genesis.organisations() {
        save_guarded(stub, &key::organisation(&organisation.id), organisation, vec![organisation.id.clone()])?;
    }
    emit(stub, &Event::NetworkCreated(members))?;
    Ok(Empty)
}

#[cfg(test)]
mod tests {
    use semblance_core::organisation::{Genesis, Network, Organisation};

    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{Empty, Maybe, OrganisationArgument, Page, PageRequest};
    use crate::{Code, key};

    #[test]
    fn members_are_protected_by_their_own_endorsement() {
        let mut world = World::founded();
        assert_eq!(world.node::<Network>("beta", "network", &Empty).unwrap(), *genesis().network());
        for member in genesis().organisations() {
            let policy = KeyPolicy::AllOf(vec![member.id.clone()]);
            assert_eq!(world.stub.policy(&key::organisation(&member.id)), Some(&policy));
            let found: Maybe<Organisation> =
                world.node("south", "organisation", &OrganisationArgument(member.id.clone())).unwrap();
            assert_eq!(found.0.as_ref(), Some(member));
        }
        let first: Page<Organisation> = world.node("south", "organisations", &PageRequest::first(3)).unwrap();
        let rest = PageRequest::at(first.next.clone(), 3);
        let second: Page<Organisation> = world.node("south", "organisations", &rest).unwrap();
        assert_eq!((first.rows.len(), second.rows.len(), second.next), (3, 1, None));
    }

    #[test]
    fn an_outsider_founds_no_network_for_others() {
        let error = World::empty().admin::<Empty>("west", "genesis", &genesis()).unwrap_err();
        assert_eq!(error.code(), Code::NotMember);
    }

    #[test]
    fn members_join_with_keys_that_were_never_rotated() {
        let mut organisations = genesis().organisations().to_vec();
        organisations[0].rotations = 1;
        let genesis = Genesis::new(genesis().network().clone(), organisations).unwrap();
        let error = World::empty().admin::<Empty>("north", "genesis", &genesis).unwrap_err();
        assert_eq!(error.code(), Code::WrongSequence);
    }
}
