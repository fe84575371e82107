//! `semblance withdraw`: a patient takes the consent back.

use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_contract::wire::SignedStatement;
use semblance_core::consent::Withdrawal;
use semblance_core::organisation::{OrganisationKind, Role};
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use semblance_ledger::client::LedgerClient;
use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure, filled};
use crate::administer::failure as ledger_failure;
use crate::failure::{Failure, Kind};
use crate::folder;
use crate::output::Output;
use crate::party::Party;

/// Withdraw a case's consent: it is gone from the next answer, for good.
///
/// The public tombstone comes first; the purge of the private data is tried until it holds. Any member can submit a
/// withdrawal that the patient's key signed: `--export` makes one to keep, `--statement` submits one from elsewhere.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The case, by local id.
    #[arg(required_unless_present = "statement")]
    case: Option<String>,
    /// Sign the withdrawal and write it to this new file, and submit nothing: any member can submit it later.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Submit this signed withdrawal through the ledger, as the member whose configuration it is.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["case", "export", "address"])]
    statement: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    case: String,
    consent: String,
    withdrawn: bool,
    purged: u64,
    purge_waiting: u64,
    waits_for: Option<String>,
}

/// Withdraws.
///
/// # Errors
/// The node cannot be reached, or there is nothing to withdraw.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let Arguments { connection, case, export, statement } = arguments;
    let case = case.unwrap_or_default();
    crate::command::block_on(async {
        match (statement, export) {
            (Some(file), _) => submit(connection.party().await?, &file, output).await,
            (None, Some(file)) => keep(&connection, case, &file, output).await,
            (None, None) => withdraw(&connection, case, output).await,
        }
    })
}

async fn withdraw(connection: &Connection, case: String, output: &Output) -> anyhow::Result<()> {
    let answered = connection.client().await?.withdraw(v1::WithdrawRequest { case }).await;
    let response = answered.map_err(|status| failure(&status))?.into_inner();
    let report = Report {
        case: response.case,
        consent: response.consent,
        withdrawn: response.withdrawn,
        purged: response.purged,
        purge_waiting: response.purge_waiting,
        waits_for: filled(response.waits_for),
    };
    output.result(&report, text)
}

/// Signs and writes.
async fn keep(connection: &Connection, case: String, file: &Path, output: &Output) -> anyhow::Result<()> {
    let answered = connection.client().await?.sign_withdrawal(v1::SignWithdrawalRequest { case }).await;
    let v1::SignWithdrawalResponse { consent, statement } = answered.map_err(|status| failure(&status))?.into_inner();
    folder::write_public(file, &statement)?;
    let report = serde_json::json!({ "consent": consent, "statement": file });
    output.result(&report, |_| {
        let file = file.display();
        format!(
            "the withdrawal of consent {consent} is signed and stands in {file}; nothing is withdrawn yet. Any member \
             submits it with `semblance withdraw --statement {file}`"
        )
    })
}

/// Submits a statement, and tries the purge, which the hospital's own node does as well when it learns of it.
async fn submit(party: Party, file: &Path, output: &Output) -> anyhow::Result<()> {
    let (source, consent) = read(&party, file)?;
    let ledger = LedgerClient::new(party.ledger(Role::Admin)?);
    let recorded = ledger.withdraw_consent(source).await.map_err(ledger_failure)?;
    let (hospital, handles) = (recorded.response.hospital, recorded.response.handles);
    let members = ledger.members().await.map_err(ledger_failure)?;
    let matcher = members.iter().find(|member| member.kind == OrganisationKind::Matcher);
    let mut purged = 0;
    if let (Some(matcher), false) = (matcher, handles.is_empty()) {
        match ledger.purge_cases(&hospital, &matcher.id, handles.clone()).await {
            Ok(done) => purged = done.response.items().iter().filter(|outcome| outcome.is_ok()).count(),
            Err(error) => tracing::warn!(%error, "the purge waits for the hospital's own node"),
        }
    }
    let waiting = handles.len().saturating_sub(purged);
    let report = serde_json::json!({
        "consent": consent, "hospital": hospital.as_str(), "withdrawn": true, "block": recorded.block,
        "purged": purged, "purge_waiting": waiting
    });
    output.result(&report, |_| {
        format!(
            "consent {consent} of a patient of {hospital} is withdrawn since block {}; private data purged: {purged}, \
             left to {hospital}: {waiting}",
            recorded.block
        )
    })
}

/// A signed withdrawal from a file; who signed it is verified before the ledger is troubled.
fn read(party: &Party, file: &Path) -> anyhow::Result<(SignedBytes, String)> {
    let what = || format!("{} is no signed withdrawal of this network", file.display());
    let SignedStatement(source) =
        SignedStatement::decode(&folder::read(file, folder::STATEMENT_MAX)?).with_context(what)?;
    let claim = source.clone().claim::<Withdrawal>(party.network()).with_context(what)?;
    let (consent, key) = (claim.claims().consent.to_string(), claim.claims().patient_key);
    claim.verify(&key).map_err(|_| {
        Failure::new(Kind::Refused, format!("{} is not signed by the key it names", file.display()))
            .hint("ask for the withdrawal again: it was changed on its way")
    })?;
    Ok((source, consent))
}

fn text(report: &Report) -> String {
    let state = if report.withdrawn {
        "withdrawn, and gone from the next answer".to_owned()
    } else {
        let reason = report.waits_for.as_deref().unwrap_or("the ledger");
        format!("signed; it is sent as soon as the ledger answers ({reason})")
    };
    let purge = match (report.purged, report.purge_waiting) {
        (0, 0) => "nothing was published".to_owned(),
        (purged, 0) => format!("private data purged: {purged}"),
        (purged, waiting) => format!("private data purged: {purged}, purge tried again by itself: {waiting}"),
    };
    format!("{}: {state}; {purge}", report.case)
}
