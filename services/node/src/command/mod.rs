//! The subcommands, one file each: `Arguments` for clap, `run` for the work.

pub mod audit;
pub mod channel;
pub mod demo;
pub mod doctor;
pub mod epoch;
pub mod found;
pub mod hospital;
pub mod init;
pub mod member;
pub mod serve;
pub mod vocabulary;

use std::future::Future;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;

use crate::config::Config;
use crate::output::Output;

/// Which node a command speaks for, where the command has actions of its own.
#[derive(Debug, clap::Args)]
pub struct NodeFile {
    /// The configuration of this organisation's node.
    #[arg(long, global = true, value_name = "FILE", default_value = "node.toml")]
    config: PathBuf,
}

impl NodeFile {
    fn read(&self) -> anyhow::Result<Config> {
        Config::read(&self.config)
    }
}

/// What the program can do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each command's Arguments carry its text, which is its help")]
pub enum Command {
    Demo(demo::Arguments),
    Init(init::Arguments),
    Found(found::Arguments),
    Serve(serve::Arguments),
    Doctor(doctor::Arguments),
    Member(member::Arguments),
    Epoch(epoch::Arguments),
    Import(hospital::import::Arguments),
    Register(hospital::step::RegisterArguments),
    Consent(hospital::step::ConsentArguments),
    Publish(hospital::step::PublishArguments),
    Correct(hospital::step::CorrectArguments),
    Withdraw(hospital::withdraw::Arguments),
    Lookup(hospital::lookup::Arguments),
    Lookups(hospital::lookups::Arguments),
    Receipts(hospital::receipts::Arguments),
    Introductions(hospital::introductions::Arguments),
    Cases(hospital::cases::Arguments),
    Status(hospital::status::Arguments),
    Audit(audit::Arguments),
    Channel(channel::Arguments),
    Vocabulary(vocabulary::Arguments),
}

impl Command {
    /// The level of logging without `--log`: a server tells what it does, a command only what is wrong.
    pub(crate) fn log_by_default(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            _ => "warn",
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// What failed; a [`crate::Failure`] inside says which kind of failure it is.
    pub(crate) fn run(self, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Demo(arguments) => demo::run(arguments, output),
            Self::Init(arguments) => init::run(arguments, output),
            Self::Found(arguments) => found::run(arguments, output),
            Self::Serve(arguments) => serve::run(arguments, output),
            Self::Doctor(arguments) => doctor::run(arguments, output),
            Self::Member(arguments) => member::run(arguments, output),
            Self::Epoch(arguments) => epoch::run(arguments, output),
            Self::Import(arguments) => hospital::import::run(arguments, output),
            Self::Register(arguments) => hospital::step::register(arguments, output),
            Self::Consent(arguments) => hospital::step::consent(arguments, output),
            Self::Publish(arguments) => hospital::step::publish(arguments, output),
            Self::Correct(arguments) => hospital::step::correct(arguments, output),
            Self::Withdraw(arguments) => hospital::withdraw::run(arguments, output),
            Self::Lookup(arguments) => hospital::lookup::run(arguments, output),
            Self::Lookups(arguments) => hospital::lookups::run(arguments, output),
            Self::Receipts(arguments) => hospital::receipts::run(arguments, output),
            Self::Introductions(arguments) => hospital::introductions::run(arguments, output),
            Self::Cases(arguments) => hospital::cases::run(arguments, output),
            Self::Status(arguments) => hospital::status::run(arguments, output),
            Self::Audit(arguments) => audit::run(arguments, output),
            Self::Channel(arguments) => channel::run(arguments, output),
            Self::Vocabulary(arguments) => vocabulary::run(arguments, output),
        }
    }
}

/// Runs a command's asynchronous part to its end.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot start")?.block_on(work)
}
