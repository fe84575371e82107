//! `semblance audit list`: what was done and denied at this hospital.

use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure, filled};
use crate::output::Output;
use crate::show::moment;

/// Lines asked for at once.
const PAGE: u32 = 500;

/// List what was done and denied at this hospital, oldest first.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the node is, when it is not where its configuration says: https://host:port.
    #[arg(long, value_name = "URL")]
    pub(crate) address: Option<String>,
    /// Only lines about this case, request or file.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Only what this clinician, or the holder of this certificate, did.
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Only this action, for example `look-up` or `withdraw`.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was denied.
    #[arg(long)]
    denied: bool,
    /// Only lines after this number.
    #[arg(long, default_value_t = 0, value_name = "N")]
    after: i64,
    /// How many at most.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    limit: usize,
}

#[derive(Serialize)]
struct Row {
    id: i64,
    at: String,
    /// Whose certificate it was.
    actor: String,
    /// Of a look-up, the clinician whom the actor named.
    clinician: Option<String>,
    action: String,
    subject: String,
    code: String,
}

impl Arguments {
    fn wants(&self, line: &v1::AuditLine) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.subject, &line.subject)
            && (is(&self.actor, &line.actor) || is(&self.actor, &line.clinician))
            && is(&self.action, &line.action)
            && !(self.denied && line.code == "ok")
    }
}

/// Lists. Lines are chosen here: the node hands out whole pages.
pub(crate) async fn run(connection: &Connection, arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let mut client = connection.client().await?;
    let (mut rows, mut after) = (Vec::new(), arguments.after);
    while rows.len() <= arguments.limit {
        let request = v1::ListAuditRequest { after, limit: PAGE };
        let page = client.list_audit(request).await.map_err(|status| failure(&status))?.into_inner().lines;
        let Some(last) = page.last() else { break };
        after = last.id;
        rows.extend(page.into_iter().filter(|line| arguments.wants(line)).map(row));
    }
    let more = rows.len() > arguments.limit;
    rows.truncate(arguments.limit);
    output.result(&rows, |rows| text(rows))?;
    if let (true, Some(last)) = (more, rows.last()) {
        output.warn(format!("there are more lines: go on with --after {}", last.id));
    }
    Ok(())
}

fn row(line: v1::AuditLine) -> Row {
    Row {
        id: line.id,
        at: moment(line.at),
        actor: line.actor,
        clinician: filled(line.clinician),
        action: line.action,
        subject: line.subject,
        code: line.code,
    }
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let Row { id, at, actor, action, subject, code, .. } = row;
        let named = row.clinician.as_deref().map(|clinician| format!(" for {clinician}")).unwrap_or_default();
        format!("{id} {at}: {actor}{named}: {action} {subject}: {code}")
    };
    if rows.is_empty() { "no such line".to_owned() } else { rows.iter().map(line).collect::<Vec<_>>().join("\n") }
}
