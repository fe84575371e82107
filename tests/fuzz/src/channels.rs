//! Decoders of what is signed and sealed for introductions and channels.

use semblance_contract::wire::OpenGroup;
use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafProof, LeafRevocation};
use semblance_core::channel::{ChannelOpening, GroupOpening, SealedTopic, Topic};
use semblance_core::encode::{Writer, domain};
use semblance_core::id::IntroductionId;
use semblance_core::introduction::{
    AnswerNote, IntroductionAnswer, IntroductionProposal, ProposalNote, SEALED_NOTE_BYTES, SealedNote,
};
use semblance_core::sealing::{SEALING_OVERHEAD, SealingSecret};

use super::{NETWORK, statement, stored};

/// Openings of channels and groups, and what a group is about.
pub fn channel(bytes: &[u8]) {
    statement::<ChannelOpening>(bytes);
    statement::<GroupOpening>(bytes);
    stored::<OpenGroup>(bytes);
    stored::<SealedTopic>(bytes);
    if let Ok(topic) = Topic::decode(bytes) {
        assert_eq!(topic.encode(), bytes);
    }
}

/// A proposed introduction, and its answer.
pub fn introduction(bytes: &[u8]) {
    statement::<IntroductionProposal>(bytes);
    statement::<IntroductionAnswer>(bytes);
}

/// What stands behind a leaf.
pub fn leaf(bytes: &[u8]) {
    statement::<LeafAttestation>(bytes);
    statement::<LeafPledge>(bytes);
    statement::<LeafRevocation>(bytes);
    stored::<LeafProof>(bytes);
    if let Ok(proof) = <LeafProof as semblance_core::record::Record>::decode(bytes) {
        let _ = proof.claims(NETWORK);
    }
}

/// Notes of an introduction, cut to their size or filled up to it, and sealed as a hostile hospital would.
pub fn note(bytes: &[u8]) {
    let introduction = IntroductionId::from_bytes([0x91; 16]);
    let secret = SealingSecret::from_bytes([4; 32]).unwrap();
    let mut plain = bytes.to_vec();
    plain.resize(SEALED_NOTE_BYTES - SEALING_OVERHEAD, 0);
    let seal = |tag| {
        let mut info = Writer::statement(tag, 1, NETWORK);
        introduction.write(&mut info);
        let sealed = secret.public().seal(&info.finish(), &[], &plain, &[5; 32]).unwrap();
        SealedNote::from_bytes(sealed.try_into().unwrap())
    };
    let sealed = seal(domain::INTRODUCTION_NOTE);
    if let Ok(note) = ProposalNote::open(&sealed, NETWORK, introduction, &secret) {
        assert!(note.seal(NETWORK, introduction, secret.public(), &[5; 32]).unwrap() == sealed);
    }
    let sealed = seal(domain::INTRODUCTION_ANSWER_NOTE);
    if let Ok(note) = AnswerNote::open(&sealed, NETWORK, introduction, &secret) {
        assert!(note.seal(NETWORK, introduction, secret.public(), &[5; 32]).unwrap() == sealed);
    }
}
