//! `open_epoch`: a new key period, by a hospital's administrator.
//!
//! Epochs are numbered from 1 without gaps. At most two are open at once: epoch n opens when epoch n − 2 is closed, so
//! that hospitals can publish into the new one while the old one is still searched. The epoch's key comes sealed to
//! exactly the hospitals that are members now, each under its present sealing key; a hospital that joins later takes
//! part from the next epoch on.

use semblance_core::epoch::Epoch;
use semblance_core::token::EpochNumber;

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::wire::{Empty, OpenEpoch};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: OpenEpoch) -> Result<Empty, ContractError> {
    check_number(call, argument.number)?;
    let sealed = argument.keys.items().iter().map(|sealed| (&sealed.hospital, sealed.key));
    check::sealed_to_hospitals(call, sealed, Code::EpochKeysIncomplete)?;
    for sealed in argument.keys.items() {
        call.save_owned(&key::epoch_key(argument.number, &sealed.hospital), sealed, &sealed.hospital)?;
    }
    let record = Epoch {
        number: argument.number,
        opener: call.caller().clone(),
        vocabulary: argument.vocabulary,
        profile: argument.profile,
        key_check: argument.key_check,
        opened: call.now(),
        closed: None,
    };
    call.save(&key::epoch(argument.number), &record)?;
    call.emit(&Event::EpochOpened(argument.number))?;
    Ok(Empty)
}

fn check_number(call: &mut Call<'_>, number: EpochNumber) -> Result<(), ContractError> {
    let wrong = |why| ContractError::new(Code::WrongEpochNumber, format!("epoch {number} {why}"));
    let before = number.0.checked_sub(1).ok_or_else(|| wrong("is none: epochs are numbered from 1"))?;
    if call.exists(&key::epoch(number))? {
        return Err(wrong("was opened before"));
    }
    if before > 0 && !call.exists(&key::epoch(EpochNumber(before)))? {
        return Err(wrong("does not follow the newest one"));
    }
    if before > 1 && check::epoch(call, EpochNumber(before - 1))?.is_open() {
        let message = format!("two epochs are open: close epoch {} first", before - 1);
        return Err(ContractError::new(Code::EpochOverlap, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use semblance_core::epoch::{Epoch, SealedEpochKey};
    use semblance_core::organisation::OrganisationKind;
    use semblance_core::sealing::SealingKeyId;

    use crate::Code;
    use crate::tests::world::*;
    use crate::wire::{Empty, EpochKeyArgument, List, Maybe, OpenEpoch, Page, PageRequest};

    fn code(world: &mut World, epoch: &OpenEpoch) -> Result<(), Code> {
        world.admin::<Empty>("south", "open_epoch", epoch).map(|_| ()).map_err(|error| error.code())
    }

    #[test]
    fn each_hospital_finds_its_sealed_key() {
        let mut world = World::new();
        for name in ["north", "south"] {
            let argument = EpochKeyArgument { epoch: EPOCH, hospital: id(name) };
            let found: Maybe<SealedEpochKey> = world.node("alpha", "epoch_key", &argument).unwrap();
            assert_eq!(found.0.unwrap().hospital, id(name));
        }
        let epochs: Page<Epoch> = world.node("alpha", "epochs", &PageRequest::first(5)).unwrap();
        let [epoch] = &epochs.rows[..] else { panic!("one epoch") };
        assert!(epoch.is_open() && epoch.opener == id("north") && epoch.opened == NOW);
    }

    #[test]
    fn two_epochs_overlap_and_not_three() {
        let mut world = World::new();
        code(&mut world, &open_epoch(2)).unwrap();
        assert_eq!(code(&mut world, &open_epoch(3)), Err(Code::EpochOverlap));
        world.close("north", 1).unwrap();
        code(&mut world, &open_epoch(3)).unwrap();
    }

    #[test]
    fn numbers_have_no_gaps_and_no_repetition() {
        let mut world = World::new();
        for number in [0, 1, 3, u32::MAX] {
            assert_eq!(code(&mut world, &open_epoch(number)), Err(Code::WrongEpochNumber), "{number}");
        }
    }

    #[test]
    fn keys_go_to_exactly_the_present_hospitals_under_their_present_keys() {
        let sealed = |name: &str, key| SealedEpochKey { hospital: id(name), key: SealingKeyId(key), sealed: [1; 80] };
        let wrong = [
            vec![sealed("north", 1)],
            vec![sealed("north", 1), sealed("south", 2)],
            vec![sealed("north", 1), sealed("south", 1), sealed("south", 1)],
            vec![sealed("north", 1), sealed("south", 1), sealed("alpha", 1)],
        ];
        for keys in wrong {
            let epoch = OpenEpoch { keys: List::new(keys).unwrap(), ..open_epoch(1) };
            assert_eq!(code(&mut World::founded(), &epoch), Err(Code::EpochKeysIncomplete));
        }
        let mut world = World::founded();
        let west = newcomer(organisation("west", OrganisationKind::Hospital), &["north", "south", "alpha"]);
        world.admin::<Empty>("north", "register_hospital", &west).unwrap();
        assert_eq!(code(&mut world, &open_epoch(1)), Err(Code::EpochKeysIncomplete), "west has none");
    }
}
