//! The program `semblance`: configuration, commands and the only place where the parts are wired together.
//!
//! What it must never hold: rules. What a case, a look-up or a ledger entry must satisfy stands in `core`, in the
//! contract and in the services; here files are read, addresses bound and people told what happened.
//!
//! To add a command: a file of its own in [`command`], with `Arguments` (clap) and `run(arguments, output)`, one line
//! in [`command::Command`] and one in its `run`.

mod administer;
mod assemble;
pub mod command;
pub mod config;
mod demo;
mod doctor;
mod failure;
mod folder;
mod logging;
mod members;
pub mod network;
mod output;
mod party;
mod progress;
mod server;
mod show;
mod stop;
pub mod system;
pub mod tls;

pub use failure::{Failure, Kind};
pub use output::Output;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// Finds patients with overlapping symptoms across hospitals without any hospital giving up who its patients are.
#[derive(Debug, Parser)]
#[command(name = "semblance", version, propagate_version = true, max_term_width = 100)]
pub struct Program {
    /// Print one JSON document on standard output instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// How much to log to standard error: error, warn, info, debug, trace, or a filter such as
    /// `info,semblance_matcher=debug`.
    #[arg(long, global = true, env = "SEMBLANCE_LOG", hide_env_values = true, value_name = "FILTER")]
    log: Option<String>,
    /// Log one JSON object a line.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: command::Command,
}

/// Runs the program with these arguments, the program's name first, and says how it ended: 0 done, 1 failed,
/// 2 wrong usage or configuration, 3 refused by a rule, 4 another party cannot be reached.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let program = match Program::try_parse_from(arguments) {
        Ok(program) => program,
        Err(error) => {
            // Fails only when standard output or error is closed: then there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Kind::Usage.code() } else { 0 });
        }
    };
    let output = Output::new(program.json);
    if let Err(error) = logging::start(program.log.as_deref(), program.log_json, program.command.log_by_default()) {
        return output.fail(&error);
    }
    match program.command.run(&output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output.fail(&error),
    }
}
