//! `semblance vocabulary build`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use semblance_core::vocabulary::{AnnotationProblem, BuildReport, Outcome, build};
use serde::Serialize;

use super::read;
use crate::output::Output;

/// Make a vocabulary file from the official files of an HPO release.
///
/// Every annotation row that names a moved or vanished id, or cannot be read, is reported. The same files make the
/// same bytes on every machine.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The ontology, hp.obo.
    #[arg(long, value_name = "FILE")]
    hp: PathBuf,
    /// The disease annotations, phenotype.hpoa; without them there are no frequencies and no information content.
    #[arg(long, value_name = "FILE")]
    annotations: Option<PathBuf>,
    /// The vocabulary file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    bytes: usize,
    digest: String,
    release: String,
    annotation_release: String,
    terms: usize,
    former_ids: usize,
    synonyms: usize,
    diseases: usize,
    rows: usize,
    rows_moved: usize,
    rows_obsolete: usize,
    rows_unknown: usize,
    rows_refused: usize,
    rows_excluded: usize,
    rows_no_symptom: usize,
    foreign_terms: usize,
    bad_references: usize,
    problems: Vec<Problem>,
}

/// A row that needed attention.
#[derive(Serialize)]
struct Problem {
    line: usize,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    instead: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<()> {
    let annotations = arguments.annotations.as_deref().map(read).transpose()?;
    let built = build(&read(&arguments.hp)?, annotations.as_deref())?;
    write(&arguments.out, &built.file)?;
    let report = built.report;
    let document = Report {
        file: arguments.out.clone(),
        bytes: built.file.len(),
        digest: built.vocabulary.digest().to_string(),
        release: built.vocabulary.release().to_owned(),
        annotation_release: built.vocabulary.annotation_release().to_owned(),
        terms: report.terms,
        former_ids: report.former_ids,
        synonyms: report.synonyms,
        diseases: report.diseases,
        rows: report.rows,
        rows_moved: report.count(|outcome| matches!(outcome, Outcome::Moved { .. })),
        rows_obsolete: report.count(|outcome| matches!(outcome, Outcome::Obsolete { .. })),
        rows_unknown: report.count(|outcome| matches!(outcome, Outcome::Unknown { .. })),
        rows_refused: report.count(|outcome| matches!(outcome, Outcome::Refused { .. })),
        rows_excluded: report.rows_excluded,
        rows_no_symptom: report.rows_no_symptom,
        foreign_terms: report.foreign_terms,
        bad_references: report.bad_references,
        problems: problems(&report),
    };
    output.result(&document, text)
}

/// Writes beside the file and renames, so that there is never half a vocabulary.
fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn problems(report: &BuildReport) -> Vec<Problem> {
    let problem = |AnnotationProblem { line, outcome }: &AnnotationProblem| {
        let (outcome, term, instead, why) = match outcome {
            Outcome::Moved { from, to } => ("moved", Some(from), vec![*to], None),
            Outcome::Obsolete { term, consider } => ("obsolete", Some(term), consider.clone(), None),
            Outcome::Unknown { term } => ("unknown", Some(term), Vec::new(), None),
            Outcome::Refused { why } => ("refused", None, Vec::new(), Some(*why)),
        };
        let instead = instead.iter().map(ToString::to_string).collect();
        Problem { line: *line, outcome, term: term.map(ToString::to_string), instead, why }
    };
    report.problems.iter().map(problem).collect()
}

fn text(report: &Report) -> String {
    let mut lines = vec![
        format!("HPO release {}: {} terms, {} synonyms", report.release, report.terms, report.synonyms),
        format!("  former ids   {}", report.former_ids),
        format!("  annotations  {} rows of {} diseases", report.rows, report.diseases),
        format!("    {} moved to a newer id and counted there", report.rows_moved),
        format!("    {} not counted: the id is obsolete", report.rows_obsolete),
        format!("    {} not counted: the id is unknown to this release", report.rows_unknown),
        format!("    {} could not be read, wholly or in part", report.rows_refused),
        format!("    {} say that the disease does not show the term", report.rows_excluded),
        format!("    {} about inheritance, onset or course: no symptoms", report.rows_no_symptom),
    ];
    let mut grouped: BTreeMap<String, usize> = BTreeMap::new();
    for problem in &report.problems {
        *grouped.entry(describe(problem)).or_default() += 1;
    }
    lines.extend(grouped.iter().map(|(problem, rows)| format!("  {problem}: {rows} rows")));
    if report.foreign_terms + report.bad_references > 0 {
        let (terms, references) = (report.foreign_terms, report.bad_references);
        lines.push(format!("  left out: {terms} terms of other ontologies, {references} malformed cross-references"));
    }
    lines.push(format!("{} bytes in {}", report.bytes, report.file.display()));
    lines.push(format!("BLAKE3 {}", report.digest));
    lines.join("\n")
}

fn describe(problem: &Problem) -> String {
    let term = problem.term.as_deref().unwrap_or_default();
    match (problem.outcome, problem.why) {
        ("moved", _) => format!("{term} moved to {}", problem.instead.join(", ")),
        ("obsolete", _) if !problem.instead.is_empty() => {
            format!("{term} is obsolete; consider {}", problem.instead.join(", "))
        }
        (_, Some(why)) => format!("line {}: {why}", problem.line),
        (outcome, None) => format!("{term} is {outcome}"),
    }
}
