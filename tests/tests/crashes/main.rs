//! Processes are killed in the middle of their writes: nothing acknowledged is lost, nothing half-done shows, and they
//! are ready again at once. `SEMBLANCE_CRASH_ROUNDS` runs any number of rounds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod import;
mod index;
mod ledger;
mod matcher;
mod publication;

use std::path::Path;
use std::time::Duration;

/// How soon a killed process's files must serve again, with ten thousand cases inside.
const READY: Duration = Duration::from_secs(2);

fn writer() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_crash_writer"))
}

/// Unoptimised builds are not held to it.
#[expect(clippy::print_stderr, reason = "the figure is what the slow suite is run for")]
fn check_ready(what: &str, slowest: Duration) {
    eprintln!("{what}: ready again after {} ms at most", slowest.as_millis());
    assert!(slowest <= READY || cfg!(debug_assertions), "{what}: ready again after {slowest:?}");
}
