//! `semblance member join`.

use std::path::PathBuf;

use semblance_contract::wire::RegisterMember;
use semblance_core::organisation::{OrganisationKind, Role};
use semblance_ledger::client::LedgerClient;

use super::{administrator, read};
use crate::administer::failure;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Submit a newcomer's record with the approvals of more than half of the members.
///
/// A new hospital takes part from the next epoch on: open one when it has joined.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The newcomer's record.
    record: PathBuf,
    /// The approvals.
    #[arg(long, value_name = "FILES", num_args = 1.., required = true)]
    approvals: Vec<PathBuf>,
}

pub(super) async fn run(config: Config, arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let party = administrator(config).await?;
    let (record, signed) = read(&arguments.record, party.network())?;
    let newcomer = &signed.statement().organisation;
    let mut approvals = Vec::new();
    for file in &arguments.approvals {
        let (approved, _) = read(file, party.network())?;
        if approved.membership != record.membership {
            let what = format!("{} approves another record than {}", file.display(), arguments.record.display());
            return Err(Failure::new(Kind::Refused, what).hint("have this very record approved").into());
        }
        approvals.extend(approved.approvals().iter().cloned());
    }
    let ledger = LedgerClient::new(party.ledger(Role::Admin)?);
    let argument = RegisterMember::new(record.membership.clone(), approvals);
    let registered = match newcomer.kind {
        OrganisationKind::Hospital => ledger.register_hospital(&argument).await,
        OrganisationKind::Matcher => ledger.register_matcher(&argument).await,
    };
    let block = registered.map_err(failure)?.block;
    let report = serde_json::json!({ "joined": newcomer.id.as_str(), "kind": newcomer.kind.word(), "block": block });
    output.result(&report, |_| format!("{} ({}) is a member since block {block}", newcomer.id, newcomer.kind))
}
