//! The subcommands, one file each: `Arguments` for clap, `run` for the work.

pub mod init;
pub mod vocabulary;

use clap::Subcommand;

use crate::output::Output;

/// What the program can do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each command's Arguments carry its text, which is its help")]
pub enum Command {
    Init(init::Arguments),
    Vocabulary(vocabulary::Arguments),
}

impl Command {
    /// The level of logging without `--log`: a server tells what it does, a command only what is wrong.
    pub(crate) fn log_by_default(&self) -> &'static str {
        match self {
            Self::Init(_) | Self::Vocabulary(_) => "warn",
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// What failed; a [`crate::Failure`] inside says which kind of failure it is.
    pub(crate) fn run(self, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Init(arguments) => init::run(arguments, output),
            Self::Vocabulary(arguments) => vocabulary::run(arguments, output),
        }
    }
}
