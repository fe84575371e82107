//! `open_channel`: one of the two hospitals of an accepted introduction opens the channel, or takes it over, as its hub.
//!
//! The fence starts at 1 and grows by one each time, so that of two hubs everybody knows the one that orders. An
//! introduction has one channel. A later opening needs the endorsement of both hospitals, so that neither takes the
//! channel from the other alone.

use semblance_core::channel::ChannelOpening;
use semblance_core::id::{IntroductionId, OrganisationId};
use semblance_core::introduction::Outcome;

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::state::{ChannelRecord, IntroductionAnswerRecord, IntroductionChannel, Opening};
use crate::wire::{Empty, SignedStatement};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: SignedStatement) -> Result<Empty, ContractError> {
    let (opening, source) = check::own_statement(call, argument.0, |opening: &ChannelOpening| &opening.hub.hub)?;
    let hub = &opening.hub;
    let sides = accepted(call, opening.introduction)?;
    if !sides.contains(&hub.hub) {
        let message = format!("{} is no side of introduction {}", hub.hub, opening.introduction);
        return Err(ContractError::new(Code::NotOwner, message));
    }
    let pointer_key = key::introduction_channel(opening.introduction);
    let first = match check::channel(call, hub.channel)? {
        Some(Opening::Match(last)) if same(&last, &opening) => {
            check::fence(hub.fence, last.hub.fence)?;
            false
        }
        Some(_) => return Err(check::channel_used(hub.channel)),
        None if call.exists(&pointer_key)? => {
            let message = format!("introduction {} has a channel already", opening.introduction);
            return Err(ContractError::new(Code::ChannelExists, message));
        }
        None => {
            check::fence(hub.fence, 0)?;
            true
        }
    };
    let record = ChannelRecord { recorded: call.now(), kind: opening.kind(), opening: source };
    call.save_guarded(&key::channel(hub.channel), &record, sides.clone())?;
    if first {
        call.save_guarded(&pointer_key, &IntroductionChannel(hub.channel), sides)?;
    }
    call.emit(&Event::ChannelOpened(hub.channel, hub.hub.clone(), hub.fence))?;
    Ok(Empty)
}

fn same(last: &ChannelOpening, next: &ChannelOpening) -> bool {
    last.introduction == next.introduction && last.kind() == next.kind()
}

/// The two hospitals of an introduction that was accepted: who proposed it and who answered.
fn accepted(call: &mut Call<'_>, id: IntroductionId) -> Result<Vec<OrganisationId>, ContractError> {
    let proposal = check::introduction(call, id)?;
    let answer_key = key::introduction_answer(id);
    let refused = |why: &str| ContractError::new(Code::IntroductionNotAccepted, format!("introduction {id} {why}"));
    let answer: IntroductionAnswerRecord = call.load(&answer_key)?.ok_or_else(|| refused("is not answered yet"))?;
    let answer = answer.statement(call.network_id()).map_err(|error| ContractError::corrupt(&answer_key, &error))?;
    match answer.outcome {
        Outcome::Accepted => Ok(vec![proposal.proposer, answer.hospital]),
        Outcome::Declined => Err(refused("was declined")),
    }
}

#[cfg(test)]
mod tests {
    use semblance_core::channel::ChannelKind;
    use semblance_core::id::{ChannelId, IntroductionId};
    use semblance_core::introduction::{Outcome, Side, recipient_commitment};
    use semblance_core::record::Record;

    use super::*;
    use crate::state::IntroductionRow;
    use crate::stub::KeyPolicy;
    use crate::tests::contact::*;
    use crate::tests::world::*;
    use crate::wire::{ChannelArgument, IntroductionArgument, Maybe, Page, PageRequest};

    #[test]
    fn the_opening_stands_under_both_sides_policy() {
        let mut world = World::new();
        world.answered(Outcome::Accepted);
        world.open_channel(opening("south", 1)).unwrap();
        let (name, payload) = world.writes.event.clone().unwrap();
        assert_eq!(Event::decode(&name, &payload), Ok(Some(Event::ChannelOpened(CHANNEL, id("south"), 1))));
        let found: Maybe<ChannelRecord> = world.node("alpha", "channel", &ChannelArgument(CHANNEL)).unwrap();
        let record = found.0.unwrap();
        assert_eq!((record.recorded, record.kind), (NOW, ChannelKind::Match));
        let stored = record.statement(NETWORK).unwrap();
        assert_eq!((stored.hub(), stored.kind()), (&opening("south", 1).hub, ChannelKind::Match));
        let both = KeyPolicy::AllOf(vec![id("north"), id("south")]);
        for key in [key::channel(CHANNEL), key::introduction_channel(INTRODUCTION)] {
            assert_eq!(world.stub.policy(&key), Some(&both), "{key}");
        }
        let argument = IntroductionArgument(INTRODUCTION);
        let row: Maybe<IntroductionRow> = world.node("alpha", "introduction", &argument).unwrap();
        assert_eq!(row.0.unwrap().channel, Some(IntroductionChannel(CHANNEL)));
    }

    #[test]
    fn it_is_opened_by_a_side_of_an_accepted_introduction() {
        let mut world = World::new();
        world.joined("west");
        assert_eq!(world.open_channel(opening("north", 1)), Err(Code::UnknownIntroduction));
        world.proposed();
        assert_eq!(world.open_channel(opening("north", 1)), Err(Code::IntroductionNotAccepted));
        world.answer(answer("south", Outcome::Accepted)).unwrap();
        assert_eq!(world.open_channel(opening("west", 1)), Err(Code::NotOwner));
        world.open_channel(opening("north", 1)).unwrap();

        let mut declined = World::new();
        declined.answered(Outcome::Declined);
        assert_eq!(declined.open_channel(opening("south", 1)), Err(Code::IntroductionNotAccepted));
    }

    #[test]
    fn the_hub_moves_with_the_next_fence_alone() {
        let mut world = World::new();
        world.answered(Outcome::Accepted);
        for fence in [2, u32::MAX] {
            assert_eq!(world.open_channel(opening("south", fence)), Err(Code::WrongFence), "{fence}");
        }
        world.open_channel(opening("south", 1)).unwrap();
        for fence in [1, 3] {
            assert_eq!(world.open_channel(opening("north", fence)), Err(Code::WrongFence), "{fence}");
        }
        world.open_channel(opening("north", 2)).unwrap();
        let written: Vec<_> = world.writes.public.keys().cloned().collect();
        assert_eq!(written, [key::channel(CHANNEL)]);
        assert_eq!(world.open_channel(opening("south", 2)), Err(Code::WrongFence));
        world.open_channel(opening("south", 3)).unwrap();
        let page: Page<ChannelRecord> = world.node("beta", "channels", &PageRequest::first(9)).unwrap();
        let [record] = &page.rows[..] else { panic!("one channel") };
        assert_eq!(record.statement(NETWORK).unwrap().hub(), &opening("south", 3).hub);
    }

    #[test]
    fn the_last_fence_has_no_next() {
        let mut world = World::new();
        world.answered(Outcome::Accepted);
        world.open_channel(opening("south", 1)).unwrap();
        let crate::wire::SignedStatement(last) = by("south", opening("south", u32::MAX));
        let record = ChannelRecord { recorded: NOW, kind: ChannelKind::Match, opening: last };
        world.stub.tamper(&key::channel(CHANNEL), record.encode());
        for fence in [1, u32::MAX] {
            assert_eq!(world.open_channel(opening("north", fence)), Err(Code::WrongFence), "{fence}");
        }
    }

    #[test]
    fn an_introduction_has_one_channel_of_one_kind() {
        let mut world = World::new();
        world.answered(Outcome::Accepted);
        world.open_channel(opening("south", 1)).unwrap();
        let mut other = opening("north", 1);
        other.hub.channel = ChannelId::from_bytes([1; 16]);
        assert_eq!(world.open_channel(other), Err(Code::ChannelExists));
        let patients = ChannelOpening { patients_alone: true, ..opening("south", 2) };
        assert_eq!(world.open_channel(patients), Err(Code::ChannelUsed));
    }

    #[test]
    fn a_channel_belongs_to_one_introduction() {
        let mut world = World::new();
        let lookup = world.proposed();
        world.answer(answer("south", Outcome::Accepted)).unwrap();
        world.open_channel(opening("south", 1)).unwrap();
        let second = IntroductionId::from_bytes([2; 16]);
        let mut next = proposal(lookup, "north", Side::Asker, "south");
        (next.introduction, next.number) = (second, 1);
        next.recipient = recipient_commitment(&[8; 32], NETWORK, second, &id("south"));
        world.propose(next).unwrap();
        let mut accepted = answer("south", Outcome::Accepted);
        (accepted.introduction, accepted.salt) = (second, [8; 32]);
        world.answer(accepted).unwrap();
        let stolen = ChannelOpening { introduction: second, ..opening("north", 2) };
        assert_eq!(world.open_channel(stolen), Err(Code::ChannelUsed));
        world.open_group(group("north", 1, &["north", "south"])).unwrap();
        let mut of_a_group = ChannelOpening { introduction: second, ..opening("north", 2) };
        of_a_group.hub.channel = GROUP;
        assert_eq!(world.open_channel(of_a_group), Err(Code::ChannelUsed));
    }

    #[test]
    fn a_record_of_another_kind_than_was_signed_is_damaged() {
        let crate::wire::SignedStatement(opening) = by("south", opening("south", 1));
        for kind in [ChannelKind::Patients, ChannelKind::Group] {
            let record = ChannelRecord { recorded: NOW, kind, opening: opening.clone() };
            assert!(record.statement(NETWORK).is_err(), "{kind}");
        }
    }
}
