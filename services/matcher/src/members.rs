//! The members of the network with their keys, as the ledger holds them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Organisation, OrganisationKind};

/// The members as of the last block that changed them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Members {
    by_name: Arc<RwLock<BTreeMap<OrganisationId, Organisation>>>,
}

impl Members {
    /// One member.
    #[must_use]
    pub fn get(&self, id: &OrganisationId) -> Option<Organisation> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// One hospital.
    #[must_use]
    pub fn hospital(&self, id: &OrganisationId) -> Option<Organisation> {
        self.get(id).filter(|member| member.kind == OrganisationKind::Hospital)
    }

    /// Takes the place of what was known.
    pub fn replace(&self, members: Vec<Organisation>) {
        let by_name = members.into_iter().map(|member| (member.id.clone(), member)).collect();
        *self.by_name.write().unwrap_or_else(PoisonError::into_inner) = by_name;
    }
}
