//! The members of the network with their keys, as this matcher believes them.

use std::sync::Arc;

use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::{Organisation, OrganisationKind};
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::members::MemberBook;

/// The members as of the last block that changed them. Cheap to clone.
#[derive(Clone)]
pub struct Members(Arc<MemberBook>);

impl Members {
    /// Begins with the members that are known already: those of the genesis, or what was believed before.
    #[must_use]
    pub fn new(network: NetworkId, known: Vec<Organisation>) -> Self {
        Self(Arc::new(MemberBook::new(network, known)))
    }

    /// One member.
    #[must_use]
    pub fn get(&self, id: &OrganisationId) -> Option<Organisation> {
        self.0.get(id)
    }

    /// One hospital.
    #[must_use]
    pub fn hospital(&self, id: &OrganisationId) -> Option<Organisation> {
        self.get(id).filter(|member| member.kind == OrganisationKind::Hospital)
    }

    /// Takes from the ledger what may be believed of it.
    ///
    /// # Errors
    /// It cannot be reached or refuses; what was known stands.
    pub async fn learn(&self, ledger: &LedgerClient) -> Result<(), LedgerError> {
        self.0.learn(ledger).await.map(drop)
    }
}
