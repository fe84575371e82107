//! The suite's stories on a real Fabric network, which this program brings up, and takes down at the end.
//!
//! It needs Fabric's programs: `FABRIC_BIN` and `FABRIC_CFG`, as `deploy/fabric` does. `SEMBLANCE_CONSENSUS` is `raft`
//! (unless it is said otherwise) or `bft`. Arguments choose stories by a part of their names.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lifecycle;
mod network;
mod servers;
mod shared;
mod under_test;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use semblance_ledger::suite::{Factory, stories};

use network::Deployed;
use under_test::FabricFactory;

/// How long one story may take.
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    if std::env::var_os("FABRIC_BIN").is_none() {
        say(
            "SKIPPED the ledger's suite on Fabric: set FABRIC_BIN and FABRIC_CFG to Fabric's programs and sample configuration",
        );
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let consensus = std::env::var("SEMBLANCE_CONSENSUS").unwrap_or_else(|_| "raft".to_owned());
    let deployed: &'static Deployed = Box::leak(Box::new(Deployed::up(&consensus)));
    let outcome = runtime.block_on(tell(deployed, &wanted));
    deployed.down();
    outcome
}

async fn tell(deployed: &'static Deployed, wanted: &[String]) -> ExitCode {
    let factory: &'static FabricFactory = Box::leak(Box::new(FabricFactory::start(deployed).await));
    let (mut told, mut skipped, mut failed) = (0, 0, Vec::new());
    for (name, story) in stories() {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let begun = Instant::now();
        let telling = tokio::spawn(async move { story(factory as &dyn Factory).await });
        let ended = match tokio::time::timeout(PATIENCE, telling).await {
            Ok(Ok(Ok(()))) => {
                told += 1;
                "ok".to_owned()
            }
            Ok(Ok(Err(reason))) => {
                skipped += 1;
                format!("SKIPPED, or the rest of it: {}", reason.0)
            }
            Ok(Err(_)) => {
                failed.push(name);
                "FAILED".to_owned()
            }
            Err(_) => {
                failed.push(name);
                "FAILED: it does not end".to_owned()
            }
        };
        say(&format!("story {name} … {ended} ({:.1} s)", begun.elapsed().as_secs_f64()));
    }
    say(&format!("{told} stories told, {skipped} skipped, {} failed {failed:?}", failed.len()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
