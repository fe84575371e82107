//! The parties of a demo: three hospitals and a matcher that also holds the ledger, each a node of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Genesis, OrganisationKind, Role};
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::HospitalService;
use tokio::net::TcpListener;

use super::story;
use crate::administer::Administrator;
use crate::assemble::{Node, bind};
use crate::config::Config;
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
    pub(super) matcher: Running,
    pub(super) hospitals: Vec<Running>,
}

impl Parties {
    /// Takes up the network in a folder, or draws a new one; starts its nodes on free ports of this machine.
    pub(super) async fn start(folder: &Path, system: &System) -> anyhow::Result<Self> {
        let genesis_file = folder.join(GENESIS_FILE);
        if !genesis_file.exists() {
            let id = |name: &str| OrganisationId::new(name);
            let hospitals = HOSPITALS.into_iter().map(id).collect::<Result<_, _>>()?;
            let plan = NetworkPlan::new("demo", hospitals, vec![id(MATCHER)?], false, &[], PORT)?;
            NewNetwork::draw(plan, system.clock().as_ref(), system.random().as_ref())?.write(folder)?;
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
        let mut running = Vec::new();
        for (member, listener) in listeners {
            running.push(start(folder, &member.id, listener, &addresses, system).await?);
        }
        let hospitals = running.split_off(1);
        let matcher = running.pop().context("the network has no matcher")?;
        Ok(Self { genesis, matcher, hospitals })
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
        let mut told = vec![tell(&self.matcher, "matcher, holds the ledger")];
        told.extend(self.hospitals.iter().map(|hospital| tell(hospital, "hospital")));
        told
    }

    /// Stops the hospitals first, then whom they depend on.
    pub(super) async fn stop(self) {
        for hospital in self.hospitals {
            hospital.node.stop().await;
        }
        self.matcher.node.stop().await;
    }
}

impl Running {
    /// The hospital's use cases.
    pub(super) fn hospital(&self) -> anyhow::Result<&HospitalService> {
        self.node.hospital().with_context(|| format!("{} is no hospital", self.party.organisation))
    }
}

async fn start(
    folder: &Path,
    id: &OrganisationId,
    listener: TcpListener,
    addresses: &BTreeMap<OrganisationId, SocketAddr>,
    system: &System,
) -> anyhow::Result<Running> {
    let mut config = Config::read(&folder.join(id.as_str()).join(NODE_FILE))?;
    config.place(listener.local_addr()?, addresses);
    let party = Party::read(config, system.clone())?;
    let node = Node::start(&party, listener).await.with_context(|| format!("{id} cannot start"))?;
    Ok(Running { party, node })
}
