//! The channels of a hospital's node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use semblance_channels::node::{Authority, AuthorityError, ChannelService, LedgerFacts, Part, Parts};
use semblance_channels::office::Office;
use semblance_channels::relay::{Connections, RelayClient};
use semblance_channels::wire::{Charter, Facts, Opening};
use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafRevocation, PersonRole};
use semblance_core::channel::ChannelKind;
use semblance_core::id::{ChannelId, ConsentId, OrganisationId};
use semblance_core::organisation::Role;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_hospital::{ChannelPart, HospitalService};
use semblance_ledger::Ledger;
use semblance_ledger::client::LedgerClient;
use semblance_web::Tls;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bind;
use crate::party::Party;

/// How often the hospital is asked which channels it opened.
const TICK: Duration = Duration::from_secs(1);

/// Channels that run.
pub(super) struct RunningChannels {
    pub(super) service: ChannelService,
    /// Where people's devices reach it.
    pub(super) address: SocketAddr,
    /// The channels of which this node is the hub, as far as it has taken them up.
    hubs: watch::Receiver<BTreeSet<ChannelId>>,
    tasks: Vec<JoinHandle<()>>,
}

impl RunningChannels {
    /// Waits until this node serves a channel as its hub.
    ///
    /// # Errors
    /// The node stops before.
    pub(super) async fn serves(&self, channel: ChannelId) -> anyhow::Result<()> {
        let mut hubs = self.hubs.clone();
        hubs.wait_for(|hubs| hubs.contains(&channel)).await.context("the node stopped before it was the hub")?;
        Ok(())
    }

    pub(super) async fn ended(self) {
        for task in self.tasks {
            // A task that failed has said so; the node stops either way.
            let _ = task.await;
        }
    }
}

/// Starts the channels of a hospital, if its configuration says where devices reach it.
pub(super) async fn start(
    party: &Party,
    ledger: Arc<dyn Ledger>,
    hospital: &HospitalService,
    stop: &CancellationToken,
) -> anyhow::Result<Option<RunningChannels>> {
    let Some(section) = &party.config.content().channels else { return Ok(None) };
    let folder = party.config.data().join("hospital");
    crate::folder::make(&folder)?;
    let (clock, random) = (party.system.clock(), party.system.random());
    let office = Office::open(&folder.join("channels.sqlite"), party.network(), party.organisation.clone(), random)?;
    let office = Arc::new(Mutex::new(office));
    let client = LedgerClient::new(ledger);
    let authority = HospitalAuthority {
        hospital: hospital.clone(),
        facts: LedgerFacts::new(client.clone(), party.network(), Arc::clone(&office), Arc::clone(&clock)),
        signing: party.signing.clone(),
    };
    let peers = Arc::new(RelayClient::new(connections(party)?));
    let service = ChannelService::open(Parts { office, authority: Arc::new(authority), peers, clock });
    let listener = bind(section.address).await?;
    let address = listener.local_addr().context("the listener for devices has no address")?;
    let tls = section.read(party.config.folder())?;
    let routes = semblance_web::channels::routes(service.clone());
    let (web_stop, follow_stop, take_stop, run_stop) = (stop.clone(), stop.clone(), stop.clone(), stop.clone());
    let (taken, hubs) = watch::channel(BTreeSet::new());
    let (following, taking, running, hospital) = (service.clone(), service.clone(), service.clone(), hospital.clone());
    let tasks = vec![
        tokio::spawn(async move {
            let tls = tls.as_ref().map(|files| Tls { certificate: &files.certificate, key: &files.key });
            if let Err(error) = semblance_web::serve(listener, tls, routes, web_stop).await {
                tracing::error!(%error, "devices are not served any more");
            }
        }),
        tokio::spawn(async move {
            tokio::select! {
                () = following.follow(client) => {}
                () = follow_stop.cancelled() => {}
            }
        }),
        tokio::spawn(async move {
            tokio::select! {
                () = take_up(&taking, &hospital, &taken) => {}
                () = take_stop.cancelled() => {}
            }
        }),
        tokio::spawn(async move { running.run(run_stop.cancelled()).await }),
    ];
    Ok(Some(RunningChannels { service, address, hubs, tasks }))
}

/// Connections to the other hospitals' nodes.
fn connections(party: &Party) -> anyhow::Result<Connections> {
    let (files, _) = party.credentials(Role::Node)?;
    let mut connections = BTreeMap::new();
    for hospital in &party.config.content().hospitals {
        let organisation = OrganisationId::new(&hospital.organisation)?;
        if organisation != party.organisation {
            let connection = party.trust.channel(&files, &organisation, &hospital.address)?;
            connections.insert(organisation, connection);
        }
    }
    Ok(connections)
}

/// Takes up the channels that the hospital opens, for ever.
async fn take_up(channels: &ChannelService, hospital: &HospitalService, taken: &watch::Sender<BTreeSet<ChannelId>>) {
    loop {
        match hospital.own_hubs().await {
            Ok(opened) => {
                for (charter, seed) in opened {
                    let id = charter.channel;
                    if taken.borrow().contains(&id) {
                        continue;
                    }
                    match channels.take_up(wire(charter), seed).await {
                        Ok(_) => _ = taken.send_if_modified(|hubs| hubs.insert(id)),
                        Err(refusal) => tracing::warn!(channel = %id, code = refusal.word(), "a channel waits"),
                    }
                }
            }
            Err(error) => tracing::warn!(code = error.code(), "the hospital cannot say which channels it opened"),
        }
        tokio::time::sleep(TICK).await;
    }
}

/// A charter of the hospital's, as channels carry it.
fn wire(charter: semblance_hospital::Charter) -> Charter {
    let opening = match charter.kind {
        ChannelKind::Group => Opening::Group(charter.opening),
        ChannelKind::Match | ChannelKind::Patients => Opening::Channel(charter.opening),
    };
    Charter { opening, consents: charter.consents }
}

/// The hospital behind its channels.
struct HospitalAuthority {
    hospital: HospitalService,
    facts: LedgerFacts,
    signing: SigningKey,
}

#[async_trait]
impl Authority for HospitalAuthority {
    async fn facts(&self, consents: &BTreeSet<ConsentId>) -> Result<Facts, AuthorityError> {
        self.facts.facts(consents).await
    }

    async fn parts(&self, person: &str, role: PersonRole) -> Result<Vec<Part>, AuthorityError> {
        let parts = match role {
            PersonRole::Clinician => self.hospital.clinicians_channels(person).await,
            PersonRole::Patient => self.hospital.patients_channels(person).await,
        };
        let parts = parts.map_err(|error| AuthorityError(error.code().to_owned()))?;
        let part = |part: ChannelPart| Part { charter: wire(part.charter), consent: part.consent, about: part.about };
        Ok(parts.into_iter().map(part).collect())
    }

    fn attest(&self, leaf: LeafAttestation) -> SignedBytes {
        leaf.sign(&self.signing).into_parts().1
    }

    async fn pledge(&self, pledge: LeafPledge) -> Result<Option<SignedBytes>, AuthorityError> {
        self.hospital.pledge(pledge).await.map_err(|error| AuthorityError(error.code().to_owned()))
    }

    fn revoke(&self, revocation: LeafRevocation) -> SignedBytes {
        revocation.sign(&self.signing).into_parts().1
    }
}
