//! Two hospitals, one matcher, one ledger, one clock that stands until it is moved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use semblance_contract::SemblanceContract;
use semblance_contract::wire::{EpochArgument, List, Maybe, OpenEpoch, OrganisationArgument, Page, SignedStatement};
use semblance_core::epoch::{Profile, SealedEpochKey, VocabularyRelease};
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::lookup::Purpose;
use semblance_core::organisation::{
    Genesis, KeyRotation, Network, Organisation, OrganisationKind, Role, SealingKey, Separation, TlsRoot,
};
use semblance_core::query::Breadth;
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::record::Record;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::{SigningKey, Statement};
use semblance_core::time::{Clock, ManualClock, Timestamp};
use semblance_core::token::EpochNumber;
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::import::{Bounds, Unobserved};
use semblance_hospital::lookup::Question;
use semblance_hospital::store::Store;
use semblance_hospital::{ConsentTerms, HospitalService, Parts, Selection};
use semblance_keys::{EpochKey, EpochKeySeeds};
use semblance_ledger::embedded::EmbeddedLedger;
use semblance_ledger::identity::Identity;
use semblance_ledger::{Call, Committed, EventStream, Ledger, LedgerError};

use crate::authority::Authority;
use crate::matcher::TestMatcher;

pub(crate) const NETWORK: NetworkId = NetworkId::from_bytes([9; 16]);
/// 2026-11-23, a Monday.
const START: u64 = 1_795_392_000_000 + 10 * 3_600_000;
pub(crate) const DAY: u64 = 86_400_000;

pub(crate) fn id(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

struct Member {
    signing: SigningKey,
    sealing: SealingSecret,
    authority: Authority,
}

/// Symptoms that are common enough to be annotated and unrelated enough to tell cases apart.
pub(crate) const SEIZURES: [&str; 6] =
    ["HP:0001250", "HP:0001263", "HP:0001252", "HP:0000252", "HP:0001249", "HP:0000729"];
pub(crate) const HEART: [&str; 6] =
    ["HP:0001629", "HP:0001631", "HP:0001642", "HP:0000175", "HP:0000365", "HP:0004322"];

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) random: Arc<dyn RandomSource>,
    pub(crate) ledger: EmbeddedLedger,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) matcher: Arc<TestMatcher>,
    members: BTreeMap<OrganisationId, Member>,
    genesis: Vec<Organisation>,
    /// The second sealing keys of those who rotated.
    rotated: Mutex<BTreeMap<OrganisationId, SealingSecret>>,
    /// The seeds of the hospitals that were opened last.
    seeds: Mutex<BTreeMap<String, Arc<EpochKeySeeds>>>,
    files: AtomicU32,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(START)));
        let random: Arc<dyn RandomSource> = Arc::new(SeededSource::new([3; 32]));
        let ledger = EmbeddedLedger::open(
            &folder.path().join("ledger.db"),
            clock.clone(),
            random.clone(),
            Arc::new(SemblanceContract),
        )
        .unwrap();
        let names = [
            ("north", OrganisationKind::Hospital),
            ("south", OrganisationKind::Hospital),
            ("west", OrganisationKind::Hospital),
            ("matcher", OrganisationKind::Matcher),
        ];
        let (mut members, mut organisations) = (BTreeMap::new(), Vec::new());
        for (name, kind) in names {
            let member = Member {
                signing: SigningKey::random(random.as_ref()),
                sealing: SealingSecret::random(random.as_ref()).unwrap(),
                authority: Authority::new(name),
            };
            organisations.push(Organisation {
                id: id(name),
                kind,
                verifying_key: member.signing.verifying_key(),
                sealing_key: SealingKey { id: SealingKeyId(1), public: *member.sealing.public() },
                tls_root: TlsRoot::new(member.authority.der()).unwrap(),
                rotations: 0,
            });
            members.insert(id(name), member);
        }
        let matcher =
            TestMatcher::new(ledger.handle(identity(&members, "matcher", Role::Node)), clock.clone(), random.clone());
        let vocabulary = Vocabulary::built_in();
        let files = AtomicU32::new(0);
        let world = Self {
            folder,
            clock,
            random,
            ledger,
            vocabulary,
            matcher: Arc::new(matcher),
            members,
            genesis: organisations.clone(),
            rotated: Mutex::default(),
            seeds: Mutex::default(),
            files,
        };
        let network = Network::new(NETWORK, "trial", Separation::Separated).unwrap();
        let genesis = Genesis::new(network, organisations).unwrap();
        let everyone = world.members.keys().cloned().collect();
        world.administer("genesis", &genesis, everyone).await;
        world
    }

    pub(crate) fn handle(&self, name: &str, role: Role) -> Arc<dyn Ledger> {
        self.ledger.handle(identity(&self.members, name, role))
    }

    async fn administer(&self, function: &str, argument: &impl Record, endorsers: Vec<OrganisationId>) {
        let call = Call { function: function.into(), arguments: vec![argument.encode()], endorsers, ..Call::default() };
        self.handle("north", Role::Admin).submit(call).await.unwrap();
    }

    pub(crate) async fn open_epoch(&self, number: u32) {
        let (key, number) = (EpochKey::random(self.random.as_ref()), EpochNumber(number));
        let mut keys = Vec::new();
        for hospital in ["north", "south", "west"].map(id) {
            let to = self.sealing_key(&hospital);
            let sealed =
                SealedEpochKey::seal(NETWORK, number, &hospital, &to, key.expose(), &self.random.array()).unwrap();
            keys.push(sealed);
        }
        let argument = OpenEpoch {
            number,
            vocabulary: VocabularyRelease::new(self.vocabulary.release(), self.vocabulary.digest()).unwrap(),
            profile: Profile::Terms8,
            key_check: key.check_value(number),
            keys: List::new(keys).unwrap(),
        };
        self.administer("open_epoch", &argument, Vec::new()).await;
    }

    /// Whether a hospital's node holds an epoch's key.
    pub(crate) fn holds_key(&self, name: &str, epoch: u32) -> bool {
        self.seeds.lock().unwrap()[name].holds(EpochNumber(epoch))
    }

    pub(crate) async fn close_epoch(&self, number: u32) {
        self.administer("close_epoch", &EpochArgument(EpochNumber(number)), Vec::new()).await;
    }

    /// A hospital's sealing keys, the newest first.
    pub(crate) fn sealing(&self, name: &str) -> Vec<SealingSecret> {
        let second = self.rotated.lock().unwrap().get(&id(name)).cloned();
        second.into_iter().chain([self.members[&id(name)].sealing.clone()]).collect()
    }

    fn sealing_key(&self, hospital: &OrganisationId) -> SealingKey {
        let keys = self.sealing(hospital.as_str());
        SealingKey { id: SealingKeyId(u32::try_from(keys.len()).unwrap()), public: *keys[0].public() }
    }

    /// Gives a hospital its second sealing key.
    pub(crate) async fn rotate_sealing(&self, name: &str) {
        let present: Organisation = self.query("organisation", &OrganisationArgument(id(name))).await.unwrap();
        self.rotated.lock().unwrap().insert(id(name), SealingSecret::random(self.random.as_ref()).unwrap());
        let next = Organisation { sealing_key: self.sealing_key(&id(name)), ..present.clone() };
        let rotation = KeyRotation::between(NETWORK, &present, &next).unwrap();
        let (_, source) = rotation.sign(&self.members[&id(name)].signing).into_parts();
        let arguments = vec![SignedStatement(source).encode()];
        let call = Call { function: "rotate_key".into(), arguments, ..Call::default() };
        self.handle(name, Role::Admin).submit(call).await.unwrap();
    }

    /// One page of what a bystander may read.
    pub(crate) async fn page<R: Record>(&self, function: &str, argument: &impl Record) -> Vec<R> {
        Page::<R>::decode(&self.evaluate(function, argument).await).unwrap().rows
    }

    /// Reads the ledger as a bystander may.
    pub(crate) async fn query<R: Record>(&self, function: &str, argument: &impl Record) -> Option<R> {
        Maybe::<R>::decode(&self.evaluate(function, argument).await).unwrap().0
    }

    async fn evaluate(&self, function: &str, argument: &impl Record) -> Vec<u8> {
        let (function, arguments) = (function.to_owned(), vec![argument.encode()]);
        let call = Call { function, arguments, endorsers: vec![id("west")], ..Call::default() };
        self.handle("west", Role::Node).evaluate(call).await.unwrap()
    }

    /// Opens a hospital's node on its own file.
    pub(crate) fn hospital(&self, name: &str) -> HospitalService {
        self.hospital_with(name, self.handle(name, Role::Node))
    }

    pub(crate) fn hospital_with(&self, name: &str, ledger: Arc<dyn Ledger>) -> HospitalService {
        self.open(name, ledger, self.sealing(name), self.clock.clone())
    }

    /// Opens a hospital's node whose clock stands at that moment.
    pub(crate) fn hospital_at(&self, name: &str, moment: Timestamp) -> HospitalService {
        self.open(name, self.handle(name, Role::Node), self.sealing(name), Arc::new(ManualClock::at(moment)))
    }

    pub(crate) fn open(
        &self,
        name: &str,
        ledger: Arc<dyn Ledger>,
        sealing: Vec<SealingSecret>,
        clock: Arc<ManualClock>,
    ) -> HospitalService {
        let member = &self.members[&id(name)];
        let seeds = Arc::new(EpochKeySeeds::new());
        self.seeds.lock().unwrap().insert(name.to_owned(), Arc::clone(&seeds));
        HospitalService::open(Parts {
            network: NETWORK,
            organisation: id(name),
            signing: member.signing.clone(),
            sealing,
            members: self.genesis.clone(),
            store: Store::open(&self.folder.path().join(format!("{name}.db"))).unwrap(),
            ledger,
            matchers: vec![self.matcher.clone()],
            seeds,
            vocabulary: self.vocabulary.clone(),
            clock,
            random: self.random.clone(),
        })
        .unwrap()
    }

    fn lines(&self, cases: &[(&str, &[&str])]) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::SeqCst);
        let path = self.folder.path().join(format!("{number}.jsonl"));
        let lines: Vec<String> = cases
            .iter()
            .map(|(case, terms)| serde_json::json!({"case_id": case, "observed": terms}).to_string())
            .collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    pub(crate) async fn import(&self, hospital: &HospitalService, cases: &[(&str, &[&str])]) {
        let report =
            hospital.import("operator", self.lines(cases), Bounds::default(), Box::new(Unobserved)).await.unwrap();
        assert_eq!(report.refused, 0, "{report:?}");
    }

    /// Imports, registers, takes consents and publishes.
    pub(crate) async fn publish(&self, hospital: &HospitalService, cases: &[(&str, &[&str])]) {
        self.publish_under(hospital, cases, ConsentTerms::usual().unwrap()).await;
    }

    /// As [`Self::publish`], for patients who agree to this.
    pub(crate) async fn publish_under(
        &self,
        hospital: &HospitalService,
        cases: &[(&str, &[&str])],
        terms: ConsentTerms,
    ) {
        self.import(hospital, cases).await;
        let count = cases.len() as u64;
        let these = || Selection::Cases(cases.iter().map(|(case, _)| case.parse().unwrap()).collect());
        assert_eq!(hospital.register("operator", these()).await.unwrap().done, count);
        assert_eq!(hospital.consent("operator", these(), terms).await.unwrap().done, count);
        let published = hospital.publish("operator", these()).await.unwrap();
        assert_eq!((published.done, published.refused.len()), (count, 0), "{published:?}");
    }

    /// A member's signing key.
    pub(crate) fn signing(&self, name: &str) -> &SigningKey {
        &self.members[&id(name)].signing
    }

    pub(crate) fn authority(&self, name: &str) -> &Authority {
        &self.members[&id(name)].authority
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn identity(members: &BTreeMap<OrganisationId, Member>, name: &str, role: Role) -> Identity {
    let key = members[&id(name)].signing.clone();
    Identity { network: NETWORK, organisation: id(name), role, certificate: [7; 32], key }
}

pub(crate) fn ask(case: &str, breadth: Breadth) -> Question {
    Question {
        case: case.parse().unwrap(),
        clinician: "dr-kim".into(),
        purpose: Purpose::Diagnosis,
        breadth,
        count: 10,
        matcher: None,
    }
}

pub(crate) const IDLE: Duration = Duration::from_millis(300);

/// A ledger whose acknowledgements get lost after the transaction is committed.
pub(crate) struct Forgetful {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) losses: Mutex<BTreeMap<String, u32>>,
}

#[async_trait]
impl Ledger for Forgetful {
    fn organisation(&self) -> &OrganisationId {
        self.ledger.organisation()
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        let function = call.function.clone();
        let committed = self.ledger.submit(call).await?;
        if let Some(left) = self.losses.lock().unwrap().get_mut(&function).filter(|left| **left > 0) {
            *left -= 1;
            return Err(LedgerError::OutcomeUnknown { transaction: committed.transaction, reason: "lost".into() });
        }
        Ok(committed)
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        self.ledger.evaluate(call).await
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        self.ledger.height().await
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        self.ledger.blocks(from).await
    }
}
