//! `propose_introduction`: a hospital asks for contact on a look-up in which one of its cases met another hospital's.
//!
//! The ledger sees the look-up, the proposer and its side; to whom it is proposed stands in a salted commitment, and
//! the rest is sealed. Each hospital has ten numbers on a look-up, as many as an answer has matches, so that nothing
//! has to be counted. Nobody rewrites a proposal later without the proposer.

use semblance_core::introduction::{IntroductionProposal, Side};
use semblance_core::limits::{INTRODUCTION_LOOKUP_AGE_MILLIS_MAX, INTRODUCTION_VALIDITY_MILLIS, PROPOSAL_SKEW_MILLIS};
use semblance_core::time::{Day, Timestamp};

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::state::{IntroductionRecord, ProposedIntroduction};
use crate::wire::{Empty, SignedStatement};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: SignedStatement) -> Result<Empty, ContractError> {
    let (proposal, source) =
        check::own_statement(call, argument.0, |proposal: &IntroductionProposal| &proposal.proposer)?;
    check_expiry(&proposal, call.now())?;
    check_lookup(call, &proposal)?;

    let (id, proposer) = (proposal.introduction, proposal.proposer);
    let own_key = key::introduction(id);
    if call.exists(&own_key)? {
        let message = format!("introduction {id} was proposed before: draw a new id");
        return Err(ContractError::new(Code::IntroductionUsed, message));
    }
    let number_key = key::introduction_of(proposal.lookup, &proposer, proposal.number);
    if call.exists(&number_key)? {
        let message = format!("{proposer} used number {} on this look-up before: take another", proposal.number);
        return Err(ContractError::new(Code::IntroductionNumberUsed, message));
    }
    let record = IntroductionRecord { recorded: call.now(), proposal: source };
    call.save_owned(&own_key, &record, &proposer)?;
    call.save_owned(&number_key, &ProposedIntroduction(id), &proposer)?;
    call.emit(&Event::IntroductionProposed(id, proposer))?;
    Ok(Empty)
}

fn check_expiry(proposal: &IntroductionProposal, now: Timestamp) -> Result<(), ContractError> {
    if now > proposal.expires {
        return Err(ContractError::new(Code::IntroductionExpired, "the introduction has expired: sign a new one"));
    }
    // Signed by a clock that may be ahead of the proposal's.
    if proposal.expires > now.plus(INTRODUCTION_VALIDITY_MILLIS + PROPOSAL_SKEW_MILLIS) {
        let days = INTRODUCTION_VALIDITY_MILLIS / Day::MILLIS;
        let message = format!("the introduction expires more than {days} days from now: sign a shorter one");
        return Err(ContractError::new(Code::IntroductionLongLived, message));
    }
    Ok(())
}

/// The look-up is recorded and recent, and the proposer stands where it says.
fn check_lookup(call: &mut Call<'_>, proposal: &IntroductionProposal) -> Result<(), ContractError> {
    let lookup = check::lookup(call, proposal.lookup)?;
    if call.now() > lookup.recorded.plus(INTRODUCTION_LOOKUP_AGE_MILLIS_MAX) {
        let days = INTRODUCTION_LOOKUP_AGE_MILLIS_MAX / Day::MILLIS;
        let message = format!("the look-up is over {days} days old: look up again");
        return Err(ContractError::new(Code::LookupTooOld, message));
    }
    let asked = check::asker(call, &lookup, proposal.lookup)? == proposal.proposer;
    match (proposal.side, asked) {
        (Side::Asker, true) | (Side::Found, false) => Ok(()),
        (Side::Asker, false) => Err(ContractError::new(Code::WrongSide, "another hospital asked in this look-up")),
        (Side::Found, true) => {
            Err(ContractError::new(Code::WrongSide, "the proposer asked in this look-up itself: propose as the asker"))
        }
    }
}

#[cfg(test)]
mod tests {
    use semblance_core::id::IntroductionId;
    use semblance_core::introduction::Side;
    use semblance_core::limits::{
        INTRODUCTION_LOOKUP_AGE_MILLIS_MAX, INTRODUCTION_VALIDITY_MILLIS, PROPOSAL_SKEW_MILLIS,
    };
    use semblance_core::time::Timestamp;

    use crate::state::{IntroductionRecord, IntroductionRow};
    use crate::stub::KeyPolicy;
    use crate::tests::contact::*;
    use crate::tests::world::*;
    use crate::wire::{Empty, IntroductionArgument, Maybe, OfLookup, Page, PageRequest, SignedStatement};
    use crate::{Code, key};

    #[test]
    fn the_proposal_stands_as_it_was_signed() {
        let mut world = World::new();
        let lookup = world.looked_up();
        let proposal = proposal(lookup, "north", Side::Asker, "south");
        world.propose(proposal.clone()).unwrap();
        let argument = IntroductionArgument(INTRODUCTION);
        let found: Maybe<IntroductionRow> = world.node("alpha", "introduction", &argument).unwrap();
        let row = found.0.unwrap();
        let SignedStatement(signed) = by("north", proposal.clone());
        assert_eq!(row.record, IntroductionRecord { recorded: NOW, proposal: signed });
        assert_eq!((row.record.statement(NETWORK), row.answer, row.channel), (Ok(proposal), None, None));
        let own = KeyPolicy::AllOf(vec![id("north")]);
        for key in [key::introduction(INTRODUCTION), key::introduction_of(lookup, &id("north"), 0)] {
            assert_eq!(world.stub.policy(&key), Some(&own), "no two others rewrite what was proposed");
        }
    }

    #[test]
    fn a_proposer_stands_on_its_own_side() {
        let cases = [
            ("north", Side::Asker, Ok(())),
            ("north", Side::Found, Err(Code::WrongSide)),
            ("south", Side::Asker, Err(Code::WrongSide)),
            ("south", Side::Found, Ok(())),
        ];
        for (proposer, side, expected) in cases {
            let mut world = World::new();
            let lookup = world.looked_up();
            let recipient = if proposer == "north" { "south" } else { "north" };
            assert_eq!(world.propose(proposal(lookup, proposer, side, recipient)), expected, "{proposer} {side}");
        }
    }

    #[test]
    fn it_may_wait_for_a_month_and_no_longer() {
        let longest = INTRODUCTION_VALIDITY_MILLIS + PROPOSAL_SKEW_MILLIS;
        let cases = [
            (NOW, Ok(())),
            (Timestamp::from_millis(NOW.millis() - 1), Err(Code::IntroductionExpired)),
            (NOW.plus(longest), Ok(())),
            (NOW.plus(longest + 1), Err(Code::IntroductionLongLived)),
            (Timestamp::from_millis(u64::MAX), Err(Code::IntroductionLongLived)),
        ];
        for (expires, expected) in cases {
            let mut world = World::new();
            let mut proposal = proposal(world.looked_up(), "north", Side::Asker, "south");
            proposal.expires = expires;
            assert_eq!(world.propose(proposal), expected, "{expires:?}");
        }
    }

    #[test]
    fn an_old_look_up_is_looked_up_again() {
        for (age, expected) in [(0, Ok(())), (1, Err(Code::LookupTooOld))] {
            let mut world = World::new();
            let mut proposal = proposal(world.looked_up(), "north", Side::Asker, "south");
            let now = NOW.plus(INTRODUCTION_LOOKUP_AGE_MILLIS_MAX + age);
            world.stub.set_timestamp(now);
            proposal.expires = now;
            assert_eq!(world.propose(proposal), expected, "{age}");
        }
    }

    #[test]
    fn each_hospital_has_its_own_numbers_on_a_look_up() {
        let mut world = World::new();
        let lookup = world.proposed();
        let mut next = proposal(lookup, "north", Side::Asker, "south");
        assert_eq!(world.propose(next.clone()), Err(Code::IntroductionUsed));
        next.introduction = IntroductionId::from_bytes([2; 16]);
        assert_eq!(world.propose(next.clone()), Err(Code::IntroductionNumberUsed));
        next.number = 9;
        world.propose(next).unwrap();
        let mut back = proposal(lookup, "south", Side::Found, "north");
        back.introduction = IntroductionId::from_bytes([1; 16]);
        world.propose(back).unwrap();

        let (mut found, mut bookmark) = (Vec::new(), None);
        loop {
            let argument = OfLookup { request: lookup, page: PageRequest::at(bookmark, 2) };
            let page: Page<IntroductionRow> = world.node("alpha", "introductions_of_lookup", &argument).unwrap();
            found.extend(page.rows.into_iter().map(|row| row.record.statement(NETWORK).unwrap()));
            bookmark = page.next;
            if bookmark.is_none() {
                break;
            }
        }
        let found: Vec<_> = found.iter().map(|one| (one.proposer.as_str(), one.number)).collect();
        assert_eq!(found, [("north", 0), ("north", 9), ("south", 0)]);
    }

    #[test]
    fn a_hospital_proposes_for_itself_with_its_own_key() {
        let mut world = World::new();
        let lookup = world.looked_up();
        let proposal = proposal(lookup, "north", Side::Asker, "south");
        let mut propose = |who: &str, signer: &str| {
            let argument = by(signer, proposal.clone());
            world.node::<Empty>(who, "propose_introduction", &argument).map_err(|error| error.code())
        };
        assert_eq!(propose("south", "north"), Err(Code::NotOwner));
        assert_eq!(propose("north", "south"), Err(Code::BadSignature));
    }
}
