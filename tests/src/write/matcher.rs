//! Publishes and withdraws cases while a matcher follows, all in one process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use semblance_core::organisation::Role;
use semblance_ledger::Ledger;
use semblance_ledger::client::LedgerClient;
use semblance_matcher::budget::BudgetLimits;
use semblance_matcher::{Matcher, MatcherConfig};

use super::ledger::{HOSPITALS, write_on};
use crate::network::{NETWORK, START, TestNetwork, members};

/// Starts the network's matcher on a folder.
pub async fn start(network: &TestNetwork, folder: &Path) -> Matcher {
    let ledger = network.handle(&network.matcher().id, Role::Node);
    start_on(network, folder, ledger, BudgetLimits::default()).await
}

/// Starts the network's matcher on a folder, with a ledger and budgets of the test's own.
pub async fn start_on(network: &TestNetwork, folder: &Path, ledger: Arc<dyn Ledger>, budgets: BudgetLimits) -> Matcher {
    // The ledger's word is taken: a network that was opened again has other certificates than its genesis.
    let config = MatcherConfig { folder: folder.to_owned(), budgets, members: Vec::new() };
    let ledger = LedgerClient::new(ledger);
    Matcher::start(config, NETWORK, ledger, network.clock.clone(), network.random.clone()).await.unwrap()
}

/// Waits until a matcher has read all that is on the ledger now.
pub async fn caught_up(network: &TestNetwork, matcher: &Matcher) {
    let head = network.ledger.head().unwrap().height - 1;
    let there = |position: &Option<semblance_index::Position>| position.is_some_and(|at| at.block >= head);
    let reached = tokio::time::timeout(Duration::from_secs(300), async {
        matcher.progress().wait_for(there).await.unwrap();
    });
    reached.await.unwrap();
}

/// Writes until it is killed, and says what [`super::ledger::write`] says.
pub async fn write(ledger: &Path, folder: &Path, seed: u64) {
    let network = TestNetwork::open(ledger, members(HOSPITALS, 1), START, seed).unwrap();
    let _matcher = start(&network, folder).await;
    write_on(network).await;
}
