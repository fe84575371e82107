//! Every decoder of bytes that others make, as one function each: it must not panic, and what it takes must encode to
//! the very same bytes again. Fuzz targets call these, and so does a plain test over a corpus and its mutations.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "test code: a panic is how it fails")]

mod channels;
mod fabric;
mod services;

use std::cell::RefCell;

use prost::Message;
use semblance_contract::event::Event;
use semblance_contract::state::{
    CasePurge, CaseTombstone, ChannelRecord, ConsentRecord, ConsentTombstone, IntroductionAnswerRecord,
    IntroductionChannel, IntroductionRecord, LookupRecord, LookupRow, NewestConsent, PatientKeyRecord,
    ProposedIntroduction, Publication, RotationRecord, Successor,
};
use semblance_contract::testing::MemoryStub;
use semblance_contract::wire::{Membership, RegisterMember, TRANSIENT_FINGERPRINTS};
use semblance_contract::{Code, Contract, FUNCTIONS, SemblanceContract};
use semblance_core::answer::Answer;
use semblance_core::audit::head::{AuditHead, HeadText};
use semblance_core::case::PublishedCase;
use semblance_core::channel::SealedTopic;
use semblance_core::consent::{Consent, Withdrawal};
use semblance_core::denial::Denial;
use semblance_core::epoch::{Epoch, SealedEpochKey};
use semblance_core::fingerprint::{Fingerprint, PrivateValue};
use semblance_core::id::{Digest, NetworkId, OrganisationId};
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::organisation::{Genesis, KeyRotation, Organisation, Role};
use semblance_core::patient_key::{PatientKeyEntry, PatientKeyRegistration};
use semblance_core::proposal::{Proposal, UnverifiedProposal};
use semblance_core::query::Query;
use semblance_core::random::SeededSource;
use semblance_core::receipt::Receipt;
use semblance_core::record::Record;
use semblance_core::signature::{Signature, Statement};
use semblance_core::time::{ManualClock, Timestamp};
use semblance_core::vocabulary::search::LayWord;
use semblance_core::vocabulary::{Vocabulary, build};
use semblance_hospital::import::{Bounds, Import, Known, Unobserved};
use semblance_hospital::store::Store;
use semblance_ledger::embedded::block::{BlockData, Header, RecordedTransaction};
use semblance_proto::v1;

pub use channels::{channel, introduction, leaf, note};
pub use fabric::{fabric_block, fabric_configuration, fabric_error};
pub use services::{certificate, chaincode, config, hospital, mark, outbox, search};

/// The network of the stored test vectors, whose bytes are where the fuzzer begins.
pub const NETWORK: NetworkId = NetworkId::from_bytes([0x11; 16]);

/// Takes bytes as they come.
pub type Decoder = fn(&[u8]);

/// Every decoder by the name of its fuzz target.
pub const ALL: &[(&str, Decoder)] = &[
    ("answer", answer),
    ("audit_head", audit_head),
    ("block", block),
    ("certificate", certificate),
    ("chaincode", chaincode),
    ("channel", channel),
    ("config", config),
    ("consent", consent),
    ("contract", contract),
    ("entry", entry),
    ("event", event),
    ("fabric_block", fabric_block),
    ("fabric_configuration", fabric_configuration),
    ("fabric_error", fabric_error),
    ("fingerprint", fingerprint),
    ("hospital", hospital),
    ("hpoa", hpoa),
    ("import", import),
    ("introduction", introduction),
    ("leaf", leaf),
    ("lookup_request", lookup_request),
    ("mark", mark),
    ("note", note),
    ("obo", obo),
    ("outbox", outbox),
    ("patient_key", patient_key),
    ("proposal", proposal),
    ("query", query),
    ("record", record),
    ("rotation", rotation),
    ("search", search),
    ("vocabulary", vocabulary),
    ("wire", wire),
    ("withdrawal", withdrawal),
];

fn statement<T: Statement>(bytes: &[u8]) {
    if let Ok(statement) = T::decode(bytes, NETWORK) {
        assert_eq!(statement.encode(), bytes);
    }
}

fn stored<T: Record>(bytes: &[u8]) {
    if let Ok(record) = T::decode(bytes) {
        assert_eq!(record.encode(), bytes);
    }
}

/// An answer, as a matcher sends it.
pub fn answer(bytes: &[u8]) {
    statement::<Answer>(bytes);
    if let Ok(receipt) = Receipt::decode(bytes) {
        assert_eq!(receipt.encode(), bytes);
    }
}

/// A signed head, as bytes and as the line of text that people keep.
pub fn audit_head(bytes: &[u8]) {
    statement::<AuditHead>(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(head) = text.parse::<HeadText>() {
        assert_eq!(head.to_string(), text.trim());
    }
}

/// A block of the embedded ledger: header, data, recorded transaction.
pub fn block(bytes: &[u8]) {
    if let Ok(header) = Header::decode(bytes, NETWORK) {
        assert_eq!(header.encode(), bytes);
    }
    if let Ok(data) = BlockData::decode(bytes) {
        assert_eq!(data.encode(), bytes);
    }
    if let Ok(transaction) = RecordedTransaction::decode(bytes) {
        assert_eq!(transaction.encode(), bytes);
    }
}

/// A patient's consent.
pub fn consent(bytes: &[u8]) {
    statement::<Consent>(bytes);
}

/// The first bytes choose a function and a caller, the rest is its argument; on a ledger with a network and an epoch.
pub fn contract(bytes: &[u8]) {
    let [function, caller, argument @ ..] = bytes else { return };
    let (function, _) = FUNCTIONS[usize::from(*function) % FUNCTIONS.len()];
    STUB.with_borrow_mut(|stub| {
        let name = if caller & 1 == 0 { "north" } else { "matcher" };
        stub.set_caller(&OrganisationId::new(name).unwrap(), if caller & 2 == 0 { Role::Node } else { Role::Admin });
        // Halved, so that argument and private input can both be something.
        let split = if caller & 4 == 0 { argument.len() } else { argument.len() / 2 };
        stub.set_transient(TRANSIENT_FINGERPRINTS, argument[split..].to_vec());
        match SemblanceContract.invoke(stub, function, &[argument[..split].to_vec()]) {
            Ok(_) => {}
            Err(error) => {
                assert!(!error.is_fatal(), "{function} took the state for damaged: {error}");
                assert!(Code::from_word(error.code().as_str()).is_some() && !error.message().is_empty());
            }
        }
        stub.rollback();
    });
}

thread_local! {
    static STUB: RefCell<MemoryStub> = RefCell::new(founded());
}

/// A network of the hospital north and a matcher.
fn founded() -> MemoryStub {
    use semblance_core::organisation::{Network, OrganisationKind, SealingKey, Separation, TlsRoot};
    use semblance_core::sealing::{SealingKeyId, SealingSecret};
    use semblance_core::signature::SigningKey;

    let member = |name: &str, seed, kind| Organisation {
        id: OrganisationId::new(name).unwrap(),
        kind,
        verifying_key: SigningKey::from_seed(&[seed; 32]).verifying_key(),
        sealing_key: SealingKey {
            id: SealingKeyId(1),
            public: *SealingSecret::from_bytes([seed; 32]).unwrap().public(),
        },
        tls_root: TlsRoot::new(vec![0x30, seed]).unwrap(),
        rotations: 0,
    };
    let (north, matcher) =
        (member("north", 1, OrganisationKind::Hospital), member("matcher", 2, OrganisationKind::Matcher));
    let network = Network::new(NETWORK, "fuzz", Separation::Separated).unwrap();
    let mut stub = MemoryStub::new(&north.id, Role::Admin, Timestamp::from_millis(1_767_225_600_000));
    let genesis = Genesis::new(network, vec![north, matcher]).unwrap();
    SemblanceContract.invoke(&mut stub, "genesis", &[genesis.encode()]).unwrap();
    stub.commit();
    stub
}

/// An entry of a look-up, with the request inside.
pub fn entry(bytes: &[u8]) {
    if let Ok(entry) = LookupEntry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
        let _ = entry.claim(NETWORK);
    }
}

/// Names of the contract's events.
const EVENTS: &[&str] = &[
    "network-created",
    "member-registered",
    "key-rotated",
    "epoch-opened",
    "epoch-closed",
    "patient-keys-registered",
    "consents-granted",
    "consent-withdrawn",
    "cases-expired",
    "cases-published",
    "cases-purged",
    "lookups-recorded",
    "denials-recorded",
    "introduction-proposed",
    "introduction-answered",
    "channel-opened",
    "group-opened",
    "unheard-of",
];

/// The first byte chooses an event's name, the rest is its payload.
pub fn event(bytes: &[u8]) {
    let [name, payload @ ..] = bytes else { return };
    let name = EVENTS[usize::from(*name) % EVENTS.len()];
    if let Ok(Some(event)) = Event::decode(name, payload) {
        assert_eq!((event.name(), event.payload().as_slice()), (name, payload));
    }
}

/// A list of tokens, alone and with its salt.
pub fn fingerprint(bytes: &[u8]) {
    if let Ok(fingerprint) = Fingerprint::decode(bytes) {
        assert_eq!(fingerprint.encode(), bytes);
    }
    if let Ok(value) = PrivateValue::decode(bytes) {
        assert_eq!(value.encode(), bytes);
    }
}

/// A small ontology, to lay annotations over.
pub const SMALL_OBO: &str = "format-version: 1.2\ndata-version: hp/releases/2026-02-16\n\n[Term]\nid: HP:0000001\n\
    name: All\n\n[Term]\nid: HP:0000118\nname: Phenotypic abnormality\nis_a: HP:0000001 ! All\n\n[Term]\n\
    id: HP:0001250\nname: Seizure\nalt_id: HP:0002279\nsynonym: \"Fits\" EXACT layperson []\n\
    xref: SNOMEDCT_US:91175000\nis_a: HP:0000118 ! Phenotypic abnormality\n\n[Term]\nid: HP:0000057\n\
    name: obsolete Clitoromegaly\nis_obsolete: true\nreplaced_by: HP:0001250\n";

/// Disease annotations, over a small ontology.
pub fn hpoa(bytes: &[u8]) {
    if let Ok(built) = build(SMALL_OBO.as_bytes(), Some(bytes)) {
        Vocabulary::decode(&built.file).unwrap();
    }
}

/// The first byte chooses whether the rest is a Phenopacket, JSON lines or an archive.
pub fn import(bytes: &[u8]) {
    let [kind, content @ ..] = bytes else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(["case.json", "cases.jsonl", "cases.tar", "cases.json.gz"][usize::from(kind % 4)]);
    std::fs::write(&path, content).unwrap();
    let known = |term: semblance_core::term::TermId| match term.number() % 4 {
        0 => Known::Symptom,
        1 => Known::Retired,
        2 => Known::NoSymptom,
        _ => Known::Unknown,
    };
    let store = Store::in_memory().unwrap();
    let import = Import {
        store: &store,
        known: &known,
        clock: &ManualClock::at(Timestamp::from_millis(1)),
        random: &SeededSource::new([1; 32]),
        bounds: Bounds { packet_bytes: 64 << 10, entries: 100, total_bytes: 1 << 20 },
        actor: "fuzz",
    };
    let Ok(first) = import.run(&path, &mut Unobserved) else { return };
    let again = import.run(&path, &mut Unobserved).unwrap();
    assert_eq!((again.imported, again.corrected), (0, 0), "the same file again changes nothing");
    assert_eq!(again.unchanged, first.imported + first.unchanged + first.corrected);
}

/// A signed request to look up.
pub fn lookup_request(bytes: &[u8]) {
    statement::<LookupRequest>(bytes);
}

/// An ontology, and a list of lay words.
pub fn obo(bytes: &[u8]) {
    if let Ok(built) = build(bytes, None) {
        Vocabulary::decode(&built.file).unwrap();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = LayWord::parse(text);
    }
}

/// The registration of a patient's key.
pub fn patient_key(bytes: &[u8]) {
    statement::<PatientKeyRegistration>(bytes);
    if let Ok(entry) = PatientKeyEntry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
        let _ = entry.claim(NETWORK);
    }
}

/// A proposal to a ledger.
pub fn proposal(bytes: &[u8]) {
    statement::<Proposal>(bytes);
    let _ = UnverifiedProposal::decode(bytes.to_vec(), Signature::from_bytes([7; 64]), NETWORK);
}

/// A query.
pub fn query(bytes: &[u8]) {
    if let Ok(query) = Query::decode(bytes) {
        assert_eq!(query.encode(), bytes);
    }
}

/// What the ledger's state holds.
pub fn record(bytes: &[u8]) {
    for check in [stored::<Genesis>, stored::<Organisation>, stored::<Epoch>, stored::<SealedEpochKey>] {
        check(bytes);
    }
    for check in [stored::<PublishedCase>, stored::<Denial>, stored::<CaseTombstone>, stored::<CasePurge>] {
        check(bytes);
    }
    for check in [stored::<PatientKeyRecord>, stored::<Successor>, stored::<NewestConsent>, stored::<RotationRecord>] {
        check(bytes);
    }
    for check in [stored::<ConsentRecord>, stored::<ConsentTombstone>, stored::<Publication>] {
        check(bytes);
    }
    for check in [stored::<IntroductionRecord>, stored::<IntroductionAnswerRecord>, stored::<ProposedIntroduction>] {
        check(bytes);
    }
    stored::<IntroductionChannel>(bytes);
    stored::<SealedTopic>(bytes);
    if let Ok(record) = ChannelRecord::decode(bytes) {
        assert_eq!(record.encode(), bytes);
        let _ = record.statement(NETWORK);
    }
    stored::<LookupRecord>(bytes);
    stored::<LookupRow>(bytes);
}

/// The rotation of a key, and a new member.
pub fn rotation(bytes: &[u8]) {
    statement::<KeyRotation>(bytes);
    statement::<Membership>(bytes);
    stored::<RegisterMember>(bytes);
}

/// The payload of a vocabulary's file, put into a frame that fits it; and the whole file.
pub fn vocabulary(bytes: &[u8]) {
    let _ = Vocabulary::decode(bytes);
    let length = u32::try_from(bytes.len()).unwrap();
    let packed = zstd::bulk::compress(bytes, 1).unwrap();
    let digest = Digest::of(bytes);
    let file = [b"SEMBLANCE-HPO\0\0\x01".as_slice(), digest.as_bytes(), &length.to_be_bytes(), &packed].concat();
    let _ = Vocabulary::decode(&file);
}

/// Messages of the ledger's gRPC.
pub fn wire(bytes: &[u8]) {
    let _ = v1::SignedProposal::decode(bytes);
    let _ = v1::Block::decode(bytes);
    let _ = v1::LedgerFault::decode(bytes);
    let _ = v1::SubmitResponse::decode(bytes);
}

/// A patient's withdrawal.
pub fn withdrawal(bytes: &[u8]) {
    statement::<Withdrawal>(bytes);
}
