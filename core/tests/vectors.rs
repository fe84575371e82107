//! Test vectors of everything that is signed, sealed, committed to or stored, for independent implementations.
//!
//! Each file in `vectors/` holds inputs in plain JSON, bytes in hexadecimal. The tests build the same values and compare,
//! then read the stored bytes back. After a deliberate change of a layout, which needs a new version number, write the
//! files again with `SEMBLANCE_WRITE_VECTORS=1 cargo test -p semblance-core --test vectors`.
#![expect(clippy::unwrap_used, reason = "a test: a missing or malformed vector must fail it")]

mod statement;
mod stored;

use semblance_core::answer::{Answer, AnswerParts, Coverage, GroupValue, Match};
use semblance_core::audit::head::{AuditHead, HeadText};
use semblance_core::case::{CaseStatus, PublishedCase, case_commitment};
use semblance_core::consent::{Consent, ConsentParts, Scope, Scopes, Withdrawal};
use semblance_core::denial::{Denial, DenialCode};
use semblance_core::epoch::{Epoch, Profile, SealedEpochKey, VocabularyRelease};
use semblance_core::id::{
    CaseHandle, ClinicianPseudonym, ConsentId, DenialId, Digest, NetworkId, OrganisationId, RequestId,
};
use semblance_core::lookup::{LookupEntry, LookupRequest, LookupSlot, Purpose};
use semblance_core::organisation::{
    Genesis, KeyRotation, Network, Organisation, OrganisationKind, Role, SealingKey, Separation, TlsRoot,
};
use semblance_core::patient_key::{KeyOrigin, KeyStanding, PatientKeyEntry, PatientKeyRegistration};
use semblance_core::proposal::{Proposal, ProposalParts, Transient, UnverifiedProposal, transient_hash};
use semblance_core::pseudonym::PseudonymSecret;
use semblance_core::random::SeededSource;
use semblance_core::receipt::{Receipt, SlotIndex, SlotKey, SlotSeed, seal_receipts};
use semblance_core::record::Record;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::{Signature, SigningKey, Statement};
use semblance_core::time::{Day, Timestamp};
use semblance_core::token::EpochNumber;
use serde_json::{Value, json};
use statement::{array, signed};
use stored::{bytes, stored};

const NETWORK: NetworkId = NetworkId::from_bytes([0x11; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn hospital_key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn patient_key() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

fn earlier_patient_key() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

fn sealing_secret() -> SealingSecret {
    SealingSecret::from_bytes([4; 32]).unwrap()
}

fn name(text: &str) -> OrganisationId {
    OrganisationId::new(text).unwrap()
}

fn commitment() -> Digest {
    case_commitment(&[5; 32], NETWORK, &name("north"), "4711")
}

fn registration() -> PatientKeyRegistration {
    PatientKeyRegistration {
        network: NETWORK,
        hospital: name("north"),
        key: patient_key().verifying_key(),
        case: commitment(),
        origin: KeyOrigin::Hospital,
        previous: Some(earlier_patient_key().verifying_key()),
    }
}

fn consent() -> Consent {
    Consent::new(ConsentParts {
        network: NETWORK,
        hospital: name("north"),
        patient_key: patient_key().verifying_key(),
        consent: ConsentId::from_bytes([0x21; 16]),
        sequence: 1,
        case: commitment(),
        scopes: Scopes::new(&[Scope::BeFound, Scope::BeContacted]).unwrap(),
        not_before: NOW,
        expires: NOW.plus(365 * Day::MILLIS),
        text: Digest::of(b"I agree that my case may be found."),
    })
    .unwrap()
}

fn withdrawal() -> Withdrawal {
    Withdrawal {
        network: NETWORK,
        consent: ConsentId::from_bytes([0x21; 16]),
        sequence: 2,
        patient_key: patient_key().verifying_key(),
        time: NOW.plus(1),
    }
}

fn request() -> LookupRequest {
    LookupRequest {
        network: NETWORK,
        request: RequestId::from_bytes([0x31; 16]),
        hospital: name("north"),
        clinician: PseudonymSecret::from_bytes([6; 32]).clinician(NOW.day().week(), "dr-a"),
        purpose: Purpose::SecondOpinion,
        case: commitment(),
        epoch: EpochNumber(1),
        query: Digest::from_bytes([0x32; 32]),
        short: false,
        slot: LookupSlot::new(NOW.day(), 7).unwrap(),
        matcher: name("matcher"),
        expires: NOW.plus(600_000),
        minimum_height: 12,
    }
}

fn organisation() -> Organisation {
    Organisation {
        id: name("north"),
        kind: OrganisationKind::Hospital,
        verifying_key: hospital_key().verifying_key(),
        sealing_key: SealingKey { id: SealingKeyId(1), public: *sealing_secret().public() },
        tls_root: TlsRoot::new(vec![0x30, 0x00]).unwrap(),
        rotations: 0,
    }
}

fn rotation() -> KeyRotation {
    let next = Organisation { verifying_key: SigningKey::from_seed(&[7; 32]).verifying_key(), ..organisation() };
    KeyRotation::between(NETWORK, &organisation(), &next).unwrap()
}

fn head() -> AuditHead {
    AuditHead {
        network: NETWORK,
        organisation: name("north"),
        height: 12,
        block: Digest::from_bytes([0x41; 32]),
        time: NOW,
    }
}

fn transient() -> Transient {
    Transient::from([("fingerprints".to_owned(), vec![1, 2, 3]), ("other".to_owned(), vec![])])
}

fn proposal() -> Proposal {
    Proposal::new(ProposalParts {
        network: NETWORK,
        nonce: [0x51; 24],
        organisation: name("north"),
        role: Role::Node,
        certificate: [0x52; 32],
        timestamp: NOW,
        function: "publish_cases".into(),
        arguments: vec![vec![1, 2], vec![]],
        transient: transient_hash(&transient()).unwrap(),
        endorsers: vec![name("north"), name("matcher")],
    })
    .unwrap()
}

/// Reads a stored statement back through every check.
fn verifies<T: Statement + PartialEq + std::fmt::Debug>(vector: &Value, expected: &T) {
    statement::verifies(NETWORK, vector, expected);
}

#[test]
fn signed_statements() {
    let network = NETWORK.to_string();
    let patient = patient_key().verifying_key().to_string();
    let built = json!({
        "patient_key_registration": signed(registration(), &hospital_key(), json!({
            "network": network, "hospital": "north", "key": patient, "case": commitment().to_string(),
            "origin": "hospital (1)", "previous": earlier_patient_key().verifying_key().to_string(),
        })),
        "consent": signed(consent(), &patient_key(), json!({
            "network": network, "hospital": "north", "patient_key": patient, "consent": consent().consent.to_string(),
            "sequence": 1, "case": commitment().to_string(), "scopes": "be found (1) + be contacted (2)",
            "not_before": NOW.millis(), "expires": consent().expires.millis(), "text": consent().text.to_string(),
        })),
        "withdrawal": signed(withdrawal(), &patient_key(), json!({
            "network": network, "consent": withdrawal().consent.to_string(), "sequence": 2, "patient_key": patient,
            "time": withdrawal().time.millis(),
        })),
        "lookup_request": signed(request(), &hospital_key(), json!({
            "network": network, "request": request().request.to_string(), "hospital": "north",
            "clinician": request().clinician.to_string(), "purpose": "second-opinion (2)",
            "case": commitment().to_string(), "epoch": 1, "query": request().query.to_string(), "short": false,
            "slot_day": NOW.day().number(), "slot_number": 7, "matcher": "matcher",
            "expires": request().expires.millis(), "minimum_height": 12,
        })),
        "key_rotation": signed(rotation(), &hospital_key(), json!({
            "network": network, "organisation": "north", "sequence": 1,
            "verifying_key": rotation().verifying_key().unwrap().to_string(), "sealing_key": null, "tls_root": null,
        })),
        "audit_head": signed(head(), &hospital_key(), json!({
            "network": network, "organisation": "north", "height": 12, "block": head().block.to_string(),
            "time": NOW.millis(),
        })),
        "proposal": signed(proposal(), &hospital_key(), json!({
            "network": network, "nonce": hex::encode(proposal().nonce), "organisation": "north", "role": "node (1)",
            "certificate": hex::encode(proposal().certificate), "timestamp": NOW.millis(),
            "function": "publish_cases", "arguments": ["0102", ""], "transient": proposal().transient.to_string(),
            "endorsers": ["matcher", "north"],
        })),
    });
    let stored = stored("signed", &built);
    verifies(&stored["patient_key_registration"], &registration());
    verifies(&stored["consent"], &consent());
    verifies(&stored["withdrawal"], &withdrawal());
    verifies(&stored["lookup_request"], &request());
    verifies(&stored["key_rotation"], &rotation());
    verifies(&stored["audit_head"], &head());
    verifies(&stored["proposal"], &proposal());
    let vector = &stored["proposal"];
    let signature = Signature::from_bytes(array(&vector["signature"]));
    let arrived = UnverifiedProposal::decode(bytes(&vector["bytes"]), signature, NETWORK).unwrap();
    let verified = arrived.verify(&hospital_key().verifying_key()).unwrap();
    assert_eq!(verified.id().to_string(), vector["digest"].as_str().unwrap());
    verified.check_transient(&transient()).unwrap();
}

#[test]
fn countersigned_patient_key_and_head_text() {
    let entry = PatientKeyEntry::sign(registration(), &hospital_key(), Some(&earlier_patient_key()));
    let text = HeadText::from(&head().sign(&hospital_key())).to_string();
    let built = json!({
        "patient_key_entry": {
            "hospital_seed": hex::encode(*hospital_key().expose_seed()),
            "previous_seed": hex::encode(*earlier_patient_key().expose_seed()),
            "bytes": hex::encode(Record::encode(&entry)),
            "standing": "rotated",
        },
        "audit_head_text": text,
    });
    let stored = stored("envelopes", &built);
    let entry = PatientKeyEntry::decode(&bytes(&stored["patient_key_entry"]["bytes"])).unwrap();
    let (verified, standing) = entry.verify(NETWORK, &hospital_key().verifying_key()).unwrap();
    assert_eq!((verified.statement(), standing), (&registration(), KeyStanding::Rotated));
    let parsed: HeadText = stored["audit_head_text"].as_str().unwrap().parse().unwrap();
    parsed.claim().unwrap().verify(&hospital_key().verifying_key()).unwrap();
}

fn answer() -> Answer {
    let group = |group, value| GroupValue { group, value };
    Answer::new(AnswerParts {
        network: NETWORK,
        salt: [0x61; 32],
        request: request().digest(),
        coverage: Coverage { cases: 900, hospitals: 2, height: 12 },
        explainable: vec![group(0, 500_000), group(2, 300_000)],
        matches: vec![Match {
            handle: CaseHandle::from_bytes([0x62; 16]),
            hospital: name("south"),
            shared: vec![group(0, 200_000)],
            rarer: true,
            receipt: SlotKey { slot: SlotIndex::new(3).unwrap(), seed: SlotSeed::from_bytes([0x63; 32]) },
        }],
    })
    .unwrap()
}

#[test]
fn commitments() {
    let built = json!({
        "case": {
            "salt": hex::encode([5; 32]), "network": NETWORK.to_string(), "hospital": "north", "local_id": "4711",
            "commitment": commitment().to_string(),
        },
        "answer": {
            "salt": hex::encode(answer().salt), "bytes": hex::encode(answer().encode()),
            "commitment": answer().commitment().to_string(),
        },
        "clinician": {
            "secret": hex::encode([6; 32]), "week": NOW.day().week(), "clinician": "dr-a",
            "pseudonym": request().clinician.to_string(),
        },
        "transient": {
            "values": { "fingerprints": "010203", "other": "" },
            "hash": transient_hash(&transient()).unwrap().to_string(),
        },
    });
    let stored = stored("commitments", &built);
    assert_eq!(Answer::decode(&bytes(&stored["answer"]["bytes"]), NETWORK).unwrap(), answer());
}

#[test]
fn sealed_messages() {
    let receipt = Receipt { handle: CaseHandle::from_bytes([0x62; 16]), rank: 1, index_height: 12 };
    let found = [(receipt, *sealing_secret().public())];
    let sealed = seal_receipts(NETWORK, &request().digest(), &found, &SeededSource::new([0x71; 32])).unwrap();
    let mut slots = semblance_core::encode::Writer::default();
    sealed.slots.write(&mut slots);
    let recipient = organisation().sealing_key;
    let epoch_key =
        SealedEpochKey::seal(NETWORK, EpochNumber(1), &name("north"), &recipient, &[0x72; 32], &[0x73; 32]).unwrap();
    let message = recipient.public.seal(b"info", b"aad", b"message", &[0x74; 32]).unwrap();
    let built = json!({
        "secret": hex::encode(*sealing_secret().expose()),
        "public": hex::encode(sealing_secret().public().as_bytes()),
        "message": {
            "info": hex::encode("info"), "aad": hex::encode("aad"), "plaintext": hex::encode("message"),
            "randomness": hex::encode([0x74; 32]), "sealed": hex::encode(message),
        },
        "epoch_key": {
            "network": NETWORK.to_string(), "epoch": 1, "hospital": "north", "epoch_key": hex::encode([0x72; 32]),
            "randomness": hex::encode([0x73; 32]), "record": hex::encode(epoch_key.encode()),
        },
        "receipts": {
            "network": NETWORK.to_string(), "request": request().digest().to_string(),
            "plaintext": hex::encode(receipt.encode()), "slot": sealed.keys[0].slot.get(),
            "slots": hex::encode(slots.finish()),
        },
    });
    let stored = stored("sealed", &built);
    let secret = SealingSecret::from_bytes(array(&stored["secret"])).unwrap();
    assert_eq!(*secret.open(b"info", b"aad", &bytes(&stored["message"]["sealed"])).unwrap(), b"message");
    let record = SealedEpochKey::decode(&bytes(&stored["epoch_key"]["record"])).unwrap();
    assert_eq!(*record.open(NETWORK, EpochNumber(1), &secret).unwrap(), [0x72; 32]);
    let opened = sealed.slots.open(NETWORK, &request().digest(), &[secret]);
    assert_eq!(opened.len(), 1);
    assert_eq!((opened[0].slot, opened[0].receipt.clone()), (sealed.keys[0].slot, Ok(receipt)));
}

/// Asserts that a stored record reads back.
fn reads<T: Record + PartialEq + std::fmt::Debug>(stored: &Value, expected: &T) {
    assert_eq!(&T::decode(&bytes(&stored[T::NAME])).unwrap(), expected, "{}", T::NAME);
}

#[test]
fn records() {
    let network = Network::new(NETWORK, "Trial network", Separation::Separated).unwrap();
    let genesis = Genesis::new(network.clone(), vec![organisation()]).unwrap();
    let case = PublishedCase {
        handle: CaseHandle::from_bytes([0x62; 16]),
        owner: name("north"),
        consent: consent().consent,
        epoch: EpochNumber(1),
        private_hash: [0x81; 32],
        commitment: commitment(),
        published: NOW,
        expires: consent().expires,
        status: CaseStatus::Replaced { by: CaseHandle::from_bytes([0x82; 16]) },
    };
    let epoch = Epoch {
        number: EpochNumber(1),
        opener: name("north"),
        vocabulary: VocabularyRelease::new("2026-02-16", Digest::from_bytes([0x83; 32])).unwrap(),
        profile: Profile::Terms8,
        key_check: Digest::from_bytes([0x84; 32]),
        opened: NOW,
        closed: Some(NOW.plus(1)),
    };
    let denial = Denial {
        id: DenialId::from_bytes([0x85; 16]),
        organisation: name("matcher"),
        code: DenialCode::BudgetClinician,
        subject: ClinicianPseudonym::from_bytes([0x86; 32]),
        request: Some(request().digest()),
        time: NOW,
    };
    let (_, source) = request().sign(&hospital_key()).into_parts();
    let slots = seal_receipts(NETWORK, &source.digest(), &[], &SeededSource::new([0x87; 32])).unwrap().slots;
    let entry = LookupEntry { request: source, index_height: 12, answer: answer().commitment(), slots };
    let built = json!({
        Network::NAME: hex::encode(network.encode()),
        Genesis::NAME: hex::encode(genesis.encode()),
        Organisation::NAME: hex::encode(organisation().encode()),
        PublishedCase::NAME: hex::encode(case.encode()),
        Epoch::NAME: hex::encode(epoch.encode()),
        Denial::NAME: hex::encode(denial.encode()),
        LookupEntry::NAME: hex::encode(entry.encode()),
    });
    let stored = stored("records", &built);
    reads(&stored, &network);
    reads(&stored, &genesis);
    reads(&stored, &organisation());
    reads(&stored, &case);
    reads(&stored, &epoch);
    reads(&stored, &denial);
    reads(&stored, &entry);
}
