//! `close_epoch`: ends a key period; nothing is published into it or asked of it any more.
//!
//! While a newer epoch exists any hospital's administrator may close the older one. The newest is closed by the
//! hospital that opened it alone, so that no other can stop the network.

use semblance_core::token::EpochNumber;

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::wire::{Empty, EpochArgument};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, EpochArgument(number): EpochArgument) -> Result<Empty, ContractError> {
    let mut epoch = check::open_epoch(call, number)?;
    let has_successor = call.exists(&key::epoch(EpochNumber(number.0.saturating_add(1))))?;
    if !has_successor && epoch.opener != *call.caller() {
        let message = format!("epoch {number} is the newest: only {} may close it, or open the next one", epoch.opener);
        return Err(ContractError::new(Code::NotOwner, message));
    }
    epoch.closed = Some(call.now());
    call.save(&key::epoch(number), &epoch)?;
    call.emit(&Event::EpochClosed(number))?;
    Ok(Empty)
}

#[cfg(test)]
mod tests {
    use semblance_core::epoch::Epoch;
    use semblance_core::token::EpochNumber;

    use crate::Code;
    use crate::tests::world::*;
    use crate::wire::{Empty, EpochArgument, Maybe};

    #[test]
    fn the_newest_epoch_is_closed_by_its_opener_an_older_one_by_any_hospital() {
        let mut world = World::new();
        assert_eq!(world.close("south", 1).unwrap_err().code(), Code::NotOwner);
        world.admin::<Empty>("north", "open_epoch", &open_epoch(2)).unwrap();
        world.close("south", 1).unwrap();
        assert_eq!(world.close("south", 1).unwrap_err().code(), Code::EpochClosed);
        world.close("north", 2).unwrap();
        assert_eq!(world.close("north", 3).unwrap_err().code(), Code::UnknownEpoch);
        let found: Maybe<Epoch> = world.node("beta", "epoch", &EpochArgument(EpochNumber(2))).unwrap();
        assert_eq!(found.0.unwrap().closed, Some(NOW));
    }

    #[test]
    fn nothing_is_asked_of_a_closed_epoch() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.close("north", 1).unwrap();
        assert_eq!(world.record("alpha", patient.entry_of(1, |_| ())), Err(Code::EpochClosed));
    }
}
