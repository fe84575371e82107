//! `semblance receipts`: who found us.

use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure, filled};
use crate::output::Output;
use crate::show::moment;

/// Rows asked for at once.
const PAGE: u32 = 500;

/// List who found this hospital's cases, newest first.
///
/// Every answer leaves a sealed receipt for each hospital whose case it shows; the node opens its own.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Of one case alone, by local id.
    #[arg(long, default_value = "", value_name = "CASE")]
    case: String,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

#[derive(Serialize)]
struct Row {
    request: String,
    case: Option<String>,
    handle: String,
    asker: String,
    purpose: String,
    short: bool,
    matcher: String,
    rank: u32,
    height: u64,
    block: u64,
    at: String,
}

/// Lists.
///
/// # Errors
/// The node cannot be reached.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let mut rows = Vec::new();
        while rows.len() <= arguments.limit {
            let request =
                v1::ListReceiptsRequest { case: arguments.case.clone(), skip: rows.len() as u64, limit: PAGE };
            let page = client.list_receipts(request).await.map_err(|status| failure(&status))?.into_inner().receipts;
            if page.is_empty() {
                break;
            }
            rows.extend(page.into_iter().map(row));
        }
        let more = rows.len() > arguments.limit;
        rows.truncate(arguments.limit);
        output.result(&rows, |rows| text(rows))?;
        if more {
            output.warn("there are more receipts: ask for them with a larger --limit");
        }
        Ok(())
    })
}

fn row(receipt: v1::ReceiptSummary) -> Row {
    Row {
        request: receipt.request,
        case: filled(receipt.case),
        handle: receipt.handle,
        asker: receipt.asker,
        purpose: receipt.purpose,
        short: receipt.short,
        matcher: receipt.matcher,
        rank: receipt.rank,
        height: receipt.height,
        block: receipt.block,
        at: moment(receipt.at),
    }
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let case = row.case.as_deref().unwrap_or(&row.handle);
        let short = if row.short { ", from few symptoms" } else { "" };
        format!(
            "{}: {case} was found by {} at place {} (purpose: {}{short}), block {}; request {}",
            row.at, row.asker, row.rank, row.purpose, row.block, row.request
        )
    };
    if rows.is_empty() {
        "nobody found a case of this hospital".to_owned()
    } else {
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
