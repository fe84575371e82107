//! `open_group`: a hospital opens a symptom group, as its hub; or opens it anew, as when a hospital has joined.
//!
//! What the group is about comes sealed to exactly the hospitals that are members now, each under its present sealing
//! key; the ledger holds a salted commitment to it, which stays the same for as long as the group lives. Only its hub
//! opens a group anew.

use semblance_core::channel::{ChannelKind, GroupOpening, SealedTopic, topics_digest};

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::state::{ChannelRecord, Opening};
use crate::wire::{Empty, OpenGroup};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: OpenGroup) -> Result<Empty, ContractError> {
    let OpenGroup { opening: source, topics } = argument;
    let (opening, source) = check::own_statement(call, source, |opening: &GroupOpening| &opening.hub.hub)?;
    check_topics(call, &opening, &topics)?;
    let hub = &opening.hub;
    match check::channel(call, hub.channel)? {
        Some(Opening::Group(last)) => check_last(&last, &opening)?,
        Some(Opening::Match(_)) => return Err(check::channel_used(hub.channel)),
        None => check::fence(hub.fence, 0)?,
    }
    let record = ChannelRecord { recorded: call.now(), kind: ChannelKind::Group, opening: source };
    call.save_owned(&key::channel(hub.channel), &record, &hub.hub)?;
    for topic in &topics {
        call.save_owned(&key::group_topic(hub.channel, &topic.hospital), topic, &hub.hub)?;
    }
    call.emit(&Event::GroupOpened(hub.channel, hub.hub.clone(), hub.fence))?;
    Ok(Empty)
}

/// The topics are those that were signed for, and complete.
fn check_topics(call: &mut Call<'_>, opening: &GroupOpening, topics: &[SealedTopic]) -> Result<(), ContractError> {
    if topics_digest(call.network_id(), topics) != opening.topics {
        let message = "the sealed topics are not those that the hub signed for";
        return Err(ContractError::new(Code::TopicsMismatch, message));
    }
    if !topics.is_sorted_by(|one, next| one.hospital < next.hospital) {
        let message = "the sealed topics are not in order of the hospitals' names";
        return Err(ContractError::new(Code::TopicsIncomplete, message));
    }
    let sealed = topics.iter().map(|topic| (&topic.hospital, topic.key));
    check::sealed_to_hospitals(call, sealed, Code::TopicsIncomplete)
}

/// The group may be opened anew.
fn check_last(last: &GroupOpening, next: &GroupOpening) -> Result<(), ContractError> {
    if last.hub.hub != next.hub.hub {
        let message = format!("group {} belongs to {}", last.hub.channel, last.hub.hub);
        return Err(ContractError::new(Code::NotOwner, message));
    }
    if last.topic != next.topic {
        let message = format!("group {} is about something else: open another one", last.hub.channel);
        return Err(ContractError::new(Code::TopicChanged, message));
    }
    check::fence(next.hub.fence, last.hub.fence)
}

#[cfg(test)]
mod tests {
    use semblance_core::id::Digest;
    use semblance_core::introduction::Outcome;
    use semblance_core::sealing::SealingKeyId;

    use super::*;
    use crate::stub::KeyPolicy;
    use crate::tests::contact::*;
    use crate::tests::world::*;
    use crate::wire::{ChannelArgument, GroupTopicArgument, Maybe};

    const ALL: &[&str] = &["north", "south"];

    #[test]
    fn each_hospital_finds_its_sealed_topic() {
        let mut world = World::new();
        world.open_group(group("south", 1, ALL)).unwrap();
        let (name, payload) = world.writes.event.clone().unwrap();
        assert_eq!(Event::decode(&name, &payload), Ok(Some(Event::GroupOpened(GROUP, id("south"), 1))));
        let own = KeyPolicy::AllOf(vec![id("south")]);
        assert_eq!(world.stub.policy(&key::channel(GROUP)), Some(&own));
        for name in ALL {
            let argument = GroupTopicArgument { group: GROUP, hospital: id(name) };
            let found: Maybe<SealedTopic> = world.node("alpha", "group_topic", &argument).unwrap();
            assert_eq!(found.0, Some(sealed_topic(name)));
            assert_eq!(world.stub.policy(&key::group_topic(GROUP, &id(name))), Some(&own), "{name}");
        }
        let found: Maybe<ChannelRecord> = world.node("beta", "channel", &ChannelArgument(GROUP)).unwrap();
        let (opening, _) = group("south", 1, ALL);
        assert_eq!(found.0.unwrap().statement(NETWORK), Ok(Opening::Group(opening)));
    }

    #[test]
    fn topics_go_to_exactly_the_present_hospitals_by_name() {
        let wrong: [&[&str]; 6] = [
            &[],
            &["north"],
            &["south", "north"],
            &["north", "north", "south"],
            &["alpha", "north", "south"],
            &["west"],
        ];
        for hospitals in wrong {
            let outcome = World::new().open_group(group("north", 1, hospitals));
            assert_eq!(outcome, Err(Code::TopicsIncomplete), "{hospitals:?}");
        }
        let (mut opening, mut topics) = group("north", 1, ALL);
        topics[1].key = SealingKeyId(2);
        assert_eq!(World::new().open_group((opening.clone(), topics.clone())), Err(Code::TopicsMismatch));
        opening.topics = topics_digest(NETWORK, &topics);
        assert_eq!(World::new().open_group((opening, topics)), Err(Code::TopicsIncomplete), "an old key");
    }

    #[test]
    fn a_group_is_opened_anew_when_a_hospital_has_joined() {
        let mut world = World::new();
        world.open_group(group("north", 1, ALL)).unwrap();
        world.joined("east");
        assert_eq!(world.open_group(group("north", 2, ALL)), Err(Code::TopicsIncomplete));
        world.open_group(group("north", 2, &["east", "north", "south"])).unwrap();
        let argument = GroupTopicArgument { group: GROUP, hospital: id("east") };
        let found: Maybe<SealedTopic> = world.node("east", "group_topic", &argument).unwrap();
        assert_eq!(found.0, Some(sealed_topic("east")));
    }

    #[test]
    fn a_group_stays_its_hubs_and_about_its_topic() {
        let mut world = World::new();
        assert_eq!(world.open_group(group("north", 2, ALL)), Err(Code::WrongFence));
        world.open_group(group("north", 1, ALL)).unwrap();
        assert_eq!(world.open_group(group("north", 1, ALL)), Err(Code::WrongFence));
        assert_eq!(world.open_group(group("south", 2, ALL)), Err(Code::NotOwner));
        let (mut opening, topics) = group("north", 2, ALL);
        opening.topic = Digest::of(b"another topic");
        assert_eq!(world.open_group((opening, topics)), Err(Code::TopicChanged));
        world.open_group(group("north", 2, ALL)).unwrap();
    }

    #[test]
    fn a_channel_of_a_match_is_no_group() {
        let mut world = World::new();
        world.answered(Outcome::Accepted);
        world.open_channel(opening("south", 1)).unwrap();
        let (mut opening, topics) = group("south", 2, ALL);
        opening.hub.channel = CHANNEL;
        assert_eq!(world.open_group((opening, topics)), Err(Code::ChannelUsed));
    }
}
