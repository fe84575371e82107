//! The parties of a demo, each a node of its own: three hospitals and a matcher that also holds the ledger, or the
//! organisations of a Fabric network.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Genesis, OrganisationKind, Role};
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::HospitalService;
use semblance_ledger::client::LedgerClient;

use super::story;
use crate::administer::{Administrator, holds};
use crate::assemble::{Node, bind};
use crate::command::init::members_of;
use crate::config::{Config, LedgerKind};
use crate::network::{GENESIS_FILE, NODE_FILE, NetworkPlan, NewNetwork, read_genesis};
use crate::party::Party;
use crate::system::System;

/// The hospitals' names.
const HOSPITALS: [&str; 3] = ["hospital-north", "hospital-south", "hospital-west"];
/// The matcher's name.
const MATCHER: &str = "matcher";
/// Where the nodes of a written demo network would listen when they are served one by one.
const PORT: u16 = 7000;

/// A running party.
pub(super) struct Running {
    pub(super) party: Party,
    pub(super) node: Node,
}

/// All running parties.
pub(super) struct Parties {
    pub(super) genesis: Genesis,
    /// At least one; the hospitals ask the first.
    pub(super) matchers: Vec<Running>,
    pub(super) hospitals: Vec<Running>,
}

impl Parties {
    /// Takes up the network in a folder, or draws a new one; starts its nodes on free ports of this machine.
    pub(super) async fn start(folder: &Path, fabric: Option<&Path>, system: &System) -> anyhow::Result<Self> {
        let genesis_file = folder.join(GENESIS_FILE);
        if !genesis_file.exists() {
            NewNetwork::draw(plan(fabric)?, system.clock().as_ref(), system.random().as_ref())?.write(folder)?;
        }
        let genesis = read_genesis(&genesis_file)?;
        let mut members: Vec<_> = genesis.organisations().iter().collect();
        // The ledger's holder first: the others follow it.
        members.sort_by_key(|member| member.kind != OrganisationKind::Matcher);
        let mut listeners = Vec::new();
        let mut addresses = BTreeMap::new();
        for member in members {
            let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
            addresses.insert(member.id.clone(), listener.local_addr()?);
            listeners.push((member, listener));
        }
        let (mut matchers, mut hospitals) = (Vec::new(), Vec::new());
        for (member, listener) in listeners {
            let party = read(folder, &member.id, listener.local_addr()?, &addresses, system)?;
            if matchers.is_empty() && party.kind() == LedgerKind::Fabric {
                found(&party).await?;
            }
            let node = Node::start(&party, listener).await.with_context(|| format!("{} cannot start", member.id))?;
            let running = Running { party, node };
            match member.kind {
                OrganisationKind::Matcher => matchers.push(running),
                OrganisationKind::Hospital => hospitals.push(running),
            }
        }
        Ok(Self { genesis, matchers, hospitals })
    }

    /// The matcher that is asked first.
    pub(super) fn matcher(&self) -> anyhow::Result<&Running> {
        self.matchers.first().context("the network has no matcher")
    }

    /// Opens the first epoch where none is open, as the first hospital's administrator.
    pub(super) async fn open_epoch(&self, vocabulary: &Vocabulary) -> anyhow::Result<()> {
        let party = &self.hospitals.first().context("the network has no hospital")?.party;
        let administrator = Administrator::new(party.ledger(Role::Admin)?, party.network());
        if administrator.epochs().await?.iter().all(|epoch| !epoch.is_open()) {
            administrator.open_epoch(vocabulary, party.system.random().as_ref()).await?;
        }
        Ok(())
    }

    /// What to tell of them.
    pub(super) fn told(&self) -> Vec<story::Party> {
        let tell = |running: &Running, kind: &str| story::Party {
            organisation: running.party.organisation.to_string(),
            kind: kind.to_owned(),
            address: running.node.ready().address.to_string(),
            folder: running.party.config.folder().to_path_buf(),
        };
        let matcher = |running: &Running| match running.party.kind() {
            LedgerKind::Embedded => "matcher, holds the ledger",
            LedgerKind::Remote | LedgerKind::Fabric => "matcher",
        };
        let matchers = self.matchers.iter().map(|running| tell(running, matcher(running)));
        matchers.chain(self.hospitals.iter().map(|hospital| tell(hospital, "hospital"))).collect()
    }

    /// Where everything lies that more than one organisation sees: the matchers' data, and the files of Fabric's peers.
    pub(super) fn shared_files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut folders: Vec<PathBuf> = self.matchers.iter().map(|running| running.party.config.data()).collect();
        let party = &self.matcher()?.party;
        if party.kind() == LedgerKind::Fabric {
            let organisations = party.fabric_network()?.organisations;
            folders.extend(organisations.into_iter().flat_map(|one| one.peers).filter_map(|peer| peer.data));
        }
        Ok(folders)
    }

    /// Which ledger it is.
    pub(super) fn ledger_in_words(&self) -> anyhow::Result<String> {
        let party = &self.matcher()?.party;
        Ok(match party.kind() {
            LedgerKind::Fabric => format!("channel {} of Hyperledger Fabric", party.fabric_network()?.channel),
            LedgerKind::Embedded | LedgerKind::Remote => "embedded".to_owned(),
        })
    }

    /// Stops the hospitals first, then whom they depend on.
    pub(super) async fn stop(self) {
        for running in self.hospitals.into_iter().chain(self.matchers) {
            running.node.stop().await;
        }
    }
}

impl Running {
    /// The hospital's use cases.
    pub(super) fn hospital(&self) -> anyhow::Result<&HospitalService> {
        self.node.hospital().with_context(|| format!("{} is no hospital", self.party.organisation))
    }
}

/// Who takes part in a new network.
fn plan(fabric: Option<&Path>) -> anyhow::Result<NetworkPlan> {
    let id = |name: &str| OrganisationId::new(name);
    Ok(match fabric {
        Some(network) => {
            let network = network.canonicalize().with_context(|| format!("{} is not there", network.display()))?;
            let (hospitals, matchers) = members_of(&network)?;
            NetworkPlan::new("demo", hospitals, matchers, false, &[], PORT)?.on_fabric(network)
        }
        None => {
            let hospitals = HOSPITALS.into_iter().map(id).collect::<Result<_, _>>()?;
            NetworkPlan::new("demo", hospitals, vec![id(MATCHER)?], false, &[], PORT)?
        }
    })
}

fn read(
    folder: &Path,
    id: &OrganisationId,
    own: SocketAddr,
    addresses: &BTreeMap<OrganisationId, SocketAddr>,
    system: &System,
) -> anyhow::Result<Party> {
    let mut config = Config::read(&folder.join(id.as_str()).join(NODE_FILE))?;
    config.place(own, addresses);
    Party::read(config, system.clone())
}

/// Writes the genesis where the channel has none yet.
async fn found(party: &Party) -> anyhow::Result<()> {
    let ledger = party.ledger(Role::Admin)?;
    let holds = holds(&LedgerClient::new(ledger.clone()), party.network()).await;
    let holds = holds
        .context("this channel cannot take the demo: name its earlier folder with --data, or bring a new network up")?;
    if !holds {
        Administrator::new(ledger, party.network()).found(&party.genesis).await?;
    }
    Ok(())
}
