//! The other hospitals' nodes.

use async_trait::async_trait;
use semblance_core::id::OrganisationId;

use crate::wire::{Answer, HubCall, Refusal};

/// Calls other hospitals' nodes.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Calls a hospital's node. The same call again does no harm.
    ///
    /// # Errors
    /// It refuses, or cannot be reached ([`Refusal::HubAway`]).
    async fn call(&self, hospital: &OrganisationId, call: HubCall) -> Result<Answer, Refusal>;
}
