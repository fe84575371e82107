//! Test vectors of introductions, channels and leaves, as those in `vectors.rs`: what is signed, what is committed to and
//! what is sealed. Write them again with `SEMBLANCE_WRITE_VECTORS=1 cargo test -p semblance-core --test channels`.
#![expect(clippy::unwrap_used, reason = "a test: a missing or malformed vector must fail it")]

mod statement;
mod stored;

use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafProof, LeafRevocation, PersonRole};
use semblance_core::channel::{ChannelOpening, GroupOpening, Hub, SealedTopic, Topic, topics_digest};
use semblance_core::id::{
    CaseHandle, ChannelId, ConsentId, Digest, IntroductionId, NetworkId, OrganisationId, ParticipantId, RequestId,
};
use semblance_core::introduction::{
    AnswerNote, ConsentOpening, DeclineReason, Evidence, IntroductionAnswer, IntroductionProposal, Outcome, Parties,
    ProposalNote, Reason, SealedNote, Side, recipient_commitment,
};
use semblance_core::organisation::SealingKey;
use semblance_core::receipt::{SlotIndex, SlotKey, SlotSeed};
use semblance_core::record::Record;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::{SigningKey, Statement};
use semblance_core::term::TermId;
use semblance_core::time::Timestamp;
use serde_json::{Value, json};
use statement::{array, signed, verifies};
use stored::{bytes, stored};

const NETWORK: NetworkId = NetworkId::from_bytes([0x11; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const INTRODUCTION: IntroductionId = IntroductionId::from_bytes([0x91; 16]);
const CHANNEL: ChannelId = ChannelId::from_bytes([0x92; 16]);
const RECIPIENT_SALT: [u8; 32] = [0x93; 32];
const CONSENT: ConsentOpening = ConsentOpening { consent: ConsentId::from_bytes([0x21; 16]), salt: [0x94; 32] };
const BOTH: Parties = Parties { clinicians: true, patient: true };

fn name(text: &str) -> OrganisationId {
    OrganisationId::new(text).unwrap()
}

/// The hospital `north` proposes.
fn north() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

/// A patient of `south`.
fn patient() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

/// The hospital `south` answers, and is the hub.
fn south() -> SigningKey {
    SigningKey::from_seed(&[8; 32])
}

fn leaf() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

fn secret() -> SealingSecret {
    SealingSecret::from_bytes([4; 32]).unwrap()
}

fn proposal_notes() -> [ProposalNote; 2] {
    let slot = SlotIndex::new(3).unwrap();
    let key = SlotKey { slot, seed: SlotSeed::from_bytes([0x63; 32]) };
    [Evidence::Match(key), Evidence::Receipt(slot)].map(|evidence| ProposalNote {
        salt: RECIPIENT_SALT,
        evidence,
        handle: CaseHandle::from_bytes([0x62; 16]),
        consent: CONSENT,
        parties: BOTH,
        reason: Reason::Compare,
    })
}

fn answer_notes() -> [AnswerNote; 2] {
    let parties = Parties { clinicians: true, patient: false };
    [AnswerNote::Accepted { consent: CONSENT, parties }, AnswerNote::Declined(DeclineReason::PatientDeclined)]
}

fn sealed_proposal(note: &ProposalNote) -> SealedNote {
    note.seal(NETWORK, INTRODUCTION, secret().public(), &[0x95; 32]).unwrap()
}

fn sealed_answer(note: &AnswerNote) -> SealedNote {
    note.seal(NETWORK, INTRODUCTION, secret().public(), &[0x96; 32]).unwrap()
}

fn recipient() -> Digest {
    recipient_commitment(&RECIPIENT_SALT, NETWORK, INTRODUCTION, &name("south"))
}

fn proposal() -> IntroductionProposal {
    IntroductionProposal {
        network: NETWORK,
        introduction: INTRODUCTION,
        lookup: RequestId::from_bytes([0x31; 16]),
        proposer: name("north"),
        side: Side::Asker,
        number: 2,
        recipient: recipient(),
        expires: NOW.plus(86_400_000),
        note: sealed_proposal(&proposal_notes()[0]),
    }
}

fn answer() -> IntroductionAnswer {
    IntroductionAnswer {
        network: NETWORK,
        introduction: INTRODUCTION,
        hospital: name("south"),
        salt: RECIPIENT_SALT,
        outcome: Outcome::Accepted,
        time: NOW.plus(1),
        note: sealed_answer(&answer_notes()[0]),
    }
}

fn hub() -> Hub {
    Hub {
        channel: CHANNEL,
        hub: name("south"),
        hub_key: SigningKey::from_seed(&[10; 32]).verifying_key(),
        fence: 1,
        consents: vec![CONSENT.commitment(NETWORK)],
        time: NOW.plus(2),
    }
}

fn topic() -> Topic {
    Topic::new([0x97; 32], [1250, 252].map(|term| TermId::new(term).unwrap()).into()).unwrap()
}

fn sealed_topics() -> Vec<SealedTopic> {
    let key = SealingKey { id: SealingKeyId(1), public: *secret().public() };
    let seal = |hospital| SealedTopic::seal(&topic(), (NETWORK, CHANNEL), &name(hospital), &key, &[0x98; 32]);
    vec![seal("north").unwrap(), seal("south").unwrap()]
}

fn channel_opening() -> ChannelOpening {
    ChannelOpening { network: NETWORK, hub: hub(), introduction: INTRODUCTION, patients_alone: true }
}

fn group_opening() -> GroupOpening {
    let topics = topics_digest(NETWORK, &sealed_topics());
    GroupOpening { network: NETWORK, hub: hub(), topic: topic().commitment(NETWORK, CHANNEL), topics }
}

fn attestation() -> LeafAttestation {
    LeafAttestation {
        network: NETWORK,
        channel: CHANNEL,
        hospital: name("south"),
        participant: ParticipantId::from_bytes([0x99; 16]),
        leaf_key: leaf().verifying_key(),
        role: PersonRole::Patient,
        consent: CONSENT.consent,
        expires: NOW.plus(86_400_000),
    }
}

fn pledge() -> LeafPledge {
    LeafPledge { network: NETWORK, consent: CONSENT.consent, leaf_key: leaf().verifying_key() }
}

fn revocation() -> LeafRevocation {
    let LeafAttestation { network, channel, hospital, participant, .. } = attestation();
    LeafRevocation { network, channel, hospital, participant, time: NOW.plus(3) }
}

fn hub_fields() -> Value {
    json!({
        "channel": CHANNEL.to_string(), "hub": "south", "hub_key": hub().hub_key.to_string(), "fence": 1,
        "consents": [CONSENT.commitment(NETWORK).to_string()], "time": hub().time.millis(),
    })
}

#[test]
fn introductions_and_openings() {
    let network = NETWORK.to_string();
    let built = json!({
        "introduction": signed(proposal(), &north(), json!({
            "network": network, "introduction": INTRODUCTION.to_string(), "lookup": proposal().lookup.to_string(),
            "proposer": "north", "side": "asker (1)", "number": 2, "recipient": recipient().to_string(),
            "expires": proposal().expires.millis(), "note": hex::encode(proposal().note.as_bytes()),
        })),
        "introduction_answer": signed(answer(), &south(), json!({
            "network": network, "introduction": INTRODUCTION.to_string(), "hospital": "south",
            "salt": hex::encode(RECIPIENT_SALT), "outcome": "accepted (1)", "time": answer().time.millis(),
            "note": hex::encode(answer().note.as_bytes()),
        })),
        "channel": signed(channel_opening(), &south(), json!({
            "network": network, "hub": hub_fields(), "introduction": INTRODUCTION.to_string(), "patients_alone": true,
        })),
        "group": signed(group_opening(), &south(), json!({
            "network": network, "hub": hub_fields(), "topic": group_opening().topic.to_string(),
            "topics": group_opening().topics.to_string(),
        })),
    });
    let stored = stored("introductions", &built);
    verifies(NETWORK, &stored["introduction"], &proposal());
    verifies(NETWORK, &stored["introduction_answer"], &answer());
    verifies(NETWORK, &stored["channel"], &channel_opening());
    verifies(NETWORK, &stored["group"], &group_opening());
}

#[test]
fn leaves() {
    let network = NETWORK.to_string();
    let proof = LeafProof {
        attestation: attestation().sign(&south()).into_parts().1,
        pledge: Some(pledge().sign(&patient()).into_parts().1),
    };
    let built = json!({
        "leaf_attestation": signed(attestation(), &south(), json!({
            "network": network, "channel": CHANNEL.to_string(), "hospital": "south",
            "participant": attestation().participant.to_string(), "leaf_key": leaf().verifying_key().to_string(),
            "role": "patient (2)", "consent": CONSENT.consent.to_string(), "expires": attestation().expires.millis(),
        })),
        "leaf_pledge": signed(pledge(), &patient(), json!({
            "network": network, "consent": CONSENT.consent.to_string(), "leaf_key": leaf().verifying_key().to_string(),
        })),
        "leaf_revocation": signed(revocation(), &south(), json!({
            "network": network, "channel": CHANNEL.to_string(), "hospital": "south",
            "participant": revocation().participant.to_string(), "time": revocation().time.millis(),
        })),
        "leaf_proof": hex::encode(Record::encode(&proof)),
    });
    let stored = stored("leaves", &built);
    verifies(NETWORK, &stored["leaf_attestation"], &attestation());
    verifies(NETWORK, &stored["leaf_pledge"], &pledge());
    verifies(NETWORK, &stored["leaf_revocation"], &revocation());
    let read = LeafProof::decode(&bytes(&stored["leaf_proof"])).unwrap();
    assert_eq!(read, proof);
    read.claim(NETWORK).unwrap().verify(&south().verifying_key(), &patient().verifying_key()).unwrap();
}

fn consent_fields(opening: &ConsentOpening) -> Value {
    json!({ "consent": opening.consent.to_string(), "salt": hex::encode(opening.salt) })
}

fn proposal_fields(note: &ProposalNote) -> Value {
    let evidence = match &note.evidence {
        Evidence::Match(key) => json!({ "match (1)": { "slot": key.slot.get(), "seed": hex::encode([0x63; 32]) } }),
        Evidence::Receipt(slot) => json!({ "receipt (2)": { "slot": slot.get() } }),
    };
    json!({
        "salt": hex::encode(note.salt), "evidence": evidence, "handle": note.handle.to_string(),
        "consent": consent_fields(&note.consent), "parties": "clinicians (1) + patient (2)",
        "reason": "compare-cases (1)",
    })
}

fn answer_fields(note: &AnswerNote) -> Value {
    match note {
        AnswerNote::Accepted { consent, .. } => {
            json!({ "outcome": "accepted (1)", "consent": consent_fields(consent), "parties": "clinicians (1)" })
        }
        AnswerNote::Declined(_) => json!({ "outcome": "declined (2)", "reason": "patient-declined (2)" }),
    }
}

#[test]
fn notes_and_topics() {
    let built = json!({
        "secret": hex::encode(*secret().expose()),
        "network": NETWORK.to_string(), "introduction": INTRODUCTION.to_string(), "channel": CHANNEL.to_string(),
        "recipient": {
            "salt": hex::encode(RECIPIENT_SALT), "organisation": "south", "commitment": recipient().to_string(),
        },
        "consent": {
            "salt": hex::encode(CONSENT.salt), "consent": CONSENT.consent.to_string(),
            "commitment": CONSENT.commitment(NETWORK).to_string(),
        },
        "proposal_notes": proposal_notes().map(|note| json!({
            "fields": proposal_fields(&note), "randomness": hex::encode([0x95; 32]),
            "sealed": hex::encode(sealed_proposal(&note).as_bytes()),
        })),
        "answer_notes": answer_notes().map(|note| json!({
            "fields": answer_fields(&note), "randomness": hex::encode([0x96; 32]),
            "sealed": hex::encode(sealed_answer(&note).as_bytes()),
        })),
        "topic": {
            "salt": hex::encode([0x97; 32]), "terms": [252, 1250], "plaintext": hex::encode(topic().encode()),
            "randomness": hex::encode([0x98; 32]),
            "commitment": topic().commitment(NETWORK, CHANNEL).to_string(),
            "sealed": sealed_topics().iter().map(|sealed| hex::encode(sealed.encode())).collect::<Vec<_>>(),
            "digest": topics_digest(NETWORK, &sealed_topics()).to_string(),
        },
    });
    let stored = stored("notes", &built);
    for (number, expected) in proposal_notes().into_iter().enumerate() {
        let note = SealedNote::from_bytes(array(&stored["proposal_notes"][number]["sealed"]));
        assert_eq!(ProposalNote::open(&note, NETWORK, INTRODUCTION, &secret()).unwrap(), expected);
    }
    for (number, expected) in answer_notes().into_iter().enumerate() {
        let note = SealedNote::from_bytes(array(&stored["answer_notes"][number]["sealed"]));
        assert_eq!(AnswerNote::open(&note, NETWORK, INTRODUCTION, &secret()).unwrap(), expected);
    }
    for sealed in stored["topic"]["sealed"].as_array().unwrap() {
        let sealed = SealedTopic::decode(&bytes(sealed)).unwrap();
        assert_eq!(sealed.open((NETWORK, CHANNEL), &secret()).unwrap(), Some(topic()));
    }
}
