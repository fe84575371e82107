//! `semblance cases`: the hospital's own cases.

use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure, filled};
use crate::output::Output;
use crate::show::moment;

/// Rows asked for at once.
const PAGE: u32 = 500;

/// List the hospital's own cases and how far key, consent and publication of each got.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// How many at most.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    limit: usize,
    /// Only those whose ids follow this one.
    #[arg(long, default_value = "", value_name = "CASE")]
    after: String,
}

#[derive(Serialize)]
struct Row {
    case: String,
    label: Option<String>,
    observed: u32,
    excluded: u32,
    revision: u32,
    key: Option<String>,
    consent: Option<String>,
    consent_expires: Option<String>,
    publication: Option<String>,
    handle: Option<String>,
    epoch: Option<u32>,
    outdated: bool,
}

/// Lists.
///
/// # Errors
/// The node cannot be reached.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let (mut rows, mut after) = (Vec::new(), arguments.after);
        while rows.len() <= arguments.limit {
            let request = v1::ListCasesRequest { after, limit: PAGE };
            let page = client.list_cases(request).await.map_err(|status| failure(&status))?.into_inner().cases;
            let Some(last) = page.last() else { break };
            after = last.case.clone();
            rows.extend(page.into_iter().map(row));
        }
        let more = rows.len() > arguments.limit;
        rows.truncate(arguments.limit);
        output.result(&rows, |rows| text(rows))?;
        if let (true, Some(last)) = (more, rows.last()) {
            output.warn(format!("there are more cases: go on with --after {}", last.case));
        }
        Ok(())
    })
}

fn row(case: v1::CaseSummary) -> Row {
    Row {
        case: case.case,
        label: filled(case.label),
        observed: case.observed,
        excluded: case.excluded,
        revision: case.revision,
        key: filled(case.key),
        consent: filled(case.consent),
        consent_expires: (case.consent_expires > 0).then(|| moment(case.consent_expires)),
        publication: filled(case.publication),
        handle: filled(case.handle),
        epoch: (case.epoch > 0).then_some(case.epoch),
        outdated: case.outdated,
    }
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.case.chars().count()).max().unwrap_or(0).max(4);
    let mut lines = vec![format!("{:width$}  symptoms  key         consent     publication", "case")];
    for row in rows {
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
        let outdated = if row.outdated { " (corrected since)" } else { "" };
        let (key, consent, publication) = (word(&row.key), word(&row.consent), word(&row.publication));
        lines
            .push(format!("{:width$}  {:>8}  {key:10}  {consent:10}  {publication}{outdated}", row.case, row.observed));
    }
    lines.push(format!("{} cases", rows.len()));
    lines.join("\n")
}
