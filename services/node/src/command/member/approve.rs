//! `semblance member approve`.

use std::path::PathBuf;

use semblance_contract::wire::{Approval, RegisterMember};
use semblance_core::record::Record;
use serde::Serialize;

use super::{check, read, root_digest};
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::folder;
use crate::output::Output;
use crate::party::Party;
use crate::system::System;

/// Approve a newcomer: sign its record with this organisation's key.
///
/// Ask the newcomer over another way, by telephone for example, for the check that its `init` printed, and compare.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The newcomer's record.
    record: PathBuf,
    /// Where to write the approval; a new file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Report {
    newcomer: String,
    kind: &'static str,
    root: String,
    check: String,
    approval: PathBuf,
}

/// Works without the ledger: whether the newcomer may join is decided when it is submitted.
pub(super) fn run(config: Config, arguments: &Arguments, output: &Output) -> anyhow::Result<()> {
    let party = Party::read(config, System::default())?;
    let (record, signed) = read(&arguments.record, party.network())?;
    let newcomer = &signed.statement().organisation;
    if party.members.get(&newcomer.id).is_some() {
        return Err(Failure::new(Kind::Refused, format!("{} is a member already", newcomer.id)).into());
    }
    let approval =
        Approval { member: party.organisation.clone(), signature: party.signing.sign(record.membership.bytes()) };
    let approved = RegisterMember::new(record.membership.clone(), vec![approval]);
    folder::write_public(&arguments.out, &approved.encode())?;
    let report = Report {
        newcomer: newcomer.id.to_string(),
        kind: newcomer.kind.word(),
        root: root_digest(newcomer),
        check: check(&record.membership),
        approval: arguments.out.clone(),
    };
    output.result(&report, |report| {
        let Report { newcomer, kind, root, check, approval } = report;
        format!(
            "approved: {newcomer} ({kind})\n  root {root}\n  check {check}\n  approval {}\ncompare the check with what \
             the newcomer reads to you before you hand the approval on",
            approval.display()
        )
    })
}
