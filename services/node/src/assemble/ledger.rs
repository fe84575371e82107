//! The embedded ledger of a node: opened, and founded where it is new.

use std::sync::Arc;

use anyhow::Context;
use semblance_contract::SemblanceContract;
use semblance_core::organisation::Role;
use semblance_ledger::embedded::EmbeddedLedger;

use crate::administer::Administrator;
use crate::failure::Failure;
use crate::folder;
use crate::party::Party;

/// Opens the ledger; a new one gets the network's genesis as its first transaction.
pub(super) async fn open(party: &Party) -> anyhow::Result<EmbeddedLedger> {
    let file = party.config.ledger_file();
    file.parent().map(folder::make).transpose()?;
    let (clock, random) = (party.system.clock(), party.system.random());
    let contract = Arc::new(SemblanceContract);
    let ledger = EmbeddedLedger::open(&file, clock, random, contract)
        .with_context(|| format!("the ledger {} cannot be opened", file.display()))?;
    match ledger.head() {
        None => {
            let (_, administrator) = party.credentials(Role::Admin)?;
            let administrator = Administrator::new(ledger.handle(administrator), party.network());
            administrator.found(&party.genesis).await?;
            tracing::info!(network = %party.network(), "founded the network");
        }
        Some(head) if head.network != party.network() => {
            let what = format!("{} is the ledger of network {}", file.display(), head.network);
            let hint = format!("the genesis file is of network {}: set node.genesis or node.data", party.network());
            return Err(Failure::usage(what).hint(hint).into());
        }
        Some(_) => {}
    }
    Ok(ledger)
}
