//! `semblance status`: where the hospital's node stands.

use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure};
use crate::output::Output;

/// Say where the hospital's node stands: cases, what waits for the ledger, blocks read.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Report {
    hospital: String,
    cases: u64,
    waiting: u64,
    followed: u64,
}

/// Asks.
///
/// # Errors
/// The node cannot be reached.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let status = client.get_status(v1::GetStatusRequest {}).await.map_err(|status| failure(&status))?.into_inner();
        let v1::GetStatusResponse { hospital, cases, waiting, followed } = status;
        let report = Report { hospital, cases, waiting, followed };
        output.result(&report, |report| {
            let Report { hospital, cases, waiting, followed } = report;
            format!("{hospital}: {cases} cases, {waiting} operations wait for the ledger, {followed} blocks read")
        })
    })
}
