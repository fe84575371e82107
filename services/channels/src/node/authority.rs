//! What channels need of the hospital they belong to.

use std::collections::BTreeSet;

use async_trait::async_trait;
use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafRevocation, PersonRole};
use semblance_core::id::ConsentId;
use semblance_core::signature::SignedBytes;

use crate::wire::{Charter, Facts};

/// The hospital could not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthorityError(pub String);

/// A channel that the hospital offers to one of its people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub charter: Charter,
    /// The consent that the person's part rests on.
    pub consent: ConsentId,
    /// What the hospital says about it, for this person alone.
    pub about: String,
}

/// The hospital behind the channels: it knows who may take part, signs for its people, and reads the ledger.
#[async_trait]
pub trait Authority: Send + Sync {
    /// What the ledger says about all hospitals and about these consents. Consents that the ledger does not know are
    /// left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    async fn facts(&self, consents: &BTreeSet<ConsentId>) -> Result<Facts, AuthorityError>;

    /// The channels that a person may take part in: because both sides agreed to an introduction, or because a group
    /// is offered. A person's consent that has ended offers nothing.
    ///
    /// # Errors
    /// The hospital cannot say.
    async fn parts(&self, person: &str, role: PersonRole) -> Result<Vec<Part>, AuthorityError>;

    /// Signs for a leaf of one of its people.
    fn attest(&self, leaf: LeafAttestation) -> SignedBytes;

    /// Signs for a leaf as the consent key, where the hospital keeps it for the patient; none where the patient's own
    /// device has to.
    ///
    /// # Errors
    /// The hospital cannot say.
    async fn pledge(&self, pledge: LeafPledge) -> Result<Option<SignedBytes>, AuthorityError>;

    /// Signs that a leaf takes no further part.
    fn revoke(&self, revocation: LeafRevocation) -> SignedBytes;
}
