//! What a matcher keeps to whatever its ledger, its files and its askers do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod files;
mod lag;
mod missing;
mod own_case;
mod retry;
mod wire;

use std::sync::Arc;

use semblance_core::answer::Answer;
use semblance_core::organisation::Role;
use semblance_core::signature::Statement;
use semblance_ledger::client::LedgerClient;
use semblance_matcher::budget::BudgetLimits;
use semblance_matcher::{Answered, IncomingSearch};
use semblance_tests::between::Between;
use semblance_tests::network::{NETWORK, TestNetwork};
use semblance_tests::world::World;

/// Hospital north with the case `asker`, south with `patient` and `other`, all with the same symptoms, and a matcher
/// whose ledger the test can hold up. North has asked once.
async fn world(seed: u64) -> (World, Arc<Between>) {
    let mut world = World::of(2, seed).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone())]).await;
    world.admit("south", &[("patient", symptoms.clone()), ("other", symptoms)]).await;
    world.settle().await;
    world.look_up("north", "asker").await.unwrap();
    world.settle().await;
    let between = Between::of(&world.network);
    world.stop_matcher("matcher").await;
    world.start_matcher_on("matcher", between.clone(), BudgetLimits::default()).await;
    (world, between)
}

fn copy(search: &IncomingSearch) -> IncomingSearch {
    IncomingSearch { request: search.request.clone(), query: search.query.clone(), query_salt: search.query_salt }
}

/// How many cases an answer names.
fn found(answered: &Answered) -> usize {
    Answer::decode(&answered.answer, NETWORK).unwrap().matches.len()
}

/// The ledger as its matcher sees it.
fn client(network: &TestNetwork) -> LedgerClient {
    LedgerClient::new(network.handle(&network.matcher().id, Role::Node))
}
