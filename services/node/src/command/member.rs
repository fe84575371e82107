//! `semblance member`: who is in the network, how others join it, and how keys are rotated.

mod approve;
mod join;
mod rotate;
mod show;

use std::path::Path;

use anyhow::Context;
use clap::Subcommand;
use semblance_contract::wire::{Membership, RegisterMember};
use semblance_core::id::NetworkId;
use semblance_core::organisation::{Organisation, Role};
use semblance_core::record::Record;
use semblance_core::signature::{Signed, SignedBytes};

use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::folder;
use crate::output::Output;
use crate::party::Party;
use crate::system::System;

/// Show the network's members, let a newcomer in, or rotate this organisation's keys.
///
/// A newcomer makes its keys and its record with `semblance init --join`. More than half of the members approve the
/// record, and the administrator of any member submits it with their approvals.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: super::NodeFile,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(show::Arguments),
    Approve(approve::Arguments),
    Join(join::Arguments),
    Rotate(rotate::Arguments),
}

/// Does it.
///
/// # Errors
/// A file is something else, or the ledger cannot be reached or refuses.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let config = arguments.node.read()?;
    match arguments.action {
        Action::Show(arguments) => super::block_on(show::run(config, arguments, output)),
        Action::Approve(arguments) => approve::run(config, &arguments, output),
        Action::Join(arguments) => super::block_on(join::run(config, arguments, output)),
        Action::Rotate(arguments) => super::block_on(rotate::run(config, arguments, output)),
    }
}

/// This organisation's administrator.
async fn administrator(config: Config) -> anyhow::Result<Party> {
    Party::open(config, System::default(), Role::Admin).await
}

/// A newcomer's record, or the record with approvals, from a file; the newcomer's own signature is verified.
fn read(file: &Path, network: NetworkId) -> anyhow::Result<(RegisterMember, Signed<Membership>)> {
    let bytes = folder::read(file, folder::STATEMENT_MAX)?;
    let what = || format!("{} is no newcomer's record or approval of this network", file.display());
    let record = RegisterMember::decode(&bytes).with_context(what)?;
    let claim = record.membership.clone().claim::<Membership>(network).with_context(what)?;
    let key = claim.claims().organisation.verifying_key;
    let signed = claim.verify(&key).map_err(|_| {
        Failure::new(Kind::Refused, format!("{} is not signed by the newcomer it names", file.display()))
            .hint("ask the newcomer for its record again")
    })?;
    Ok((record, signed))
}

/// What people compare when a record or a root reached them over an untrusted way.
fn check(record: &SignedBytes) -> String {
    record.digest().to_string()
}

/// A member's root in a few words.
fn root_digest(member: &Organisation) -> String {
    semblance_core::id::Digest::of(member.tls_root.der()).to_string()
}
