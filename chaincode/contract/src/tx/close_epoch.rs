//! `close_epoch`: ends a key period; nothing is published into it or asked of it any more.
//!
//! Its opener may close it at any time. Any other hospital's administrator may do so a month after the next one was
//! opened: by then each hospital has seen whether its copy of the next key opens and has published there, so that
//! nobody takes the network away from the others by opening an epoch that they cannot use. The month counts from the
//! opening, whether or not the next one is still open, so that no epoch whose opener is gone stays open for ever.

use semblance_core::epoch::Epoch;
use semblance_core::limits::EPOCH_OVERLAP_MILLIS;
use semblance_core::time::Day;
use semblance_core::token::EpochNumber;

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::wire::{Empty, EpochArgument};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, EpochArgument(number): EpochArgument) -> Result<Empty, ContractError> {
    let mut epoch = check::open_epoch(call, number)?;
    if epoch.opener != *call.caller() {
        check_overlap(call, &epoch)?;
    }
    epoch.closed = Some(call.now());
    call.save(&key::epoch(number), &epoch)?;
    call.emit(&Event::EpochClosed(number))?;
    Ok(Empty)
}

/// The next epoch was opened long enough ago.
fn check_overlap(call: &mut Call<'_>, epoch: &Epoch) -> Result<(), ContractError> {
    let next: Option<Epoch> = call.load(&key::epoch(EpochNumber(epoch.number.0.saturating_add(1))))?;
    if next.is_some_and(|next| call.now() >= next.opened.plus(EPOCH_OVERLAP_MILLIS)) {
        return Ok(());
    }
    let days = EPOCH_OVERLAP_MILLIS / Day::MILLIS;
    let (number, opener) = (epoch.number, &epoch.opener);
    let message = format!("only {opener} may close epoch {number} until {days} days after the next one was opened");
    Err(ContractError::new(Code::NotOwner, message))
}

#[cfg(test)]
mod tests {
    use semblance_core::epoch::Epoch;
    use semblance_core::limits::EPOCH_OVERLAP_MILLIS;
    use semblance_core::time::Timestamp;
    use semblance_core::token::EpochNumber;

    use crate::Code;
    use crate::tests::world::*;
    use crate::wire::{Empty, EpochArgument, Maybe};

    #[test]
    fn an_epoch_is_closed_by_its_opener() {
        let mut world = World::new();
        world.admin::<Empty>("south", "open_epoch", &open_epoch(2)).unwrap();
        assert_eq!(world.close("north", 2).unwrap_err().code(), Code::NotOwner);
        world.close("north", 1).unwrap();
        assert_eq!(world.close("north", 1).unwrap_err().code(), Code::EpochClosed);
        world.close("south", 2).unwrap();
        assert_eq!(world.close("north", 3).unwrap_err().code(), Code::UnknownEpoch);
        let found: Maybe<Epoch> = world.node("beta", "epoch", &EpochArgument(EpochNumber(2))).unwrap();
        assert_eq!(found.0.unwrap().closed, Some(NOW));
    }

    #[test]
    fn whoever_opens_the_next_epoch_does_not_end_this_one_at_once() {
        let mut world = World::new();
        assert_eq!(world.close("south", 1).unwrap_err().code(), Code::NotOwner, "the month has not begun");
        let opened = NOW.plus(60_000);
        world.stub.set_timestamp(opened);
        world.admin::<Empty>("south", "open_epoch", &open_epoch(2)).unwrap();
        let end = opened.plus(EPOCH_OVERLAP_MILLIS);
        for early in [opened, Timestamp::from_millis(end.millis() - 1)] {
            world.stub.set_timestamp(early);
            assert_eq!(world.close("south", 1).unwrap_err().code(), Code::NotOwner);
        }
        world.stub.set_timestamp(end);
        assert_eq!(world.close("north", 2).unwrap_err().code(), Code::NotOwner, "its month has not begun");
        world.close("south", 1).unwrap();
    }

    #[test]
    fn an_epoch_whose_opener_is_gone_ends_though_the_next_one_was_closed() {
        let mut world = World::new();
        world.admin::<Empty>("south", "open_epoch", &open_epoch(2)).unwrap();
        world.close("south", 2).unwrap();
        world.stub.set_timestamp(NOW.plus(EPOCH_OVERLAP_MILLIS));
        world.close("south", 1).unwrap();
        world.admin::<Empty>("south", "open_epoch", &open_epoch(3)).unwrap();
    }

    #[test]
    fn nothing_is_asked_of_a_closed_epoch() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.close("north", 1).unwrap();
        assert_eq!(world.record("alpha", patient.entry_of(1, |_| ())), Err(Code::EpochClosed));
    }
}
