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
    let tombstone = CaseTombstone { status: CaseStatus::Expired, at: call.now() };
    call.save_owned(&tombstone_key, &tombstone, &case.owner)?;
    Ok(Some(OwnedCase { handle, hospital: case.owner }))
}

#[cfg(test)]
mod tests {
    use semblance_core::case::CaseStatus;
    use semblance_core::time::Day;

    use crate::Code;
    use crate::state::CaseView;
    use crate::tests::world::*;
    use crate::wire::{Handle, Maybe, Outcomes};

    #[test]
    fn a_case_expires_at_its_consents_last_moment_and_once() {
        let mut world = World::new();
        let (_, handle) = world.published("north");
        world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS - 1));
        assert_eq!(world.expire("south", handle), Err(Code::NotExpired));
        world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS));
        world.expire("south", handle).unwrap();
        let found: Maybe<CaseView> = world.node("beta", "case", &Handle(handle)).unwrap();
        assert_eq!(found.0.unwrap().case.status, CaseStatus::Expired);
        world.expire("south", handle).unwrap();
        assert!(world.writes.public.is_empty() && world.writes.event.is_none());
    }

    #[test]
    fn what_an_early_clock_expired_stays_out() {
        let mut world = World::new();
        let (patient, handle) = world.published("north");
        world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS));
        world.expire("south", handle).unwrap();
        world.stub.set_timestamp(NOW);
        assert_eq!(world.record("alpha", patient.entry_of(1, |_| ())), Err(Code::CaseNotPublished));
        let next = world.handle();
        assert_eq!(world.publish("north", item(&patient, next, Some(handle))), Err(Code::ReplacesMismatch));
        world.publish("north", item(&patient, next, None)).unwrap();
        world.record("alpha", patient.entry_of(1, |_| ())).unwrap();
    }

    #[test]
    fn one_that_is_refused_stops_no_other() {
        let mut world = World::new();
        let (_, old) = world.published("north");
        world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS));
        let unknown = world.handle();
        let outcomes: Outcomes = world.node("alpha", "expire", &handles(&[unknown, old, old])).unwrap();
        let codes: Vec<_> =
            outcomes.items().iter().map(|item| item.as_ref().err().and_then(|one| one.code())).collect();
        assert_eq!(codes, [Some(Code::UnknownCase), None, Some(Code::DuplicateInBatch)]);
    }
}
