//! `semblance member show`.

use std::path::PathBuf;

use semblance_core::organisation::{Organisation, Role};
use semblance_core::record::Record;
use semblance_ledger::client::LedgerClient;
use serde::Serialize;

use super::{administrator, root_digest};
use crate::administer::failure;
use crate::config::Config;
use crate::folder;
use crate::output::Output;

/// Show the network's members as the ledger has them: kinds, keys and roots.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write them to this file too: it serves as the genesis file of a newcomer, or of a node that missed a rotation.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Row {
    member: String,
    kind: &'static str,
    rotations: u32,
    /// Ed25519, hexadecimal.
    signing_key: String,
    sealing_key: u32,
    /// BLAKE3 of the root certificate (DER).
    root: String,
}

pub(super) async fn run(config: Config, arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let party = administrator(config).await?;
    let ledger = LedgerClient::new(party.ledger(Role::Admin)?);
    party.members.learn(&ledger).await.map_err(failure)?;
    let members = party.members.snapshot()?;
    if let Some(out) = &arguments.out {
        folder::write_public(out, &members.encode())?;
    }
    let rows: Vec<Row> = members.organisations().iter().map(row).collect();
    output.result(&rows, |rows| text(rows))
}

fn row(member: &Organisation) -> Row {
    Row {
        member: member.id.to_string(),
        kind: member.kind.word(),
        rotations: member.rotations,
        signing_key: hex::encode(member.verifying_key.as_bytes()),
        sealing_key: member.sealing_key.id.0,
        root: root_digest(member),
    }
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let Row { member, kind, rotations, signing_key, sealing_key, root } = row;
        format!(
            "{member} ({kind}): keys rotated {rotations} times\n  signing key {signing_key}\n  sealing key number \
             {sealing_key}\n  root {root}"
        )
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
