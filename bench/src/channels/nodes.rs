//! Three hospitals' nodes as they run: each with its writer, its carrier, its office on disk, and a listener with mutual
//! TLS, through which alone they reach one another. Devices are led side by side on one thread of the same machine.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context as _;
use futures::StreamExt as _;
use semblance_channels::node::{ChannelService, Parts};
use semblance_channels::relay::{RelayClient, RelayService};
use semblance_channels::testing::{Hospital, Nowhere};
use semblance_channels::wire::Facts;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::Genesis;
use semblance_core::time::{Clock, Timestamp};
use semblance_ledger::listen::MemberRoots;
use semblance_node::config::TlsFiles;
use semblance_node::network::{NetworkPlan, NewNetwork};
use semblance_node::system::{SystemClock, SystemRandom};
use semblance_node::tls::Trust;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::Server;

use super::town::Town;

/// The time at which the town was left, and what has passed since; it can be let pass.
pub(crate) struct TownClock {
    left: Timestamp,
    since: Instant,
    passed: AtomicU64,
}

impl TownClock {
    fn new(left: Timestamp) -> Self {
        Self { left, since: Instant::now(), passed: AtomicU64::new(0) }
    }

    /// Some time passes.
    pub(crate) fn pass(&self, millis: u64) {
        self.passed.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for TownClock {
    fn now(&self) -> Timestamp {
        let since = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.left.plus(since).plus(self.passed.load(Ordering::Relaxed))
    }
}

/// The roots of the members in a genesis.
struct Roots(Genesis);

impl MemberRoots for Roots {
    fn root(&self, organisation: &OrganisationId) -> Option<Vec<u8>> {
        let member = self.0.organisations().iter().find(|member| member.id == *organisation)?;
        Some(member.tls_root.der().to_vec())
    }
}

/// A town's nodes, running.
pub(crate) struct Nodes {
    pub(crate) services: Vec<ChannelService>,
    pub(crate) clock: Arc<TownClock>,
    pub(crate) runtime: Runtime,
    /// Where offices and devices keep what is theirs.
    _folder: TempDir,
}

impl Nodes {
    /// Starts a node for each hospital of a town in which nobody does anything any more.
    pub(crate) fn start(town: Town) -> anyhow::Result<Self> {
        let Town { world, folder, .. } = town;
        let clock = Arc::new(TownClock::new(world.now));
        let runtime = Runtime::new()?;
        let hospitals: Vec<_> = world.hospitals.iter().map(|hospital| hospital.id.clone()).collect();
        let certificates = Certificates::draw(hospitals.clone(), folder.path())?;
        let entered = runtime.enter();
        let (mut listeners, mut addresses) = (Vec::new(), BTreeMap::new());
        for id in &hospitals {
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
            addresses.insert(id.clone(), format!("https://localhost:{}", listener.local_addr()?.port()));
            listeners.push(listener);
        }
        let mut services = Vec::new();
        for (hospital, listener) in world.hospitals.into_iter().zip(listeners) {
            services.push(run(hospital, listener, &world.facts, &addresses, &certificates, clock.clone())?);
        }
        drop(entered);
        Ok(Self { services, clock, runtime, _folder: folder })
    }
}

/// Runs one hospital's node; within a runtime.
fn run(
    hospital: Hospital,
    listener: TcpListener,
    facts: &Facts,
    addresses: &BTreeMap<OrganisationId, String>,
    certificates: &Certificates,
    clock: Arc<TownClock>,
) -> anyhow::Result<ChannelService> {
    let own = certificates.of(&hospital.id)?;
    let others = addresses.iter().filter(|(id, _)| **id != hospital.id);
    let connections = others.map(|(id, address)| Ok((id.clone(), certificates.trust.channel(&own, id, address)?)));
    let service = ChannelService::open(Parts {
        office: Arc::new(Mutex::new(hospital.office)),
        authority: Arc::new(Nowhere { signing: hospital.signing, facts: facts.clone() }),
        peers: Arc::new(RelayClient::new(connections.collect::<anyhow::Result<_>>()?)),
        clock: clock.clone(),
    });
    let roots = certificates.roots.clone();
    let incoming =
        semblance_ledger::listen::members(listener, &own.certificate, &own.key, roots.clone(), clock.clone())?;
    let relay = RelayService::server(service.clone(), roots, clock);
    tokio::spawn(Server::builder().add_service(relay).serve_with_incoming(incoming.boxed()));
    let running = service.clone();
    tokio::spawn(async move { running.run(pending()).await });
    Ok(service)
}

/// The certificates of all nodes, and what they are checked against.
struct Certificates {
    trust: Trust,
    roots: Arc<Roots>,
    files: BTreeMap<OrganisationId, TlsFiles>,
}

impl Certificates {
    /// Draws them as `semblance init` does.
    fn draw(hospitals: Vec<OrganisationId>, folder: &std::path::Path) -> anyhow::Result<Self> {
        let matcher = OrganisationId::new("matcher")?;
        let plan = NetworkPlan::new("bench", hospitals.clone(), vec![matcher], true, &[], 7000)?;
        let network = NewNetwork::draw(plan, &SystemClock, &SystemRandom)?;
        let genesis = network.genesis().clone();
        let root = folder.join("network");
        network.write(&root)?;
        let mut files = BTreeMap::new();
        for hospital in hospitals {
            let own = root.join(hospital.as_str());
            let certificate = std::fs::read_to_string(own.join("node.pem"))?;
            let key = std::fs::read_to_string(own.join("secret").join("node.key"))?.into();
            files.insert(hospital, TlsFiles { certificate, key });
        }
        Ok(Self { trust: Trust::of(&genesis), roots: Arc::new(Roots(genesis)), files })
    }

    fn of(&self, hospital: &OrganisationId) -> anyhow::Result<TlsFiles> {
        self.files.get(hospital).cloned().context("a hospital without a certificate")
    }
}
