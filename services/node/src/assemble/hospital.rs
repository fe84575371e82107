//! The hospital of a node.

use std::sync::Arc;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::Role;
use semblance_hospital::matcher::{MatcherPort, RemoteMatcher};
use semblance_hospital::store::Store;
use semblance_hospital::{HospitalService, Parts};
use semblance_keys::EpochKeySeeds;
use semblance_ledger::Ledger;

use crate::party::Party;

/// Opens the hospital's database and connects it with ledger and matchers.
pub(super) fn open(party: &Party, ledger: Arc<dyn Ledger>) -> anyhow::Result<HospitalService> {
    let folder = party.config.data().join("hospital");
    crate::folder::make(&folder)?;
    let (files, _) = party.credentials(Role::Node)?;
    let mut matchers: Vec<Arc<dyn MatcherPort>> = Vec::new();
    for matcher in &party.config.content().matchers {
        let organisation = OrganisationId::new(&matcher.organisation)?;
        let channel = party.trust.channel(&files, &organisation, &matcher.address)?;
        matchers.push(Arc::new(RemoteMatcher::new(organisation, channel)));
    }
    let parts = Parts {
        network: party.network(),
        organisation: party.organisation.clone(),
        signing: party.signing.clone(),
        sealing: party.sealing.clone(),
        members: party.members.all(),
        store: Store::open(&folder.join("hospital.sqlite"))?,
        ledger,
        matchers,
        seeds: Arc::new(EpochKeySeeds::new()),
        vocabulary: party.vocabulary()?,
        clock: party.system.clock(),
        random: party.system.random(),
    };
    Ok(HospitalService::open(parts)?)
}
