//! `semblance register`, `consent`, `publish`, `correct`: a step for one case, several or all.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure, filled};
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Which cases a step is about.
#[derive(Debug, clap::Args)]
pub struct Selected {
    /// The cases, by local id.
    #[arg(value_name = "CASE", required_unless_present = "all")]
    cases: Vec<String>,
    /// Every case for which there is something to do.
    #[arg(long, conflicts_with = "cases")]
    all: bool,
}

impl Selected {
    fn message(self) -> Option<v1::Selection> {
        Some(v1::Selection { all: self.all, cases: self.cases })
    }
}

/// Give cases a patient key and register it on the ledger.
///
/// The key is made on the hospital's side, so consents signed with it are hospital-attested.
#[derive(Debug, clap::Args)]
pub struct RegisterArguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    selected: Selected,
}

/// Sign consents with the cases' keys and put them on the ledger.
#[derive(Debug, clap::Args)]
pub struct ConsentArguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    selected: Selected,
    /// What the patient agrees to.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Scope::BeFound, Scope::BeContacted])]
    scopes: Vec<Scope>,
    /// For how many days.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=1827))]
    days: u32,
    /// A file with the text that was shown to the patient; otherwise the usual text.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
}

/// What a consent allows.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Scope {
    /// To be found in look-ups.
    BeFound,
    /// To be asked for an introduction.
    BeContacted,
    /// To be invited into groups.
    JoinGroups,
    /// To have more of the record shared.
    ShareRecord,
}

/// Publish cases with live consent into the open epoch.
#[derive(Debug, clap::Args)]
pub struct PublishArguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    selected: Selected,
}

/// Publish cases again that were corrected since; the earlier publication ends with it.
#[derive(Debug, clap::Args)]
pub struct CorrectArguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    selected: Selected,
}

/// Registers keys.
///
/// # Errors
/// The node cannot be reached or refuses.
pub fn register(arguments: RegisterArguments, output: &Output) -> anyhow::Result<()> {
    let request = v1::RegisterRequest { selection: arguments.selected.message() };
    tell("registered", output, async { Ok(arguments.connection.client().await?.register(request).await) })
}

/// Grants consents.
///
/// # Errors
/// As [`register`].
pub fn consent(arguments: ConsentArguments, output: &Output) -> anyhow::Result<()> {
    let text = match &arguments.text {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
        None => String::new(),
    };
    let scope = |scope: &Scope| match scope {
        Scope::BeFound => v1::ConsentScope::BeFound,
        Scope::BeContacted => v1::ConsentScope::BeContacted,
        Scope::JoinGroups => v1::ConsentScope::JoinGroups,
        Scope::ShareRecord => v1::ConsentScope::ShareRecord,
    };
    let request = v1::ConsentRequest {
        selection: arguments.selected.message(),
        scopes: arguments.scopes.iter().map(|word| scope(word).into()).collect(),
        days: arguments.days,
        text,
    };
    tell("consented", output, async { Ok(arguments.connection.client().await?.consent(request).await) })
}

/// Publishes.
///
/// # Errors
/// As [`register`].
pub fn publish(arguments: PublishArguments, output: &Output) -> anyhow::Result<()> {
    let request = v1::PublishRequest { selection: arguments.selected.message() };
    tell("published", output, async { Ok(arguments.connection.client().await?.publish(request).await) })
}

/// Publishes corrections.
///
/// # Errors
/// As [`register`].
pub fn correct(arguments: CorrectArguments, output: &Output) -> anyhow::Result<()> {
    let request = v1::CorrectRequest { selection: arguments.selected.message() };
    tell("corrected", output, async { Ok(arguments.connection.client().await?.correct(request).await) })
}

#[derive(Serialize)]
struct Report {
    done: u64,
    waiting: u64,
    unchanged: u64,
    refused: Vec<Problem>,
    waits_for: Option<String>,
}

#[derive(Serialize)]
struct Problem {
    case: String,
    code: String,
}

fn tell(
    done: &str,
    output: &Output,
    call: impl Future<Output = anyhow::Result<Result<tonic::Response<v1::StepResponse>, tonic::Status>>>,
) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let response = call.await?.map_err(|status| failure(&status))?.into_inner();
        let problem = |problem: v1::CaseProblem| Problem { case: problem.case, code: problem.code };
        let report = Report {
            done: response.done,
            waiting: response.waiting,
            unchanged: response.unchanged,
            refused: response.refused.into_iter().map(problem).collect(),
            waits_for: filled(response.waits_for),
        };
        output.result(&report, |report| text(done, report))?;
        match report.refused.len() {
            0 => Ok(()),
            count => Err(Failure::new(Kind::Refused, format!("{count} cases were refused")).into()),
        }
    })
}

fn text(done: &str, report: &Report) -> String {
    let mut lines = vec![format!("{done}: {}, unchanged: {}", report.done, report.unchanged)];
    if report.waiting > 0 {
        let reason = report.waits_for.as_deref().unwrap_or("the ledger");
        lines.push(format!("waiting: {} (sent by itself as soon as possible; {reason})", report.waiting));
    }
    lines.extend(report.refused.iter().map(|problem| format!("refused: {} ({})", problem.case, problem.code)));
    lines.join("\n")
}
