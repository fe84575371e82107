//! Introductions, channels and symptom groups of the small world: `north` looks up, `south` was found.

use semblance_core::channel::{ChannelOpening, GroupOpening, Hub, SEALED_TOPIC_BYTES, SealedTopic, topics_digest};
use semblance_core::id::{ChannelId, Digest, IntroductionId, RequestId};
use semblance_core::introduction::{
    IntroductionAnswer, IntroductionProposal, Outcome, SEALED_NOTE_BYTES, SealedNote, Side, recipient_commitment,
};
use semblance_core::organisation::OrganisationKind;
use semblance_core::sealing::SealingKeyId;
use semblance_core::signature::Statement;
use semblance_core::time::Day;

use super::world::*;
use crate::wire::{Empty, OpenGroup, SignedStatement};
use crate::{Code, ContractError};

pub(crate) const INTRODUCTION: IntroductionId = IntroductionId::from_bytes([0x31; 16]);
pub(crate) const CHANNEL: ChannelId = ChannelId::from_bytes([0x32; 16]);
pub(crate) const GROUP: ChannelId = ChannelId::from_bytes([0x33; 16]);
const SALT: [u8; 32] = [0x34; 32];

/// A statement signed by an organisation's node.
pub(crate) fn by(name: &str, statement: impl Statement) -> SignedStatement {
    SignedStatement(statement.sign(&node(name)).into_parts().1)
}

/// What `proposer` proposes to `recipient` on a look-up.
pub(crate) fn proposal(lookup: RequestId, proposer: &str, side: Side, recipient: &str) -> IntroductionProposal {
    IntroductionProposal {
        network: NETWORK,
        introduction: INTRODUCTION,
        lookup,
        proposer: id(proposer),
        side,
        number: 0,
        recipient: recipient_commitment(&SALT, NETWORK, INTRODUCTION, &id(recipient)),
        expires: NOW.plus(Day::MILLIS),
        note: SealedNote::from_bytes([0x35; SEALED_NOTE_BYTES]),
    }
}

/// What `hospital` answers.
pub(crate) fn answer(hospital: &str, outcome: Outcome) -> IntroductionAnswer {
    IntroductionAnswer {
        network: NETWORK,
        introduction: INTRODUCTION,
        hospital: id(hospital),
        salt: SALT,
        outcome,
        time: NOW,
        note: SealedNote::from_bytes([0x36; SEALED_NOTE_BYTES]),
    }
}

pub(crate) fn hub(channel: ChannelId, hub: &str, fence: u32) -> Hub {
    Hub {
        channel,
        hub: id(hub),
        hub_key: node("hub key").verifying_key(),
        fence,
        consents: vec![Digest::of(b"one consent"), Digest::of(b"other consent")],
        time: NOW,
    }
}

/// The opening of the channel of the introduction.
pub(crate) fn opening(by: &str, fence: u32) -> ChannelOpening {
    let hub = hub(CHANNEL, by, fence);
    ChannelOpening { network: NETWORK, hub, introduction: INTRODUCTION, patients_alone: false }
}

/// A topic sealed to a hospital, as the contract sees it.
pub(crate) fn sealed_topic(hospital: &str) -> SealedTopic {
    SealedTopic { hospital: id(hospital), key: SealingKeyId(1), sealed: [0x37; SEALED_TOPIC_BYTES] }
}

/// The opening of a group, with its topic sealed to these hospitals.
pub(crate) fn group(by: &str, fence: u32, hospitals: &[&str]) -> (GroupOpening, Vec<SealedTopic>) {
    let topics: Vec<_> = hospitals.iter().map(|name| sealed_topic(name)).collect();
    let hub = hub(GROUP, by, fence);
    let opening =
        GroupOpening { network: NETWORK, hub, topic: Digest::of(b"topic"), topics: topics_digest(NETWORK, &topics) };
    (opening, topics)
}

/// The argument that opens a group, signed by its hub.
pub(crate) fn open_group((opening, topics): (GroupOpening, Vec<SealedTopic>)) -> OpenGroup {
    let hub = opening.hub.hub.clone();
    let SignedStatement(opening) = by(hub.as_str(), opening);
    OpenGroup { opening, topics }
}

fn code(result: Result<Empty, ContractError>) -> Result<(), Code> {
    result.map(|_| ()).map_err(|error| error.code())
}

impl World {
    /// A recorded look-up of `north`.
    pub(crate) fn looked_up(&mut self) -> RequestId {
        let (patient, _) = self.published("north");
        self.record("alpha", patient.entry_of(1, |_| ())).unwrap();
        patient.request(1).request
    }

    pub(crate) fn propose(&mut self, proposal: IntroductionProposal) -> Result<(), Code> {
        let who = proposal.proposer.clone();
        code(self.node(who.as_str(), "propose_introduction", &by(who.as_str(), proposal)))
    }

    pub(crate) fn answer(&mut self, answer: IntroductionAnswer) -> Result<(), Code> {
        let who = answer.hospital.clone();
        code(self.node(who.as_str(), "answer_introduction", &by(who.as_str(), answer)))
    }

    pub(crate) fn open_channel(&mut self, opening: ChannelOpening) -> Result<(), Code> {
        let who = opening.hub.hub.clone();
        code(self.node(who.as_str(), "open_channel", &by(who.as_str(), opening)))
    }

    pub(crate) fn open_group(&mut self, group: (GroupOpening, Vec<SealedTopic>)) -> Result<(), Code> {
        let who = group.0.hub.hub.clone();
        code(self.node(who.as_str(), "open_group", &open_group(group)))
    }

    /// A look-up of `north` on which it proposed an introduction to `south`.
    pub(crate) fn proposed(&mut self) -> RequestId {
        let lookup = self.looked_up();
        self.propose(proposal(lookup, "north", Side::Asker, "south")).unwrap();
        lookup
    }

    /// An introduction of `north` that `south` answered.
    pub(crate) fn answered(&mut self, outcome: Outcome) {
        self.proposed();
        self.answer(answer("south", outcome)).unwrap();
    }

    /// One more hospital.
    pub(crate) fn joined(&mut self, name: &str) {
        let newcomer = newcomer(organisation(name, OrganisationKind::Hospital), &["north", "south", "alpha"]);
        self.admin::<Empty>("north", "register_hospital", &newcomer).unwrap();
    }
}
