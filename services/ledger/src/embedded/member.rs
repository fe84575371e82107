//! The members of the network, as the contract keeps them in the state.

use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Organisation, OrganisationKind};
use semblance_core::record::Record;
use semblance_core::signature::VerifyingKey;

use super::store::StoreError;

/// First key of all members' records.
pub(super) const FIRST: &str = "organisation/";
/// First key behind them.
pub(super) const BEHIND: &str = "organisation0";

/// The key of a member's record.
pub(super) fn key(organisation: &OrganisationId) -> String {
    format!("{FIRST}{organisation}")
}

/// The member whose record stands under a key.
pub(super) fn name(key: &str) -> Result<OrganisationId, StoreError> {
    let name = key.strip_prefix(FIRST).and_then(|name| OrganisationId::new(name).ok());
    name.ok_or_else(|| StoreError::Damaged(format!("the key {key:?} names no member")))
}

/// What the ledger needs to know of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub id: OrganisationId,
    /// What it does.
    pub kind: OrganisationKind,
    /// What its proposals are verified with.
    pub verifying_key: VerifyingKey,
    /// The certificate (DER) that its own certificates are checked against.
    pub tls_root: Vec<u8>,
}

impl Member {
    /// Reads a member's record.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn decode(record: &[u8]) -> Result<Self, semblance_core::encode::DecodeError> {
        let record = Organisation::decode(record)?;
        Ok(Self {
            id: record.id,
            kind: record.kind,
            verifying_key: record.verifying_key,
            tls_root: record.tls_root.der().to_vec(),
        })
    }
}
