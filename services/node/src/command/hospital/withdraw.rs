//! `semblance withdraw`: a patient takes the consent back.

use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure, filled};
use crate::output::Output;

/// Withdraw a case's consent: it is gone from the next answer, for good.
///
/// The public tombstone comes first; the purge of the private data is tried until it holds.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The case, by local id.
    case: String,
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
    let request = v1::WithdrawRequest { case: arguments.case };
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let response = client.withdraw(request).await.map_err(|status| failure(&status))?.into_inner();
        let report = Report {
            case: response.case,
            consent: response.consent,
            withdrawn: response.withdrawn,
            purged: response.purged,
            purge_waiting: response.purge_waiting,
            waits_for: filled(response.waits_for),
        };
        output.result(&report, text)
    })
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
