//! `purge_case`: removes the private data, salt and fingerprint together, of cases that have ended or whose epoch is
//! closed. Of a case that has ended anyone may submit it, as often as it takes; a case that ended with its epoch alone
//! is purged by its own hospital, so that nobody who closes an epoch erases what others hold in it. The collection's
//! rule wants the endorsement of the cases' hospital and of a matcher besides.

use semblance_core::case::PublishedCase;

use crate::call::Call;
use crate::check;
use crate::event::{Event, OwnedCase};
use crate::state::CasePurge;
use crate::stub::fingerprint_collection;
use crate::wire::{Handle, Handles, Outcomes};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: Handles) -> Result<Outcomes, ContractError> {
    let (outcomes, purged) = call.each(argument.into_items(), purge)?;
    if !purged.is_empty() {
        call.emit(&Event::CasesPurged(purged))?;
    }
    Ok(outcomes)
}

fn purge(call: &mut Call<'_>, Handle(handle): Handle) -> Result<OwnedCase, ContractError> {
    let case = check::case(call, handle)?;
    if !call.exists(&key::case_tombstone(handle))? {
        check_epoch_ended(call, &case)?;
    }
    let purge_key = key::case_purge(handle);
    let purged_before = call.exists(&purge_key)?;
    call.claim(&[&purge_key])?;
    if !purged_before {
        call.save_owned(&purge_key, &CasePurge { at: call.now() }, &case.owner)?;
    }
    call.stub().purge_private(&fingerprint_collection(&case.owner), &handle.to_string())?;
    Ok(OwnedCase { handle, hospital: case.owner })
}

/// Nothing but the end of its epoch took the case out: then its hospital alone has it purged.
fn check_epoch_ended(call: &mut Call<'_>, case: &PublishedCase) -> Result<(), ContractError> {
    let handle = case.handle;
    if check::epoch(call, case.epoch)?.is_open() {
        let message = format!("case {handle} is live: withdraw its consent or correct it first");
        return Err(ContractError::new(Code::CaseLive, message));
    }
    if case.owner != *call.caller() {
        let message = format!("case {handle} ended with its epoch: {} alone has it purged", case.owner);
        return Err(ContractError::new(Code::NotOwner, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use semblance_core::time::Timestamp;

    use crate::state::{CasePurge, CaseView};
    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{Handle, Maybe};
    use crate::{Code, key};

    fn purged(world: &mut World, handle: semblance_core::id::CaseHandle) -> Option<Timestamp> {
        let found: Maybe<CaseView> = world.node("south", "case", &Handle(handle)).unwrap();
        found.0.unwrap().purge.map(|CasePurge { at }| at)
    }

    #[test]
    fn an_ended_case_is_purged_as_often_as_it_takes() {
        let mut world = World::new();
        let (patient, handle) = world.published("north");
        assert_eq!(world.purge("north", handle), Err(Code::CaseLive));
        world.withdraw("south", &patient).unwrap();
        assert_eq!(purged(&mut world, handle), None);
        for minute in 0..2 {
            world.stub.set_timestamp(NOW.plus(minute * 60_000));
            world.purge("beta", handle).unwrap();
            let collection = ("fingerprints_north".to_owned(), handle.to_string());
            assert_eq!(world.writes.private.get(&collection), Some(&None));
            assert_eq!(purged(&mut world, handle), Some(NOW), "the first time is kept");
        }
        let owner = KeyPolicy::AllOf(vec![id("north")]);
        assert_eq!(world.stub.policy(&key::case_purge(handle)), Some(&owner));
    }

    #[test]
    fn a_closed_epochs_live_cases_are_purged_by_their_own_hospital() {
        let mut world = World::new();
        let ((patient, handle), (_, other)) = (world.published("south"), world.published("south"));
        world.close("north", 1).unwrap();
        for stranger in ["north", "alpha"] {
            assert_eq!(world.purge(stranger, handle), Err(Code::NotOwner), "{stranger}");
        }
        world.purge("south", other).unwrap();
        // A withdrawal ends the case too, and then whoever submits it gets it purged.
        world.withdraw("alpha", &patient).unwrap();
        world.purge("alpha", handle).unwrap();
    }
}
