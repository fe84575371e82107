//! Publishes, withdraws and purges cases on an embedded ledger.

use std::path::Path;
use std::sync::Arc;

use semblance_core::id::OrganisationId;
use semblance_core::random::RandomSource;

use super::say;
use crate::case::TestCase;
use crate::network::{START, TestNetwork, members};

/// Hospitals and matchers of the ledger that is written.
pub const HOSPITALS: usize = 2;
/// Writers at a time for each hospital, so that blocks hold several transactions.
const WRITERS: usize = 2;

/// Writes until it is killed. Says `try` and handles before a batch is published, `published` after; `withdrawn` and
/// `purged` after each.
pub async fn write(path: &Path, seed: u64) {
    write_on(TestNetwork::open(path, members(HOSPITALS, 1), START, seed).unwrap()).await;
}

/// Says `ready`, then writes to a network's ledger until it is killed.
pub(super) async fn write_on(network: TestNetwork) {
    let network = Arc::new(network);
    say("ready");
    let hospitals: Vec<OrganisationId> = network.hospitals().map(|hospital| hospital.id.clone()).collect();
    let mut writers = tokio::task::JoinSet::new();
    for hospital in hospitals.into_iter().flat_map(|hospital| std::iter::repeat_n(hospital, WRITERS)) {
        writers.spawn(write_cases(Arc::clone(&network), hospital));
    }
    writers.join_all().await;
}

async fn write_cases(network: Arc<TestNetwork>, hospital: OrganisationId) {
    loop {
        let [count, leaving] = (network.random.as_ref() as &dyn RandomSource).array::<2>();
        let count = usize::from(count % 12) + 1;
        let cases: Vec<TestCase> = (0..count).map(|_| TestCase::draw(&network, &hospital)).collect();
        let handles: Vec<String> = cases.iter().map(|case| case.handle.to_string()).collect();
        let handles = handles.join(" ");
        network.consent(&cases).await.unwrap();
        say(&format!("try {handles}"));
        network.publish(&cases).await.unwrap();
        say(&format!("published {handles}"));
        if leaving % 2 == 0 {
            network.withdraw(&hospital, &cases[0]).await.unwrap();
            say(&format!("withdrawn {}", cases[0].handle));
            network.purge(&cases[0]).await.unwrap();
            say(&format!("purged {}", cases[0].handle));
        }
    }
}
