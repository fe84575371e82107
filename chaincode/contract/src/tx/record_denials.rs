//! `record_denials`: an organisation's coded notes of what it refused. The same denial twice is recorded once.
//!
//! A denial may have waited for the ledger, but not for longer than a month: nobody fills the days of the past.

use semblance_core::denial::Denial;
use semblance_core::id::DenialId;
use semblance_core::limits::{DENIAL_AGE_MILLIS_MAX, PROPOSAL_SKEW_MILLIS};
use semblance_core::time::Day;

use crate::call::Call;
use crate::event::Event;
use crate::wire::{Outcomes, RecordDenials};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: RecordDenials) -> Result<Outcomes, ContractError> {
    let (outcomes, recorded) = call.each(argument.into_items(), record)?;
    let recorded: Vec<_> = recorded.into_iter().flatten().collect();
    if !recorded.is_empty() {
        let event = Event::DenialsRecorded(call.caller().clone(), recorded);
        call.emit(&event)?;
    }
    Ok(outcomes)
}

fn record(call: &mut Call<'_>, denial: Denial) -> Result<Option<DenialId>, ContractError> {
    if denial.organisation != *call.caller() {
        let message = format!("{} may not record denials of {}", call.caller(), denial.organisation);
        return Err(ContractError::new(Code::NotOwner, message));
    }
    if denial.time > call.now().plus(PROPOSAL_SKEW_MILLIS) {
        return Err(ContractError::new(Code::DenialTime, "the denial is later than its proposal: set the clock"));
    }
    let denial_key = key::denial(&denial.organisation, denial.time.day(), denial.id);
    match call.load::<Denial>(&denial_key)? {
        Some(stored) if stored == denial => return Ok(None),
        Some(_) => {
            let message = format!("denial id {} was used before: draw a new one", denial.id);
            return Err(ContractError::new(Code::DenialExists, message));
        }
        None if call.now() > denial.time.plus(DENIAL_AGE_MILLIS_MAX) => {
            let days = DENIAL_AGE_MILLIS_MAX / Day::MILLIS;
            let message = format!("the denial is over {days} days old: keep it in the own audit alone");
            return Err(ContractError::new(Code::DenialTooOld, message));
        }
        None => {}
    }
    call.claim(&[&denial_key])?;
    call.save_owned(&denial_key, &denial, &denial.organisation)?;
    Ok(Some(denial.id))
}

#[cfg(test)]
mod tests {
    use semblance_core::denial::Denial;
    use semblance_core::limits::{DENIAL_AGE_MILLIS_MAX, PROPOSAL_SKEW_MILLIS};
    use semblance_core::time::Timestamp;

    use crate::Code;
    use crate::tests::world::*;
    use crate::wire::{List, OfOrganisationOnDay, Outcomes, Page, PageRequest};

    #[test]
    fn denials_are_listed_by_organisation_and_day() {
        let mut world = World::new();
        let denials = List::<_, 100>::new(vec![denial("alpha", 1), denial("alpha", 2)]).unwrap();
        let outcomes: Outcomes = world.node("alpha", "record_denials", &denials).unwrap();
        assert!(outcomes.all_succeeded());
        let argument = OfOrganisationOnDay { organisation: id("alpha"), day: TODAY, page: PageRequest::first(9) };
        let page: Page<Denial> = world.node("north", "denials", &argument).unwrap();
        assert_eq!(page.rows, [denial("alpha", 1), denial("alpha", 2)]);
    }

    #[test]
    fn a_denial_waits_for_the_ledger_a_month_at_most() {
        let mut world = World::new();
        let record = |world: &mut World, number| {
            let denials = List::<_, 100>::new(vec![denial("alpha", number)]).unwrap();
            only(world.node("alpha", "record_denials", &denials).unwrap())
        };
        // A clock as far ahead as it may be, then ledgers that were down for so long.
        world.stub.set_timestamp(Timestamp::from_millis(NOW.millis() - PROPOSAL_SKEW_MILLIS));
        record(&mut world, 1).unwrap();
        world.stub.set_timestamp(Timestamp::from_millis(NOW.millis() - PROPOSAL_SKEW_MILLIS - 1));
        assert_eq!(record(&mut world, 2), Err(Code::DenialTime));
        world.stub.set_timestamp(NOW.plus(DENIAL_AGE_MILLIS_MAX));
        record(&mut world, 2).unwrap();
        world.stub.set_timestamp(NOW.plus(DENIAL_AGE_MILLIS_MAX + 1));
        assert_eq!(record(&mut world, 3), Err(Code::DenialTooOld));
        record(&mut world, 2).unwrap();
        assert!(world.writes.public.is_empty(), "what stands there already is no news");
    }

    #[test]
    fn the_same_denial_again_changes_nothing_and_succeeds() {
        let mut world = World::new();
        let denials = List::<_, 100>::new(vec![denial("north", 1)]).unwrap();
        for _ in 0..2 {
            only(world.node("north", "record_denials", &denials).unwrap()).unwrap();
        }
        assert!(world.writes.public.is_empty() && world.writes.event.is_none());
    }
}
