//! `semblance found`: a network's first transaction on Fabric.

use semblance_core::organisation::Role;
use semblance_ledger::client::LedgerClient;

use crate::administer::{Administrator, holds};
use crate::config::{Config, LedgerKind};
use crate::failure::Failure;
use crate::output::Output;
use crate::party::Party;
use crate::system::System;

/// Found the network on its Fabric channel: write the genesis as the contract's first transaction.
///
/// Once for a network, as the administrator of any one member. The peers of all members must be up: each endorses it.
/// Where the channel holds this network's genesis already, nothing is done. The embedded ledger is founded by the first
/// start of the node that holds it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    node: super::NodeFile,
}

/// Founds the network.
///
/// # Errors
/// The ledger cannot be reached, refuses, or holds another network.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    super::block_on(found(arguments.node.read()?, output))
}

async fn found(config: Config, output: &Output) -> anyhow::Result<()> {
    let party = Party::read(config, System::default())?;
    if party.kind() != LedgerKind::Fabric {
        let what = "only a network on Fabric is founded by a command";
        let hint = "start the node that holds the embedded ledger: its first start writes the genesis";
        return Err(Failure::usage(what).hint(hint).into());
    }
    let ledger = party.ledger(Role::Admin)?;
    let founded = !holds(&LedgerClient::new(ledger.clone()), party.network()).await?;
    if founded {
        Administrator::new(ledger, party.network()).found(&party.genesis).await?;
    }
    let network = party.network().to_string();
    let what = if founded { "is founded" } else { "was founded before" };
    output
        .result(&serde_json::json!({ "network": network, "founded": founded }), |_| format!("network {network} {what}"))
}
