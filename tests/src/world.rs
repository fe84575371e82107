//! A whole network in one process: hospitals and matchers on one embedded ledger, each with its own files and keys.
//!
//! Hospitals reach matchers over gRPC and mutual TLS; the ledger is in this process. Nothing runs by itself but the
//! matchers: [`World::settle`] lets everyone read the ledger to its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use semblance_core::id::RequestId;
use semblance_core::lookup::Purpose;
use semblance_core::organisation::{OrganisationKind, Role};
use semblance_core::query::Breadth;
use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::import::{Bounds, ImportReport, Unobserved};
use semblance_hospital::lookup::{LookupReport, Question};
use semblance_hospital::matcher::{MatcherPort, Search};
use semblance_hospital::store::Store;
use semblance_hospital::store::case::LocalCaseId;
use semblance_hospital::{ConsentTerms, HospitalError, HospitalService, Parts, Selection};
use semblance_keys::EpochKeySeeds;
use semblance_ledger::Ledger;
use semblance_matcher::Matcher;
use semblance_matcher::budget::BudgetLimits;
use tempfile::TempDir;

use crate::door::{Door, Served};
use crate::network::{Member, NETWORK, TestNetwork};
use crate::write::matcher::{caught_up, start, start_on};

/// How long a follower of the ledger waits for more before it has read all.
const QUIET: Duration = Duration::from_millis(50);

/// A matcher: its folder, where it is served, and itself while it runs.
struct MatcherParty {
    folder: PathBuf,
    address: Option<SocketAddr>,
    running: Option<(Matcher, Served)>,
}

/// The network.
pub struct World {
    folder: TempDir,
    /// The ledger, the members, the clock.
    pub network: TestNetwork,
    /// Symptoms by name.
    pub vocabulary: Arc<Vocabulary>,
    hospitals: BTreeMap<String, HospitalService>,
    matchers: BTreeMap<String, MatcherParty>,
    sent: Arc<Mutex<Vec<Search>>>,
}

impl World {
    /// Founds a network of so many hospitals (north, south, east, …) and one matcher, all running.
    pub async fn of(hospitals: usize, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = TestNetwork::found(&folder.path().join("ledger.db"), hospitals, 1, seed).await;
        let mut world = Self {
            folder,
            network,
            vocabulary: Vocabulary::built_in(),
            hospitals: BTreeMap::new(),
            matchers: BTreeMap::new(),
            sent: Arc::default(),
        };
        for member in world.network.members.clone() {
            let folder = world.folder.path().join(member.id.as_str());
            std::fs::create_dir(&folder).unwrap();
            match member.kind {
                OrganisationKind::Matcher => {
                    let party = MatcherParty { folder, address: None, running: None };
                    world.matchers.insert(member.id.to_string(), party);
                    world.start_matcher(member.id.as_str()).await;
                }
                OrganisationKind::Hospital => {}
            }
        }
        for member in world.network.hospitals().cloned().collect::<Vec<_>>() {
            let hospital = world.open_hospital(&member);
            world.hospitals.insert(member.id.to_string(), hospital);
        }
        world
    }

    fn open_hospital(&self, member: &Member) -> HospitalService {
        let door = |(name, party): (&String, &MatcherParty)| -> Arc<dyn MatcherPort> {
            let there = (self.network.member(name), party.address.unwrap());
            Arc::new(Door::new(there, member, Arc::clone(&self.sent)))
        };
        let file = self.folder_of(member.id.as_str()).join("hospital.db");
        open_hospital(&self.network, member, &file, self.matchers.iter().map(door).collect())
    }

    /// Where a party keeps its files.
    #[must_use]
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The ledger's file.
    #[must_use]
    pub fn ledger_file(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// A hospital by name.
    #[must_use]
    pub fn hospital(&self, name: &str) -> &HospitalService {
        &self.hospitals[name]
    }

    /// The search of the running matcher, to be called as anyone.
    #[must_use]
    pub fn search(&self) -> Arc<semblance_matcher::Search> {
        self.matchers["matcher"].running.as_ref().unwrap().0.search()
    }

    /// What hospitals have sent to matchers so far, the exact bytes.
    #[must_use]
    pub fn sent(&self) -> Vec<Search> {
        self.sent.lock().unwrap().clone()
    }

    /// Starts a matcher on the files it has.
    pub async fn start_matcher(&mut self, name: &str) {
        let matcher = start(&self.network, &self.matchers[name].folder).await;
        self.run_matcher(name, matcher).await;
    }

    /// Starts a stopped matcher on the files it has, with a ledger and budgets of the test's own.
    pub async fn start_matcher_on(&mut self, name: &str, ledger: Arc<dyn Ledger>, budgets: BudgetLimits) {
        let matcher = start_on(&self.network, &self.matchers[name].folder, ledger, budgets).await;
        self.run_matcher(name, matcher).await;
    }

    async fn run_matcher(&mut self, name: &str, matcher: Matcher) {
        let served = Served::start(&self.network, name, &matcher, self.matchers[name].address).await;
        let party = self.matchers.get_mut(name).unwrap();
        party.address = Some(served.address);
        party.running = Some((matcher, served));
    }

    /// Stops a matcher: nobody reaches it any more.
    pub async fn stop_matcher(&mut self, name: &str) {
        let (matcher, served) = self.matchers.get_mut(name).unwrap().running.take().unwrap();
        served.stop().await;
        matcher.stop().await.unwrap();
    }

    /// Throws a stopped matcher's files away.
    pub fn lose_matcher_files(&self, name: &str) {
        std::fs::remove_dir_all(&self.matchers[name].folder).unwrap();
    }

    /// Lets everyone read the ledger to its end.
    pub async fn settle(&self) {
        for (matcher, _) in self.matchers.values().filter_map(|party| party.running.as_ref()) {
            caught_up(&self.network, matcher).await;
        }
        for hospital in self.hospitals.values() {
            hospital.catch_up(QUIET).await.unwrap();
        }
    }

    /// Imports cases with these observed symptoms.
    pub async fn import(&self, hospital: &str, cases: &[(&str, Vec<TermId>)]) -> ImportReport {
        let mut lines = String::new();
        for (id, terms) in cases {
            let terms: Vec<String> = terms.iter().map(|term| format!("\"{term}\"")).collect();
            writeln!(lines, "{{\"case_id\":\"{id}\",\"observed\":[{}]}}", terms.join(",")).unwrap();
        }
        let file = self.folder.path().join("import.jsonl");
        std::fs::write(&file, lines).unwrap();
        self.hospital(hospital).import("admin", file, Bounds::default(), Box::new(Unobserved)).await.unwrap()
    }

    /// Imports cases, takes their patients' consent and publishes them.
    pub async fn admit(&self, hospital: &str, cases: &[(&str, Vec<TermId>)]) {
        self.import(hospital, cases).await;
        let service = self.hospital(hospital);
        let selection = || Selection::Cases(cases.iter().map(|(id, _)| local(id)).collect());
        let steps = [
            service.register("admin", selection()).await.unwrap(),
            service.consent("admin", selection(), ConsentTerms::usual().unwrap()).await.unwrap(),
            service.publish("admin", selection()).await.unwrap(),
        ];
        for step in steps {
            assert_eq!(step.done, cases.len() as u64, "{step:?}");
        }
    }

    /// Admits so many patients with diseases of the vocabulary to every hospital, so that symptoms are common enough to
    /// be explained. They are named `patient-1` and so on.
    pub async fn populate(&self, each: usize) {
        let names: Vec<String> = (1..=each).map(|number| format!("patient-{number}")).collect();
        for (place, hospital) in self.hospitals.keys().enumerate() {
            let terms = |number| self.disease(number).into_iter().skip(place % 3).take(8).collect();
            let cases: Vec<(&str, Vec<TermId>)> =
                names.iter().enumerate().map(|(number, name)| (name.as_str(), terms(number))).collect();
            for part in cases.chunks(50) {
                self.admit(hospital, part).await;
            }
        }
        self.settle().await;
    }

    /// The symptoms of one of the vocabulary's well described diseases, ten at least.
    #[must_use]
    pub fn disease(&self, number: usize) -> Vec<TermId> {
        let mut described = self.vocabulary.diseases().iter().filter(|disease| disease.terms().len() >= 12);
        let disease = described.nth(number * 7).unwrap();
        let symptom = |term: &TermId| self.vocabulary.symptom(*term).ok() == Some(*term);
        let mut terms: Vec<TermId> = disease.terms().iter().map(|term| term.term()).filter(symptom).collect();
        terms.dedup();
        terms
    }

    /// A look-up from an own case, for a diagnosis.
    ///
    /// # Errors
    /// As [`HospitalService::look_up`].
    pub async fn look_up(&self, hospital: &str, case: &str) -> Result<LookupReport, HospitalError> {
        self.hospital(hospital).look_up(question(case)).await
    }

    /// What a hospital's people are told of its case.
    pub async fn summary(&self, hospital: &str, case: &str) -> semblance_hospital::CaseSummary {
        let all = self.hospital(hospital).cases("", 500).await.unwrap();
        all.into_iter().find(|summary| summary.case == case).unwrap()
    }
}

/// Opens a hospital on its own file.
pub fn open_hospital(
    network: &TestNetwork,
    member: &Member,
    file: &Path,
    matchers: Vec<Arc<dyn MatcherPort>>,
) -> HospitalService {
    let parts = Parts {
        network: NETWORK,
        organisation: member.id.clone(),
        signing: member.signing.clone(),
        sealing: vec![member.sealing.clone()],
        // The ledger's word is taken: a network that was opened again has other certificates than its genesis.
        members: Vec::new(),
        store: Store::open(file).unwrap(),
        ledger: network.handle(&member.id, Role::Node),
        matchers,
        seeds: Arc::new(EpochKeySeeds::new()),
        vocabulary: Vocabulary::built_in(),
        clock: network.clock.clone(),
        random: network.random.clone(),
    };
    HospitalService::open(parts).unwrap()
}

/// The way to a network's matcher, which does not run: enough for a hospital that publishes.
#[must_use]
pub fn closed_door(network: &TestNetwork, caller: &Member) -> Arc<dyn MatcherPort> {
    // Nobody listens at the port that is set aside for "discard".
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    Arc::new(Door::new((network.matcher(), nowhere), caller, Arc::default()))
}

/// A close look-up by dr-a, for a diagnosis, of ten cases.
#[must_use]
pub fn question(case: &str) -> Question {
    Question {
        case: local(case),
        clinician: "dr-a".to_owned(),
        purpose: Purpose::Diagnosis,
        breadth: Breadth::Close,
        count: 10,
        matcher: None,
    }
}

/// A hospital's own name of a case.
#[must_use]
pub fn local(id: &str) -> LocalCaseId {
    id.parse().unwrap()
}

/// The id of the request behind a report.
#[must_use]
pub fn request_of(report: &LookupReport) -> RequestId {
    report.request.parse().unwrap()
}
