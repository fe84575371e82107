//! `semblance doctor`: whether everything is in order.

use crate::config::Config;
use crate::doctor::{Check, State, examine};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::party::Party;
use crate::progress;
use crate::system::System;

/// Check certificates, ledger, chaincode, collections and clocks, and say what to do about what is wrong.
///
/// Reads and asks only, as the organisation's node; run it on the node's machine. Ends with 1 if something is wrong; a
/// warning alone does not count.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    node: super::NodeFile,
}

/// Examines.
///
/// # Errors
/// The configuration cannot be read, or something is wrong.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    super::block_on(check(arguments.node.read()?, output))
}

async fn check(config: Config, output: &Output) -> anyhow::Result<()> {
    let party = Party::read(config, System::default())?;
    let bar = progress::bar(output, "checking", 0);
    let checks = examine(&party, |about| bar.set_message(about.to_owned())).await;
    bar.finish_and_clear();
    output.result(&checks, |checks| checks.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    let wrong = checks.iter().filter(|check| check.state == State::Wrong).count();
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::new(Kind::Failed, format!("{wrong} of {} checks found something wrong", checks.len())).into())
}

fn line(check: &Check) -> String {
    let word = match check.state {
        State::Good => "good",
        State::Warning => "WARNING",
        State::Wrong => "WRONG",
    };
    let to_do = check.to_do.iter().map(|to_do| format!("\n{:24}to do: {to_do}", "")).collect::<String>();
    format!("{word:<8} {:<14} {}{to_do}", check.about, check.what)
}
