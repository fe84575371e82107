//! `semblance serve`: a node.

use std::path::PathBuf;

use semblance_core::organisation::Role;

use crate::assemble::{Node, bind};
use crate::config::Config;
use crate::output::Output;
use crate::party::Party;
use crate::stop;
use crate::system::System;

/// Run a node with the roles of its configuration until SIGTERM or SIGINT.
///
/// Says one line on standard output when it is ready. At a signal it accepts nothing more, finishes what it accepted
/// and ends; a second signal ends it at once.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The node's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the node.
///
/// # Errors
/// The configuration is wrong, or a part cannot start.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let config = Config::read(&arguments.config)?;
    super::block_on(serve(config, output))
}

async fn serve(config: Config, output: &Output) -> anyhow::Result<()> {
    let stopped = stop::on_signal()?;
    let party = match config.content().ledger.is_embedded() {
        // The ledger in its own file knows best, and is asked when it is open.
        true => Party::read(config, System::default())?,
        false => Party::open(config, System::default(), Role::Node).await?,
    };
    if party.is_pilot() {
        output.warn("this is a pilot network: hospitals may hold others' fingerprints, and could read them");
    }
    let listener = bind(party.config.content().listen.address).await?;
    let mut node = tokio::select! {
        node = Node::start(&party, listener) => node?,
        () = stopped.cancelled() => return Ok(()),
    };
    let ready = node.ready();
    output.ready(&ready, format!("ready: {} at {} ({})", ready.organisation, ready.address, ready.roles.join(", ")))?;
    let failed = tokio::select! {
        () = stopped.cancelled() => None,
        error = node.failed() => Some(error),
    };
    node.stop().await;
    if let Some(error) = failed {
        return Err(error.context(format!("{} stopped", ready.organisation)));
    }
    output.line(format!("stopped: {}", ready.organisation));
    Ok(())
}
