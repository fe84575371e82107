//! The present members' roots, as a node that does not hold the ledger knows them: from the genesis, then from the
//! ledger, asked again and again.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Genesis, Organisation};
use semblance_ledger::client::LedgerClient;
use semblance_ledger::listen::MemberRoots;
use tokio_util::sync::CancellationToken;

/// How often the ledger is asked who is a member.
const REFRESH: Duration = Duration::from_secs(30);

/// Roots by organisation.
pub(crate) struct KnownMembers(RwLock<BTreeMap<OrganisationId, Vec<u8>>>);

impl KnownMembers {
    /// Those of the genesis, for the time until the ledger answers.
    pub(crate) fn of(genesis: &Genesis) -> Self {
        Self(RwLock::new(roots(genesis.organisations())))
    }

    /// Asks the ledger until it is told to stop; while the ledger does not answer, what is known stands.
    pub(crate) async fn follow(self: Arc<Self>, ledger: LedgerClient, stop: CancellationToken) {
        loop {
            match ledger.members().await {
                Ok(members) => *self.0.write().unwrap_or_else(PoisonError::into_inner) = roots(&members),
                Err(error) => tracing::debug!(%error, "the members could not be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(REFRESH) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

impl MemberRoots for KnownMembers {
    fn root(&self, organisation: &OrganisationId) -> Option<Vec<u8>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(organisation).cloned()
    }
}

fn roots(members: &[Organisation]) -> BTreeMap<OrganisationId, Vec<u8>> {
    members.iter().map(|member| (member.id.clone(), member.tls_root.der().to_vec())).collect()
}
