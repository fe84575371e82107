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

mod endorsed;
mod lifecycle;
mod network;
mod servers;
mod shared;
mod trials;
mod under_test;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use semblance_ledger::suite::{Factory, Told, stories};

use network::Deployed;
use under_test::FabricFactory;

/// How long one story may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long one of those may take in which processes stop and start.
const LONG_PATIENCE: Duration = Duration::from_secs(900);
/// The first argument with which this program is `semblance`.
pub(crate) const PROGRAM: &str = "semblance";

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| first == PROGRAM) {
        return semblance_node::run(std::env::args_os().skip(1));
    }
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
    let stories = stories().into_iter().map(|(name, story)| (name, PATIENCE, story(factory as &dyn Factory)));
    let trials = trials::trials().into_iter().map(|(name, trial)| (name, LONG_PATIENCE, trial(factory)));
    let mut outcomes = Outcomes::default();
    for (name, patience, story) in trials.chain(stories) {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            outcomes.tell(name, patience, story).await;
        }
    }
    outcomes.end()
}

/// How the stories ended.
#[derive(Default)]
struct Outcomes {
    told: usize,
    skipped: usize,
    failed: Vec<&'static str>,
}

impl Outcomes {
    async fn tell(&mut self, name: &'static str, patience: Duration, story: BoxFuture<'static, Told>) {
        let begun = Instant::now();
        let ended = match tokio::time::timeout(patience, tokio::spawn(story)).await {
            Ok(Ok(Ok(()))) => {
                self.told += 1;
                "ok".to_owned()
            }
            Ok(Ok(Err(reason))) => {
                self.skipped += 1;
                format!("SKIPPED, or the rest of it: {}", reason.0)
            }
            Ok(Err(_)) => {
                self.failed.push(name);
                "FAILED".to_owned()
            }
            Err(_) => {
                self.failed.push(name);
                "FAILED: it does not end".to_owned()
            }
        };
        say(&format!("story {name} … {ended} ({:.1} s)", begun.elapsed().as_secs_f64()));
    }

    fn end(self) -> ExitCode {
        let Self { told, skipped, failed } = self;
        say(&format!("{told} stories told, {skipped} skipped, {} failed {failed:?}", failed.len()));
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
