//! Refusals of introductions, channels and symptom groups.

use semblance_core::id::{ChannelId, Digest, IntroductionId, RequestId};
use semblance_core::introduction::{Outcome, Side};
use semblance_core::limits::INTRODUCTION_LOOKUP_AGE_MILLIS_MAX;
use semblance_core::time::{Day, Timestamp};

use super::{End, Story};
use crate::Code;
use crate::tests::contact::*;
use crate::tests::world::*;

const ALL: &[&str] = &["north", "south"];

/// A proposal of `north`, changed, on a recorded look-up.
fn propose(change: impl FnOnce(&mut semblance_core::introduction::IntroductionProposal)) -> End {
    let mut world = World::new();
    let mut proposal = proposal(world.looked_up(), "north", Side::Asker, "south");
    change(&mut proposal);
    world.propose(proposal)
}

pub(super) const STORIES: &[(Code, Story)] = &[
    (Code::UnknownLookup, || propose(|proposal| proposal.lookup = RequestId::from_bytes([9; 16]))),
    (Code::LookupTooOld, || {
        let mut world = World::new();
        let mut proposal = proposal(world.looked_up(), "north", Side::Asker, "south");
        proposal.expires = NOW.plus(INTRODUCTION_LOOKUP_AGE_MILLIS_MAX + 1);
        world.stub.set_timestamp(proposal.expires);
        world.propose(proposal)
    }),
    (Code::WrongSide, || propose(|proposal| proposal.side = Side::Found)),
    (Code::UnknownIntroduction, || World::new().answer(answer("south", Outcome::Accepted))),
    (Code::IntroductionUsed, || {
        let mut world = World::new();
        let mut again = proposal(world.proposed(), "north", Side::Asker, "south");
        again.number = 1;
        world.propose(again)
    }),
    (Code::IntroductionNumberUsed, || {
        let mut world = World::new();
        let mut again = proposal(world.proposed(), "north", Side::Asker, "south");
        again.introduction = IntroductionId::from_bytes([9; 16]);
        world.propose(again)
    }),
    (Code::IntroductionExpired, || propose(|proposal| proposal.expires = Timestamp::from_millis(NOW.millis() - 1))),
    (Code::IntroductionLongLived, || propose(|proposal| proposal.expires = NOW.plus(31 * Day::MILLIS))),
    (Code::IntroductionAnswered, || {
        let mut world = World::new();
        world.answered(Outcome::Declined);
        world.answer(answer("south", Outcome::Accepted))
    }),
    (Code::WrongRecipient, || {
        let mut world = World::new();
        world.proposed();
        world.answer(answer("north", Outcome::Accepted))
    }),
    (Code::IntroductionNotAccepted, || {
        let mut world = World::new();
        world.answered(Outcome::Declined);
        world.open_channel(opening("south", 1))
    }),
    (Code::ChannelUsed, || {
        let mut world = World::new();
        world.answered(Outcome::Accepted);
        world.open_channel(opening("south", 1)).unwrap();
        let mut group = group("south", 2, ALL);
        group.0.hub.channel = CHANNEL;
        world.open_group(group)
    }),
    (Code::ChannelExists, || {
        let mut world = World::new();
        world.answered(Outcome::Accepted);
        world.open_channel(opening("south", 1)).unwrap();
        let mut other = opening("north", 1);
        other.hub.channel = ChannelId::from_bytes([9; 16]);
        world.open_channel(other)
    }),
    (Code::WrongFence, || World::new().open_group(group("north", 2, ALL))),
    (Code::TopicsIncomplete, || World::new().open_group(group("north", 1, &["north"]))),
    (Code::TopicsMismatch, || {
        let mut group = group("north", 1, ALL);
        group.0.topics = Digest::of(b"other topics");
        World::new().open_group(group)
    }),
    (Code::TopicChanged, || {
        let mut world = World::new();
        world.open_group(group("north", 1, ALL)).unwrap();
        let mut group = group("north", 2, ALL);
        group.0.topic = Digest::of(b"other topic");
        world.open_group(group)
    }),
];
