//! The only wiring: from a party to a running node.

mod channels;
mod hospital;
mod ledger;
mod matcher;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use semblance_channels::node::ChannelService;
use semblance_channels::relay::{ChannelAdminService, RelayService};
use semblance_core::id::ChannelId;
use semblance_core::organisation::Role;
use semblance_hospital::HospitalService;
use semblance_hospital::rpc::HospitalRpc;
use semblance_ledger::Ledger;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::embedded::{EmbeddedLedger, LedgerService};
use semblance_ledger::listen::MemberRoots;
use semblance_matcher::{Matcher, MatcherService};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::channels::RunningChannels;
use crate::administer::holds;
use crate::config::LedgerKind;
use crate::failure::{Failure, Kind};
use crate::folder;
use crate::party::Party;
use crate::server::{Door, Server};

/// A node that serves.
pub(crate) struct Node {
    organisation: String,
    server: Server,
    ledger: Option<EmbeddedLedger>,
    matcher: Option<Matcher>,
    hospital: Option<RunningHospital>,
    channels: Option<RunningChannels>,
    stop: CancellationToken,
}

/// A hospital with what it does by itself: follow the ledger, empty its outbox.
struct RunningHospital {
    service: HospitalService,
    task: JoinHandle<()>,
}

/// What a node says when it is ready.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ready {
    /// Its organisation.
    pub(crate) organisation: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it listens for people's devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) devices: Option<SocketAddr>,
    /// What it does.
    pub(crate) roles: Vec<&'static str>,
}

/// Takes a node's address.
///
/// # Errors
/// It is taken, or not this machine's.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Kind::Failed, format!("cannot listen at {address}: {error}"))
            .hint("stop what uses the port, or set another one in listen.address")
            .into()
    })
}

impl Node {
    /// Starts everything that a party's configuration asks for.
    ///
    /// # Errors
    /// A part cannot start.
    pub(crate) async fn start(party: &Party, listener: TcpListener) -> anyhow::Result<Self> {
        let content = party.config.content();
        folder::make(&party.config.data())?;
        let ledger = if content.ledger.is_embedded() { Some(ledger::open(party).await?) } else { None };
        if let Some(ledger) = &ledger {
            party.take_members(ledger.handle(party.reader())).await?;
        }
        party.check(Role::Node)?;
        let (own, identity) = party.credentials(Role::Node)?;
        let handle: Arc<dyn Ledger> = match &ledger {
            Some(ledger) => ledger.handle(identity),
            None => party.ledger(Role::Node)?,
        };
        if party.kind() == LedgerKind::Fabric {
            refuse_another_network(party, handle.clone()).await?;
        }
        let stop = CancellationToken::new();
        tokio::spawn(party.members.clone().follow(LedgerClient::new(handle.clone()), stop.clone()));
        let roots: Arc<dyn MemberRoots> = match &ledger {
            Some(ledger) => Arc::new(ledger.clone()),
            None => party.members.clone(),
        };
        let matcher = if content.roles.matcher { Some(matcher::start(party, handle.clone()).await?) } else { None };
        let hospital = if content.roles.hospital { Some(hospital::open(party, handle.clone())?) } else { None };
        let channels = match &hospital {
            Some(hospital) => channels::start(party, handle, hospital, &stop).await?,
            None => None,
        };
        let root = party.members.root(&party.organisation);
        let (member_roots, clock) = (roots.clone(), party.system.clock());
        let door = Door { own: &own, roots, clock: party.system.clock() };
        let server = Server::start(listener, door, |routes| {
            if let Some(ledger) = &ledger {
                routes.add_service(LedgerService::server(ledger.clone()));
            }
            if let Some(matcher) = &matcher {
                routes.add_service(MatcherService::server(matcher.search()));
            }
            if let Some(hospital) = &hospital {
                routes.add_service(HospitalRpc::server(hospital.clone(), root));
            }
            if let Some(channels) = &channels {
                let (service, roots, clock) = (&channels.service, &member_roots, &clock);
                routes.add_service(RelayService::server(service.clone(), roots.clone(), clock.clone()));
                routes.add_service(ChannelAdminService::server(service.clone(), roots.clone(), clock.clone()));
            }
        })?;
        let hospital = hospital.map(|service| RunningHospital::start(service, stop.clone()));
        let organisation = party.organisation.to_string();
        Ok(Self { organisation, server, ledger, matcher, hospital, channels, stop })
    }

    /// What to say when it is ready.
    pub(crate) fn ready(&self) -> Ready {
        let parts = [
            ("ledger", self.ledger.is_some()),
            ("matcher", self.matcher.is_some()),
            ("hospital", self.hospital.is_some()),
            ("channels", self.channels.is_some()),
        ];
        let roles = parts.into_iter().filter_map(|(role, there)| there.then_some(role)).collect();
        let devices = self.channels.as_ref().map(|channels| channels.address);
        Ready { organisation: self.organisation.clone(), address: self.server.address(), devices, roles }
    }

    /// The hospital's use cases, in a node that has the role.
    pub(crate) fn hospital(&self) -> Option<&HospitalService> {
        self.hospital.as_ref().map(|running| &running.service)
    }

    /// The channels, in a node that serves people's devices.
    pub(crate) fn channels(&self) -> Option<&ChannelService> {
        self.channels.as_ref().map(|running| &running.service)
    }

    /// Waits until this node serves a channel as its hub.
    ///
    /// # Errors
    /// It has no channels, or stops before.
    pub(crate) async fn serves(&self, channel: ChannelId) -> anyhow::Result<()> {
        self.channels.as_ref().context("the node has no channels")?.serves(channel).await
    }

    /// The matcher, in a node that has the role.
    pub(crate) fn matcher(&self) -> Option<&Matcher> {
        self.matcher.as_ref()
    }

    /// The ledger, in a node that holds it.
    pub(crate) fn ledger(&self) -> Option<&EmbeddedLedger> {
        self.ledger.as_ref()
    }

    /// Waits for a part to end by itself, which it does only with a failure.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match &mut self.matcher {
            Some(matcher) => matcher.failed().await.into(),
            None => std::future::pending().await,
        }
    }

    /// Accepts nothing more, finishes what was accepted, and gives the files back.
    pub(crate) async fn stop(self) {
        self.server.refuse().await;
        self.stop.cancel();
        if let Some(RunningHospital { task, .. }) = self.hospital
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the hospital's task failed");
        }
        if let Some(channels) = self.channels {
            channels.ended().await;
        }
        if let Some(matcher) = self.matcher
            && let Err(error) = matcher.stop().await
        {
            tracing::warn!(%error, "the matcher's index was not committed; it is read again at the next start");
        }
        if let Some(ledger) = &self.ledger {
            ledger.stop();
        }
        self.server.drain().await;
    }
}

/// A channel may hold another network, or none yet. While it cannot be reached nothing is known against it.
async fn refuse_another_network(party: &Party, ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
    match holds(&LedgerClient::new(ledger), party.network()).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let what = "the network is not founded on its Fabric channel yet";
            Err(Failure::usage(what).hint("once, from any one member: semblance found --config FILE").into())
        }
        Err(error) if error.downcast_ref::<Failure>().is_some_and(|failure| failure.kind() == Kind::Unreachable) => {
            tracing::warn!(error = format!("{error:#}"), "the ledger does not answer yet");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

impl RunningHospital {
    fn start(service: HospitalService, stop: CancellationToken) -> Self {
        let running = service.clone();
        let task = tokio::spawn(async move { running.run(stop.cancelled()).await });
        Self { service, task }
    }
}
