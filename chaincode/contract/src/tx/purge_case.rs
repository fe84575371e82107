//! `purge_case`: removes the private data, salt and fingerprint together, of cases that are no longer live or whose
//! epoch is closed. Anyone may submit it, as often as it takes; the collection's rule wants the endorsement of the
//! cases' hospital and of a matcher.

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
    if !call.exists(&key::case_tombstone(handle))? && check::epoch(call, case.epoch)?.is_open() {
        let message = format!("case {handle} is live: withdraw its consent or correct it first");
        return Err(ContractError::new(Code::CaseLive, message));
    }
    let purge_key = key::case_purge(handle);
    let purged_before = call.exists(&purge_key)?;
    call.claim(&[&purge_key])?;
    if !purged_before {
        call.save(&purge_key, &CasePurge { at: call.now() })?;
    }
    call.stub().purge_private(&fingerprint_collection(&case.owner), &handle.to_string())?;
    Ok(OwnedCase { handle, hospital: case.owner })
}

#[cfg(test)]
mod tests {
    use semblance_core::time::Timestamp;

    use crate::Code;
    use crate::state::{CasePurge, CaseView};
    use crate::tests::world::*;
    use crate::wire::{Handle, Maybe};

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
    }

    #[test]
    fn a_closed_epochs_cases_may_be_purged() {
        let mut world = World::new();
        let (_, handle) = world.published("north");
        world.close("north", 1).unwrap();
        world.purge("south", handle).unwrap();
    }
}
