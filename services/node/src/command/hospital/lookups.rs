//! `semblance lookups`: what this hospital asked.

use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure, filled};
use crate::output::Output;
use crate::show::moment;

/// List the look-ups this hospital asked, newest first.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// How many at most, 1 to 500.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500), value_name = "N")]
    limit: u32,
    /// How many of the newest to pass over.
    #[arg(long, default_value_t = 0, value_name = "N")]
    skip: u64,
}

#[derive(Serialize)]
struct Row {
    request: String,
    case: String,
    clinician: String,
    purpose: String,
    breadth: String,
    matcher: String,
    state: String,
    code: Option<String>,
    at: String,
}

/// Lists.
///
/// # Errors
/// The node cannot be reached.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let request = v1::ListLookUpsRequest { skip: arguments.skip, limit: arguments.limit };
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let page = client.list_look_ups(request).await.map_err(|status| failure(&status))?.into_inner();
        let rows: Vec<Row> = page.lookups.into_iter().map(row).collect();
        output.result(&rows, |rows| text(rows))?;
        if rows.len() == arguments.limit as usize {
            let next = arguments.skip.saturating_add(u64::from(arguments.limit));
            output.warn(format!("there may be more look-ups: go on with --skip {next}"));
        }
        Ok(())
    })
}

fn row(lookup: v1::LookUpSummary) -> Row {
    Row {
        request: lookup.request,
        case: lookup.case,
        clinician: lookup.clinician,
        purpose: lookup.purpose,
        breadth: lookup.breadth,
        matcher: lookup.matcher,
        state: lookup.state,
        code: filled(lookup.code),
        at: moment(lookup.at),
    }
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let code = row.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
        let Row { at, clinician, case, breadth, purpose, matcher, state, request, .. } = row;
        format!(
            "{at}: {clinician} asked {matcher} about {case} ({breadth}, {purpose}): {state}{code}; request {request}"
        )
    };
    if rows.is_empty() { "no look-up yet".to_owned() } else { rows.iter().map(line).collect::<Vec<_>>().join("\n") }
}
