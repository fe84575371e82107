//! `answer_introduction`: the hospital to which an introduction is proposed accepts or declines, once.
//!
//! With the salt that was sealed to it, it shows that the proposal's commitment means it. Whether the two cases met, and
//! whether the consents hold, the hospitals judge: the ledger must not know the cases.

use semblance_core::introduction::{IntroductionAnswer, IntroductionProposal, Side, recipient_commitment};

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::state::IntroductionAnswerRecord;
use crate::wire::{Empty, SignedStatement};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: SignedStatement) -> Result<Empty, ContractError> {
    let (answer, source) = check::own_statement(call, argument.0, |answer: &IntroductionAnswer| &answer.hospital)?;
    let id = answer.introduction;
    let proposal = check::introduction(call, id)?;
    check_recipient(call, &answer, &proposal)?;
    if call.now() > proposal.expires {
        return Err(ContractError::new(Code::IntroductionExpired, format!("introduction {id} has expired")));
    }
    let answer_key = key::introduction_answer(id);
    if call.exists(&answer_key)? {
        let message = format!("introduction {id} was answered before: its first answer stands");
        return Err(ContractError::new(Code::IntroductionAnswered, message));
    }
    let record = IntroductionAnswerRecord { recorded: call.now(), answer: source };
    call.save_owned(&answer_key, &record, &answer.hospital)?;
    call.emit(&Event::IntroductionAnswered(id, answer.hospital, answer.outcome))?;
    Ok(Empty)
}

fn check_recipient(
    call: &mut Call<'_>,
    answer: &IntroductionAnswer,
    proposal: &IntroductionProposal,
) -> Result<(), ContractError> {
    let hospital = &answer.hospital;
    let refuse = |why: &str| Err(ContractError::new(Code::WrongRecipient, format!("{hospital} {why}")));
    if *hospital == proposal.proposer {
        return refuse("proposed this introduction itself");
    }
    if recipient_commitment(&answer.salt, call.network_id(), answer.introduction, hospital) != proposal.recipient {
        return refuse("is not whom the salt shows");
    }
    if proposal.side == Side::Found {
        let lookup = check::lookup(call, proposal.lookup)?;
        if check::asker(call, &lookup, proposal.lookup)? != *hospital {
            return refuse("did not ask in the look-up in which the cases met");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use semblance_core::introduction::{Outcome, Side, recipient_commitment};
    use semblance_core::time::Day;

    use crate::event::Event;
    use crate::state::{IntroductionAnswerRecord, IntroductionRow};
    use crate::stub::KeyPolicy;
    use crate::tests::contact::*;
    use crate::tests::world::*;
    use crate::wire::{IntroductionArgument, Maybe, SignedStatement};
    use crate::{Code, key};

    #[test]
    fn the_answer_stands_as_it_was_signed_and_is_told() {
        for outcome in [Outcome::Accepted, Outcome::Declined] {
            let mut world = World::new();
            world.answered(outcome);
            let (name, payload) = world.writes.event.clone().unwrap();
            let told = Event::IntroductionAnswered(INTRODUCTION, id("south"), outcome);
            assert_eq!(Event::decode(&name, &payload), Ok(Some(told)));
            let argument = IntroductionArgument(INTRODUCTION);
            let found: Maybe<IntroductionRow> = world.node("beta", "introduction", &argument).unwrap();
            let SignedStatement(signed) = by("south", answer("south", outcome));
            let stored = found.0.unwrap().answer.unwrap();
            assert_eq!(stored, IntroductionAnswerRecord { recorded: NOW, answer: signed });
            assert_eq!(stored.statement(NETWORK), Ok(answer("south", outcome)));
            let own = KeyPolicy::AllOf(vec![id("south")]);
            assert_eq!(world.stub.policy(&key::introduction_answer(INTRODUCTION)), Some(&own));
        }
    }

    #[test]
    fn only_whom_the_commitment_means_answers() {
        let mut world = World::new();
        world.joined("west");
        world.proposed();
        for other in ["west", "north"] {
            assert_eq!(world.answer(answer(other, Outcome::Accepted)), Err(Code::WrongRecipient), "{other}");
        }
        let mut wrong_salt = answer("south", Outcome::Accepted);
        wrong_salt.salt = [1; 32];
        assert_eq!(world.answer(wrong_salt), Err(Code::WrongRecipient));
        world.answer(answer("south", Outcome::Accepted)).unwrap();
        assert_eq!(world.answer(answer("south", Outcome::Declined)), Err(Code::IntroductionAnswered));
    }

    #[test]
    fn nobody_answers_itself() {
        let mut world = World::new();
        let lookup = world.looked_up();
        world.propose(proposal(lookup, "north", Side::Asker, "north")).unwrap();
        assert_eq!(world.answer(answer("north", Outcome::Accepted)), Err(Code::WrongRecipient));
    }

    #[test]
    fn a_found_hospital_asks_the_asker_and_nobody_else() {
        for (recipient, expected) in [("north", Ok(())), ("west", Err(Code::WrongRecipient))] {
            let mut world = World::new();
            world.joined("west");
            let mut proposal = proposal(world.looked_up(), "south", Side::Found, recipient);
            proposal.recipient = recipient_commitment(&[8; 32], NETWORK, INTRODUCTION, &id(recipient));
            world.propose(proposal).unwrap();
            let mut answer = answer(recipient, Outcome::Accepted);
            answer.salt = [8; 32];
            assert_eq!(world.answer(answer), expected, "{recipient}");
        }
    }

    #[test]
    fn it_is_answered_in_time() {
        for (late, expected) in [(0, Ok(())), (1, Err(Code::IntroductionExpired))] {
            let mut world = World::new();
            world.proposed();
            world.stub.set_timestamp(NOW.plus(Day::MILLIS + late));
            assert_eq!(world.answer(answer("south", Outcome::Accepted)), expected, "{late}");
        }
    }
}
