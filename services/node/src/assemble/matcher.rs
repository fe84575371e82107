//! The matcher of a node.

use std::sync::Arc;
use std::time::Duration;

use semblance_ledger::client::LedgerClient;
use semblance_ledger::{Ledger, LedgerError};
use semblance_matcher::budget::BudgetLimits;
use semblance_matcher::{Matcher, MatcherConfig, MatcherError};

use crate::administer::failure;
use crate::party::Party;

/// Pause before a ledger that cannot be reached is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Starts the matcher; waits for a ledger that is not there yet.
pub(super) async fn start(party: &Party, ledger: Arc<dyn Ledger>) -> anyhow::Result<Matcher> {
    loop {
        let config = MatcherConfig {
            folder: party.config.data().join("matcher"),
            budgets: BudgetLimits::default(),
            members: party.members.all(),
        };
        let client = LedgerClient::new(ledger.clone());
        let (clock, random) = (party.system.clock(), party.system.random());
        match Matcher::start(config, party.network(), client, clock, random).await {
            Ok(matcher) => return Ok(matcher),
            Err(MatcherError::Ledger(LedgerError::Unavailable(reason))) => {
                tracing::warn!(reason, "waiting for the ledger");
                tokio::time::sleep(RETRY).await;
            }
            Err(MatcherError::Ledger(error)) => return Err(failure(error).into()),
            Err(error) => return Err(error.into()),
        }
    }
}
