//! `semblance vocabulary show`.

use semblance_core::term::TermId;
use semblance_core::vocabulary::{Resolution, Scope, Synonym, SynonymKind, Vocabulary};
use serde::Serialize;

use super::{Source, open, refused};
use crate::failure::Failure;
use crate::output::Output;

/// Show a term: names, place in the hierarchy, codes, how much it says.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An HPO id, as in HP:0001250.
    #[arg(value_name = "TERM")]
    term: String,
    #[command(flatten)]
    source: Source,
}

#[derive(Serialize)]
struct Shown {
    release: String,
    id: String,
    /// The id asked for, if it has moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<String>,
    label: String,
    phenotypic_abnormality: bool,
    synonyms: Vec<Name>,
    parents: Vec<Relative>,
    children: Vec<Relative>,
    cross_references: Vec<String>,
    annotations: u32,
    diseases: u32,
    /// In nats.
    information_content: f64,
}

#[derive(Serialize)]
struct Name {
    text: String,
    scope: &'static str,
    kind: &'static str,
}

#[derive(Serialize)]
struct Relative {
    id: String,
    label: String,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<()> {
    let asked: TermId = arguments.term.parse().map_err(|error| {
        Failure::usage(format!("{:?} is {error}", arguments.term))
            .hint("look for words with `semblance vocabulary search`")
    })?;
    let vocabulary = open(arguments.source.vocabulary.as_deref())?;
    let term = match vocabulary.resolve(asked) {
        Resolution::Current(term) | Resolution::Replaced { by: term } => term,
        // The same words as everywhere else; what is no symptom can be shown all the same.
        Resolution::Obsolete { .. } | Resolution::Unknown => {
            vocabulary.symptom(asked).map_err(|error| refused(&error))?
        }
    };
    let shown = Shown {
        release: vocabulary.release().to_owned(),
        id: term.to_string(),
        asked: (asked != term).then(|| asked.to_string()),
        label: vocabulary.label(term).unwrap_or_default().to_owned(),
        phenotypic_abnormality: vocabulary.is_phenotypic_abnormality(term),
        synonyms: vocabulary.synonyms(term).iter().map(name).collect(),
        parents: relatives(&vocabulary, vocabulary.parents(term)),
        children: relatives(&vocabulary, vocabulary.children(term)),
        cross_references: vocabulary.cross_references(term).iter().map(ToString::to_string).collect(),
        annotations: vocabulary.annotation_count(term),
        diseases: vocabulary.disease_count(term),
        information_content: vocabulary.information_content(term),
    };
    output.result(&shown, text)
}

fn relatives(vocabulary: &Vocabulary, terms: &[TermId]) -> Vec<Relative> {
    let relative = |term: &TermId| Relative {
        id: term.to_string(),
        label: vocabulary.label(*term).unwrap_or_default().to_owned(),
    };
    terms.iter().map(relative).collect()
}

fn name(synonym: &Synonym) -> Name {
    let scope = match synonym.scope() {
        Scope::Exact => "exact",
        Scope::Broad => "broad",
        Scope::Narrow => "narrow",
        Scope::Related => "related",
    };
    let kind = match synonym.kind() {
        SynonymKind::Plain => "professional",
        SynonymKind::Lay => "lay",
        SynonymKind::Abbreviation => "abbreviation",
        SynonymKind::British => "british",
        SynonymKind::Plural => "plural",
        SynonymKind::Discarded => "discarded",
    };
    Name { text: synonym.text().to_owned(), scope, kind }
}

fn text(shown: &Shown) -> String {
    let mut lines = vec![format!("{}  {}", shown.id, shown.label)];
    if let Some(asked) = &shown.asked {
        lines.push(format!("  {asked} has moved here"));
    }
    if !shown.phenotypic_abnormality {
        lines.push("  no phenotypic abnormality: it cannot describe a case".to_owned());
    }
    for synonym in &shown.synonyms {
        lines.push(format!("  also    {} ({}, {})", synonym.text, synonym.kind, synonym.scope));
    }
    for parent in &shown.parents {
        lines.push(format!("  above   {}  {}", parent.id, parent.label));
    }
    for child in &shown.children {
        lines.push(format!("  below   {}  {}", child.id, child.label));
    }
    if !shown.cross_references.is_empty() {
        lines.push(format!("  codes   {}", shown.cross_references.join(", ")));
    }
    let (rows, diseases, content) = (shown.annotations, shown.diseases, shown.information_content);
    lines.push(format!(
        "  {rows} annotations; with the terms below, {diseases} diseases; information {content:.2} nats"
    ));
    lines.push(format!("HPO release {}, HPO Consortium", shown.release));
    lines.join("\n")
}
