//! `semblance audit`: checks that trust nobody.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use semblance_contract::SemblanceContract;
use semblance_core::audit::head::{AuditHead, HeadText};
use semblance_core::organisation::{Genesis, Role};
use semblance_core::signature::Statement;
use semblance_ledger::embedded::verify::{Progress, Report, check_head, verify_file_of};
use serde::Serialize;

use super::hospital::{Connection, audit as list};
use crate::administer::failure;
use crate::config::{Config, LedgerKind};
use crate::failure::{Failure, Kind};
use crate::folder;
use crate::network::read_genesis;
use crate::output::Output;
use crate::party::Party;
use crate::progress;
use crate::system::System;

/// Verify the ledger's whole history, sign its head to keep elsewhere, or list the hospital's own audit.
///
/// `verify` reads the ledger's file on the machine that holds it, or on Fabric the blocks of the own peers, and checks
/// every hash, link, signature and rule from the first block on. Whoever holds the ledger could rewrite it whole: `head`
/// prints a signed line to keep elsewhere, and `verify --head` finds a history that does not contain it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: super::NodeFile,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the ledger from its first block on.
    Verify {
        /// The ledger's file; without it, the one of the node that the configuration describes.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// A file with a line of `audit head` that was kept elsewhere.
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
    },
    /// Print the ledger's present head, signed by this organisation, to keep elsewhere.
    Head,
    List(list::Arguments),
}

#[derive(Serialize)]
struct Verified {
    sound: bool,
    blocks: u64,
    transactions: u64,
    head: Option<String>,
    kept_head: Option<&'static str>,
    findings: Vec<String>,
}

/// Verifies or signs.
///
/// # Errors
/// Something is wrong with the history, or the ledger cannot be read.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    match arguments.action {
        Action::Verify { file, head } => super::block_on(verify(arguments.node.read()?, file, head.as_deref(), output)),
        Action::Head => super::block_on(sign_head(arguments.node.read()?, output)),
        Action::List(list) => {
            let connection = Connection::to(arguments.node.config, list.address.clone());
            super::block_on(list::run(&connection, list, output))
        }
    }
}

async fn verify(config: Config, file: Option<PathBuf>, head: Option<&Path>, output: &Output) -> anyhow::Result<()> {
    let genesis = read_genesis(&config.path(&config.content().node.genesis))?;
    let (report, source) = walk(config, file, output).await?;
    let kept = head.map(|path| read_head(path, &genesis, &report)).transpose()?;
    let mut findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if report.network != Some(genesis.network().id()) {
        findings.push("the ledger is not that of this configuration's genesis".to_owned());
    }
    if let Some(kept) = &kept {
        findings.extend(check_head(&report, kept).err().map(|finding| finding.to_string()));
    }
    let Report { blocks, transactions, hashes, .. } = report;
    let verified = Verified {
        sound: findings.is_empty(),
        blocks,
        transactions,
        head: hashes.last().map(ToString::to_string),
        kept_head: kept.map(|_| "checked"),
        findings,
    };
    output.result(&verified, text)?;
    if verified.sound {
        return Ok(());
    }
    let failure = Failure::new(Kind::Failed, format!("{source} does not verify"));
    Err(failure.hint("keep it as it is, and compare it with other members' copies and heads kept elsewhere").into())
}

/// Walks over the history, and says which it was.
async fn walk(config: Config, file: Option<PathBuf>, output: &Output) -> anyhow::Result<(Report, String)> {
    let bar = progress::bar(output, "verifying", 0);
    let mut tell = |progress: Progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.blocks);
    };
    let walked = match (file, config.content().ledger.kind) {
        (None, LedgerKind::Fabric) => {
            let ledger = Party::read(config, System::default())?.fabric(Role::Admin)?;
            let report = ledger.verify(&SemblanceContract, &mut tell).await.map_err(failure)?;
            (report, format!("channel {}", ledger.channel()))
        }
        (None, LedgerKind::Remote) => {
            let hint = "run this on the machine whose node holds the ledger, or name a copy of its file with --file";
            return Err(Failure::usage("this node does not hold the ledger's file").hint(hint).into());
        }
        (file, _) => {
            let file = file.unwrap_or_else(|| config.ledger_file());
            let report = verify_file_of(&SemblanceContract, &file, &mut tell);
            (report.with_context(|| format!("cannot verify {}", file.display()))?, file.display().to_string())
        }
    };
    bar.finish_and_clear();
    Ok(walked)
}

fn text(verified: &Verified) -> String {
    let Verified { blocks, transactions, .. } = verified;
    let mut lines = vec![format!("{blocks} blocks, {transactions} transactions")];
    lines.extend(verified.head.iter().map(|head| format!("head {head}")));
    lines.extend(verified.findings.iter().map(|finding| format!("WRONG: {finding}")));
    if verified.sound {
        let kept = if verified.kept_head.is_some() { ", and the kept head is part of it" } else { "" };
        lines.push(format!("every hash, link, signature and rule holds{kept}"));
    }
    lines.join("\n")
}

/// Reads a head that was kept, and verifies its signature with a key that its organisation had: that of the genesis
/// file, or one that the history names, for an organisation that joined or rotated its keys since.
fn read_head(path: &Path, genesis: &Genesis, report: &Report) -> anyhow::Result<AuditHead> {
    let text = folder::read(path, folder::STATEMENT_MAX)?;
    let kept: HeadText = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.parse().ok())
        .with_context(|| format!("{} holds no head", path.display()))?;
    let signer = kept.claim()?.claims().organisation.clone();
    let founding =
        genesis.organisations().iter().filter(|member| member.id == signer).map(|member| member.verifying_key);
    let keys = founding.chain(report.keys.get(&signer).into_iter().flatten().copied());
    for key in keys {
        if let Ok(signed) = kept.claim()?.verify(&key) {
            return Ok(signed.statement().clone());
        }
    }
    let what = format!("the kept head is not signed with a key that {signer} has or had");
    Err(Failure::new(Kind::Refused, what).hint("check that the file is as `audit head` printed it").into())
}

async fn sign_head(config: Config, output: &Output) -> anyhow::Result<()> {
    let party = Party::open(config, System::default(), Role::Admin).await?;
    let (height, hash) = party.head(Role::Admin).await?.map_err(failure)?;
    let block = hash.context("the ledger has no block yet")?;
    let head = AuditHead {
        network: party.network(),
        organisation: party.organisation.clone(),
        height: height.saturating_sub(1),
        block,
        time: party.system.clock().now(),
    };
    let line = HeadText::from(&head.sign(&party.signing)).to_string();
    output.result(&serde_json::json!({ "head": line }), |_| line.clone())
}
