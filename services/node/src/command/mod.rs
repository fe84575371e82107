//! The subcommands, one file each: `Arguments` for clap, `run` for the work.

use clap::Subcommand;

use crate::output::Output;

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {}

impl Command {
    /// The level of logging without `--log`: a server tells what it does, a command only what is wrong.
    pub(crate) fn log_by_default(&self) -> &'static str {
        "warn"
    }

    /// Does it.
    ///
    /// # Errors
    /// What failed; a [`crate::Failure`] inside says which kind of failure it is.
    pub(crate) fn run(self, _output: &Output) -> anyhow::Result<()> {
        match self {}
    }
}
