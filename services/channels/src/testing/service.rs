//! A hospital's service, alone: devices, tokens and queues, but no channel that anybody could join.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafRevocation, PersonRole};
use semblance_core::id::{ConsentId, OrganisationId};
use semblance_core::random::SeededSource;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::Clock;

use super::{NETWORK, organisation};
use crate::driver::Line;
use crate::limits::ITEMS_MAX;
use crate::node::{Authority, AuthorityError, ChannelService, Part, Parts, Peers};
use crate::office::{Device, Office};
use crate::wire::{Answer, DeviceCall, Facts, HubCall, Item, Refusal};

/// The service of a hospital whose people take part nowhere and which reaches no other, and its office.
#[must_use]
pub fn service(clock: Arc<dyn Clock>) -> (ChannelService, Arc<Mutex<Office>>) {
    let random = Arc::new(SeededSource::new([3; 32]));
    let Ok(office) = Office::in_memory(NETWORK, organisation("north"), random) else { panic!("SQLite failed") };
    let authority = Arc::new(Nowhere { signing: SigningKey::from_seed(&[3; 32]), facts: Facts::default() });
    let office = Arc::new(Mutex::new(office));
    let parts = Parts { office: Arc::clone(&office), authority, peers: Arc::new(Nobody), clock };
    (ChannelService::open(parts), office)
}

/// A hospital that offers its people nothing, and what its ledger says.
pub struct Nowhere {
    /// The hospital's key.
    pub signing: SigningKey,
    /// What the ledger says, for ever.
    pub facts: Facts,
}

#[async_trait]
impl Authority for Nowhere {
    async fn facts(&self, consents: &BTreeSet<ConsentId>) -> Result<Facts, AuthorityError> {
        Ok(self.facts.about(consents))
    }

    async fn parts(&self, _: &str, _: PersonRole) -> Result<Vec<Part>, AuthorityError> {
        Ok(Vec::new())
    }

    fn attest(&self, leaf: LeafAttestation) -> SignedBytes {
        leaf.sign(&self.signing).into_parts().1
    }

    async fn pledge(&self, _: LeafPledge) -> Result<Option<SignedBytes>, AuthorityError> {
        Ok(None)
    }

    fn revoke(&self, revocation: LeafRevocation) -> SignedBytes {
        revocation.sign(&self.signing).into_parts().1
    }
}

struct Nobody;

#[async_trait]
impl Peers for Nobody {
    async fn call(&self, _: &OrganisationId, _: HubCall) -> Result<Answer, Refusal> {
        Err(Refusal::HubAway)
    }
}

/// A device's line to its hospital's service in the same process.
pub struct ServiceLine {
    service: ChannelService,
    device: Device,
}

impl ServiceLine {
    /// Of a device of this hospital.
    #[must_use]
    pub const fn of(service: ChannelService, device: Device) -> Self {
        Self { service, device }
    }
}

impl Line for ServiceLine {
    async fn call(&mut self, call: DeviceCall) -> Result<Answer, Refusal> {
        self.service.ask(&self.device, call).await
    }

    async fn listen(&mut self, after: u64, _wait: bool) -> Result<Vec<(u64, Item)>, Refusal> {
        let queued = self.service.queue(&self.device, after, ITEMS_MAX).await?;
        Ok(queued.into_iter().map(|one| (one.position, one.item)).collect())
    }
}
