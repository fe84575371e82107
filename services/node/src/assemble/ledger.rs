//! The embedded ledger of a node: opened, and founded where it is new.

use std::path::Path;
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
            refuse_a_second_founding(party, &file)?;
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

/// A node whose other files know of a ledger must not make a new network beside the old one, as when a disk is missing.
fn refuse_a_second_founding(party: &Party, file: &Path) -> anyhow::Result<()> {
    let data = party.config.data();
    let Some(other) = ["matcher", "hospital", crate::members::FILE]
        .map(|name| data.join(name))
        .into_iter()
        .find(|other| other.exists())
    else {
        return Ok(());
    };
    let what = format!("{} holds no ledger, but {} is of one that was", file.display(), other.display());
    let hint =
        "restore the ledger's file from its disk or a backup; to found a new network, set node.data to a new folder";
    Err(Failure::usage(what).hint(hint).into())
}
