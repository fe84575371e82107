//! Fabric as the suite knows ledgers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use semblance_chaincode::system::SystemClock;
use semblance_contract::Contract;
use semblance_contract::wire::Empty;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::Role;
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::record::Record;
use semblance_core::time::{Clock, Timestamp};
use semblance_fabric::Network;
use semblance_ledger::embedded::verify::Report;
use semblance_ledger::fabric::{FabricLedger, FabricSettings};
use semblance_ledger::identity::Identity;
use semblance_ledger::suite::{Factory, LedgerUnderTest, Party, Skipped, Told, organisation};
use semblance_ledger::{Call, Committed, Ledger, LedgerError};

use crate::lifecycle;
use crate::network::Deployed;
use crate::servers::Servers;
use crate::shared::{Settled, Shared};

/// How long a new chaincode's peers may take to find each other.
const GOSSIP: Duration = Duration::from_secs(30);
/// How often that is asked.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// The longest time that a story may wait for by letting it pass.
const WAIT_MAX: u64 = 5_000;

/// Where tests have time and nonces from; no two networks ever have the same nonces.
pub(crate) fn sources() -> (Arc<dyn Clock>, Arc<dyn RandomSource>) {
    static SEEDS: AtomicU32 = AtomicU32::new(0);
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&SEEDS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    (Arc::new(SystemClock), Arc::new(SeededSource::new(seed)))
}

pub(crate) struct FabricFactory {
    deployed: &'static Deployed,
    servers: Arc<Servers>,
    count: AtomicU32,
}

fn chaincode(number: u32) -> String {
    format!("story-{number}")
}

fn settings(deployed: &Deployed, organisation: &OrganisationId, role: Role, chaincode: &str) -> FabricSettings {
    let (clock, random) = sources();
    let settings = deployed.file.settings(organisation, role, clock, random).unwrap();
    FabricSettings { chaincode: chaincode.to_owned(), ..settings }
}

impl FabricFactory {
    pub(crate) async fn start(deployed: &'static Deployed) -> Self {
        let servers = Arc::new(Servers::start(&deployed.file).await);
        Self { deployed, servers, count: AtomicU32::new(0) }
    }

    pub(crate) fn deployed(&self) -> &'static Deployed {
        self.deployed
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The chaincode of the story that started last.
    pub(crate) fn newest_chaincode(&self) -> String {
        chaincode(self.count.load(Ordering::Relaxed) - 1)
    }

    /// What a member needs to speak to that chaincode.
    pub(crate) fn settings(&self, organisation: &OrganisationId, role: Role) -> FabricSettings {
        settings(self.deployed, organisation, role, &self.newest_chaincode())
    }

    /// That chaincode as a member sees it by its own peers, whatever the others have been told.
    pub(crate) fn ledger(&self, organisation: &OrganisationId, role: Role) -> Arc<FabricLedger> {
        Arc::new(FabricLedger::open(self.settings(organisation, role)).unwrap())
    }

    /// The same by a member's name, as its node.
    pub(crate) fn node(&self, name: &str) -> Arc<FabricLedger> {
        self.ledger(&organisation(name), Role::Node)
    }
}

#[async_trait]
impl Factory for FabricFactory {
    async fn start(&self, contract: Arc<dyn Contract>, parties: &mut [Party]) -> Box<dyn LedgerUnderTest> {
        // The story before may have left peers down.
        self.deployed.run("start", &[]);
        self.deployed.run("ready", &[]);
        let chaincode = chaincode(self.count.fetch_add(1, Ordering::Relaxed));
        for party in parties.iter() {
            self.servers.registry(&party.id).set(&chaincode, contract.clone());
        }
        lifecycle::define(&self.deployed.file, &chaincode, parties).await.expect("the chaincode is defined");
        let members = parties.iter().map(|party| party.id.clone()).collect();
        let settled = Arc::default();
        let (deployed, servers) = (self.deployed, self.servers.clone());
        Box::new(Fabric { deployed, servers, chaincode, contract, members, settled })
    }
}

struct Fabric {
    deployed: &'static Deployed,
    servers: Arc<Servers>,
    chaincode: String,
    contract: Arc<dyn Contract>,
    members: Vec<OrganisationId>,
    settled: Arc<Settled>,
}

impl Fabric {
    fn ledger(&self, organisation: &OrganisationId, role: Role) -> FabricLedger {
        FabricLedger::open(settings(self.deployed, organisation, role, &self.chaincode)).unwrap()
    }

    fn shared(&self, organisation: &OrganisationId, role: Role) -> Arc<dyn Ledger> {
        let everyone = self.members.iter().map(|member| self.ledger(member, Role::Node)).collect();
        Arc::new(Shared { own: self.ledger(organisation, role), everyone, settled: self.settled.clone() })
    }

    /// Waits until each member's peer knows that it can have each other one endorse that is up.
    async fn wait_for_endorsers(&self) {
        let deadline = Instant::now() + GOSSIP;
        let mut up = Vec::new();
        for member in &self.members {
            if self.ledger(member, Role::Node).height().await.is_ok() {
                up.push(member);
            }
        }
        for member in &up {
            let network = self.ledger(member, Role::Node).networks().remove(0);
            for other in &up {
                while !self.endorses(&network, other).await {
                    assert!(Instant::now() < deadline, "{member} does not find {other}");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    /// Whether a peer has another member endorse. Reads something, with either contract, and is never submitted.
    async fn endorses(&self, network: &Network, other: &OrganisationId) -> bool {
        let contract = network.contract(&self.chaincode);
        for (function, argument) in [("get", b"key".to_vec()), ("network", Empty.encode())] {
            let proposal = contract.proposal(function).arguments([argument]).organisations([other.to_string()]);
            if proposal.build().unwrap().endorse().await.is_ok() {
                return true;
            }
        }
        false
    }

    fn process(&self, action: &str, organisation: &OrganisationId) {
        for peer in &self.deployed.file.organisation(organisation).unwrap().peers {
            self.deployed.run("process", &[action, &peer.name]);
        }
    }
}

#[async_trait]
impl LedgerUnderTest for Fabric {
    fn handle(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.shared(&identity.organisation, identity.role)
    }

    async fn genesis(&self, identity: Identity, call: Call) -> Result<Committed, LedgerError> {
        let ledger = self.ledger(&identity.organisation, identity.role);
        let deadline = Instant::now() + GOSSIP;
        let committed = loop {
            match ledger.submit(call.clone()).await {
                Err(LedgerError::Unavailable(_)) if Instant::now() < deadline => tokio::time::sleep(ASK_AGAIN).await,
                outcome => break outcome?,
            }
        };
        self.wait_for_endorsers().await;
        Ok(committed)
    }

    fn administrator(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.handle(identity)
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn advance(&self, millis: u64) -> Told {
        if millis > WAIT_MAX {
            return Err(Skipped("the clock of this ledger goes by itself, and so much time does not pass in a test"));
        }
        let until = SystemClock.now().plus(millis);
        while SystemClock.now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn takes_members_signatures(&self) -> Told {
        Err(Skipped("on Fabric certificates sign transactions, not the members' keys"))
    }

    fn alter(&self, organisation: &OrganisationId, contract: Option<Arc<dyn Contract>>) -> Told {
        self.servers.registry(organisation).alter(&self.chaincode, contract);
        Ok(())
    }

    async fn set_down(&self, organisation: &OrganisationId, down: bool) -> Told {
        self.process(if down { "stop" } else { "start" }, organisation);
        if !down {
            self.deployed.run("ready", &[]);
            self.wait_for_endorsers().await;
        }
        Ok(())
    }

    async fn verify(&self) -> Result<Report, Skipped> {
        // The story may have left some of the peers down.
        for member in self.members.iter().rev() {
            match self.ledger(member, Role::Node).verify(self.contract.as_ref(), &mut |_| ()).await {
                Err(LedgerError::Unavailable(_)) => {}
                report => return Ok(report.expect("a peer delivers the history")),
            }
        }
        panic!("no peer delivers the history");
    }

    async fn restart(&mut self) -> Told {
        self.deployed.run("down", &[]);
        self.deployed.run("up", &[]);
        self.wait_for_endorsers().await;
        Ok(())
    }
}
