//! Stories about introductions, channels and symptom groups.

use futures::StreamExt;
use futures::future::join_all;
use semblance_contract::Code;
use semblance_contract::event::Event;
use semblance_contract::wire::{OpenGroup, PageRequest};
use semblance_core::channel::{ChannelOpening, GroupOpening, Hub, SealedTopic, Topic, topics_digest};
use semblance_core::id::{ChannelId, Digest, IntroductionId, RequestId};
use semblance_core::introduction::{
    IntroductionAnswer, IntroductionProposal, Outcome, SEALED_NOTE_BYTES, SealedNote, Side, recipient_commitment,
};
use semblance_core::organisation::OrganisationKind;
use semblance_core::sealing::SealingSecret;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::term::TermId;
use semblance_core::time::Day;

use super::{Factory, NETWORK, Network, Told, organisation};
use crate::client::refusal;
use crate::{LedgerError, Validation};

const SALT: [u8; 32] = [4; 32];
const GROUP: ChannelId = ChannelId::from_bytes([6; 16]);
const NOTE: SealedNote = SealedNote::from_bytes([5; SEALED_NOTE_BYTES]);

fn introduction(number: u8) -> IntroductionId {
    IntroductionId::from_bytes([number; 16])
}

fn channel(number: u8) -> ChannelId {
    ChannelId::from_bytes([number; 16])
}

fn code<T>(outcome: Result<T, LedgerError>) -> Result<(), Option<Code>> {
    outcome.map(|_| ()).map_err(|error| refusal(&error))
}

impl Network {
    /// A recorded look-up of `hospital-1`.
    async fn looked_up(&self) -> RequestId {
        let case = self.published("hospital-1", 0, 1).await.remove(0);
        let request = self.request("hospital-1", "matcher-1", &case, 1);
        let id = request.request;
        self.record("matcher-1", self.entry(request)).await.expect("recorded");
        id
    }

    fn signed(&self, name: &str, statement: impl Statement) -> SignedBytes {
        statement.sign(&self.party(name).key).into_parts().1
    }

    /// What `hospital-1` proposes to `hospital-2`, as the asker.
    fn proposal(&self, lookup: RequestId, id: u8, number: u8) -> SignedBytes {
        let introduction = introduction(id);
        let proposal = IntroductionProposal {
            network: NETWORK,
            introduction,
            lookup,
            proposer: organisation("hospital-1"),
            side: Side::Asker,
            number,
            recipient: recipient_commitment(&SALT, NETWORK, introduction, &organisation("hospital-2")),
            expires: self.ledger.now().plus(Day::MILLIS),
            note: NOTE,
        };
        self.signed("hospital-1", proposal)
    }

    fn answer(&self, name: &str, id: u8, outcome: Outcome) -> SignedBytes {
        let answer = IntroductionAnswer {
            network: NETWORK,
            introduction: introduction(id),
            hospital: organisation(name),
            salt: SALT,
            outcome,
            time: self.ledger.now(),
            note: NOTE,
        };
        self.signed(name, answer)
    }

    /// An introduction that `hospital-2` accepted.
    async fn accepted(&self) -> u8 {
        let lookup = self.looked_up().await;
        self.client("hospital-1").propose_introduction(self.proposal(lookup, 1, 0)).await.expect("proposed");
        let answer = self.answer("hospital-2", 1, Outcome::Accepted);
        self.client("hospital-2").answer_introduction(answer).await.expect("answered");
        1
    }

    fn hub(&self, name: &str, channel: ChannelId, fence: u32) -> Hub {
        let hub_key = self.party(name).key.verifying_key();
        let (hub, consents, time) = (organisation(name), vec![Digest::of(b"a consent")], self.ledger.now());
        Hub { channel, hub, hub_key, fence, consents, time }
    }

    fn opening(&self, name: &str, id: u8, channel: ChannelId, fence: u32) -> SignedBytes {
        let hub = self.hub(name, channel, fence);
        let introduction = introduction(id);
        self.signed(name, ChannelOpening { network: NETWORK, hub, introduction, patients_alone: false })
    }

    /// A group of a hospital, whose topic is sealed to these ones.
    fn group(&self, name: &str, fence: u32, hospitals: &[&str]) -> OpenGroup {
        let topic = topic();
        let seal = |hospital: &&str| {
            let record = self.party(hospital).record();
            SealedTopic::seal(&topic, (NETWORK, GROUP), &record.id, &record.sealing_key, &[7; 32]).expect("sealed")
        };
        let topics: Vec<_> = hospitals.iter().map(seal).collect();
        let opening = GroupOpening {
            network: NETWORK,
            hub: self.hub(name, GROUP, fence),
            topic: topic.commitment(NETWORK, GROUP),
            topics: topics_digest(NETWORK, &topics),
        };
        OpenGroup { opening: self.signed(name, opening), topics }
    }
}

fn topic() -> Topic {
    let terms = [252, 1250].map(|term| TermId::new(term).expect("a term"));
    Topic::new([8; 32], terms.into()).expect("two terms")
}

/// A channel opens when one hospital has proposed and the other, and nobody else, has accepted; followers are told.
pub async fn two_hospitals_agree_before_a_channel_opens(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 3, 1).await;
    let lookup = network.looked_up().await;
    let [one, other, third] = ["hospital-1", "hospital-2", "hospital-3"].map(|name| network.client(name));
    let opening = || network.opening("hospital-2", 1, channel(1), 1);
    assert_eq!(code(other.open_channel(opening()).await), Err(Some(Code::UnknownIntroduction)));
    let proposal = network.proposal(lookup, 1, 0);
    assert_eq!(code(other.propose_introduction(proposal.clone()).await), Err(Some(Code::NotOwner)));
    let proposed = one.propose_introduction(proposal.clone()).await.expect("proposed");
    assert_eq!(code(other.open_channel(opening()).await), Err(Some(Code::IntroductionNotAccepted)));
    let by_third = network.answer("hospital-3", 1, Outcome::Accepted);
    assert_eq!(code(third.answer_introduction(by_third).await), Err(Some(Code::WrongRecipient)));
    let answer = network.answer("hospital-2", 1, Outcome::Accepted);
    other.answer_introduction(answer.clone()).await.expect("answered");
    let declined = network.answer("hospital-2", 1, Outcome::Declined);
    assert_eq!(code(other.answer_introduction(declined).await), Err(Some(Code::IntroductionAnswered)));
    let by_third = network.opening("hospital-3", 1, channel(1), 1);
    assert_eq!(code(third.open_channel(by_third).await), Err(Some(Code::NotOwner)));
    other.open_channel(opening()).await.expect("opened");

    let rows = third.introductions_of_lookup(lookup, PageRequest::first(9)).await.expect("answered").rows;
    let [row] = rows.as_slice() else { panic!("not one introduction: {rows:?}") };
    assert_eq!(third.introduction(introduction(1)).await.expect("answered").as_ref(), Some(row));
    assert_eq!((&row.record.proposal, row.answer.as_ref().map(|row| &row.answer)), (&proposal, Some(&answer)));
    assert_eq!(row.channel.map(|found| found.0), Some(channel(1)));
    let mut events = third.events(proposed.block).await.expect("a stream");
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let block = events.next().await.expect("more").expect("a block");
        seen.extend(block.events.into_iter().map(|(_, event)| event));
    }
    let expected = [
        Event::IntroductionProposed(introduction(1), organisation("hospital-1")),
        Event::IntroductionAnswered(introduction(1), organisation("hospital-2"), Outcome::Accepted),
        Event::ChannelOpened(channel(1), organisation("hospital-2"), 1),
    ];
    assert_eq!(seen, expected);
    network.assert_sound().await;
    Ok(())
}

/// Of several introductions with the same number, proposed at the same moment, one stands.
pub async fn a_number_is_used_once_at_the_same_moment(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let lookup = network.looked_up().await;
    let client = network.client("hospital-1");
    let proposals = (1..=4).map(|id| client.propose_introduction(network.proposal(lookup, id, 3)));
    let outcomes: Vec<_> = join_all(proposals).await.into_iter().map(code).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let refused = outcomes.iter().filter_map(|outcome| outcome.err()).flatten();
    assert!(refused.eq([Code::IntroductionNumberUsed; 3]), "{outcomes:?}");
    let rows = client.introductions_of_lookup(lookup, PageRequest::first(9)).await.expect("answered").rows;
    assert_eq!(rows.len(), 1);
    network.assert_sound().await;
    Ok(())
}

/// Where both sides open a channel at the same moment there is one of them.
pub async fn an_introduction_gets_one_channel(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let id = network.accepted().await;
    let [one, other] = ["hospital-1", "hospital-2"].map(|name| network.client(name));
    let (first, second) = futures::join!(
        one.open_channel(network.opening("hospital-1", id, channel(1), 1)),
        other.open_channel(network.opening("hospital-2", id, channel(2), 1)),
    );
    let outcomes = [code(first), code(second)];
    let stands = match outcomes {
        [Ok(()), Err(Some(Code::ChannelExists))] => channel(1),
        [Err(Some(Code::ChannelExists)), Ok(())] => channel(2),
        _ => panic!("not one of two: {outcomes:?}"),
    };
    let row = one.introduction(introduction(id)).await.expect("answered").expect("proposed");
    assert_eq!(row.channel.map(|found| found.0), Some(stands));
    assert_eq!(one.channels(PageRequest::first(9)).await.expect("answered").rows.len(), 1);
    network.assert_sound().await;
    Ok(())
}

/// A channel's hub moves with the endorsement of both sides, and with the next fence.
pub async fn a_channel_moves_with_both_sides_alone(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let id = network.accepted().await;
    let [one, other] = ["hospital-1", "hospital-2"].map(|name| network.client(name));
    let sides = ["hospital-1", "hospital-2"].map(organisation);
    other.open_channel(network.opening("hospital-2", id, channel(1), 1)).await.expect("opened");
    let moved = |fence| network.opening("hospital-1", id, channel(1), fence);
    let alone = one.clone().endorsed_also_by([organisation("matcher-1")]).open_channel(moved(2)).await;
    let refused = matches!(alone, Err(LedgerError::Invalid { validation: Validation::EndorsementPolicyFailure, .. }));
    assert!(refused, "{alone:?}");
    let skipping = one.take_over_channel(moved(3), &sides[1]).await;
    assert_eq!(code(skipping), Err(Some(Code::WrongFence)));
    one.take_over_channel(moved(2), &sides[1]).await.expect("both sides endorse");
    let late = other.take_over_channel(network.opening("hospital-2", id, channel(1), 2), &sides[0]).await;
    assert_eq!(code(late), Err(Some(Code::WrongFence)));
    let found = one.channel(channel(1)).await.expect("answered").expect("opened");
    let opening = found.statement(NETWORK).expect("as it was signed");
    assert_eq!((&opening.hub().hub, opening.hub().fence), (&sides[0], 2));
    network.assert_sound().await;
    Ok(())
}

/// Each hospital, and nobody else, opens what a group is about; the group stays its hub's.
pub async fn a_group_reaches_every_hospital(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 3, 1).await;
    let all = ["hospital-1", "hospital-2", "hospital-3"];
    let client = network.client("hospital-2");
    let incomplete = client.open_group(&network.group("hospital-2", 1, &all[..2])).await;
    assert_eq!(code(incomplete), Err(Some(Code::TopicsIncomplete)));
    client.open_group(&network.group("hospital-2", 1, &all)).await.expect("opened");
    let stolen = network.client("hospital-1").open_group(&network.group("hospital-1", 2, &all)).await;
    assert_eq!(code(stolen), Err(Some(Code::NotOwner)));
    client.open_group(&network.group("hospital-2", 2, &all)).await.expect("opened anew");

    let found = network.client("matcher-1").channel(GROUP).await.expect("answered").expect("opened");
    let opening = found.statement(NETWORK).expect("as it was signed");
    assert_eq!(opening.hub().fence, 2);
    for party in network.parties.iter().filter(|party| party.kind == OrganisationKind::Hospital) {
        let sealed = network.client("matcher-1").group_topic(GROUP, &party.id).await;
        let sealed = sealed.expect("answered").expect("sealed to each");
        let secret = SealingSecret::from_bytes(party.sealing).expect("a secret");
        assert_eq!(sealed.open((NETWORK, GROUP), &secret).expect("opens"), Some(topic()));
    }
    network.assert_sound().await;
    Ok(())
}
