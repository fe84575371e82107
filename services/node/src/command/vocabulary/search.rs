//! `semblance vocabulary search`.

use std::sync::Arc;

use anyhow::Context as _;
use semblance_core::vocabulary::search::{Exactness, Hit, LayWord, MatchKind, SearchIndex};
use serde::Serialize;

use super::{Source, open, read};
use crate::output::Output;

/// Find symptoms by words: labels, synonyms, lay words, either spelling of English, with slips of the finger.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to look for.
    #[arg(required = true, value_name = "WORDS")]
    words: Vec<String>,
    /// How many terms to show at most.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// Lay words of your own, one a line: words, tab, HPO id; without it the built-in ones.
    #[arg(long, value_name = "FILE")]
    lay_words: Option<std::path::PathBuf>,
    #[command(flatten)]
    source: Source,
}

#[derive(Serialize)]
struct Found {
    release: String,
    hits: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    label: String,
    /// The name that matched.
    matched: String,
    kind: &'static str,
    exactness: &'static str,
    score: u32,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<()> {
    let index = index(arguments)?;
    let hits = index.search(&arguments.words.join(" "), usize::from(arguments.limit));
    let found = Found { release: index.vocabulary().release().to_owned(), hits: hits.into_iter().map(row).collect() };
    output.result(&found, text)
}

fn index(arguments: &Arguments) -> anyhow::Result<Arc<SearchIndex>> {
    let (vocabulary, lay_words) = (arguments.source.vocabulary.as_deref(), arguments.lay_words.as_deref());
    if vocabulary.is_none() && lay_words.is_none() {
        return Ok(SearchIndex::built_in());
    }
    let lay_words = match lay_words {
        Some(file) => {
            let text = String::from_utf8(read(file)?).with_context(|| format!("{} is not UTF-8", file.display()))?;
            LayWord::parse(&text).with_context(|| format!("cannot use {}", file.display()))?
        }
        None => LayWord::built_in(),
    };
    Ok(Arc::new(SearchIndex::new(open(vocabulary)?, &lay_words)))
}

fn row(hit: Hit) -> Row {
    let kind = match hit.kind {
        MatchKind::Label => "label",
        MatchKind::Synonym => "synonym",
        MatchKind::Lay => "lay word",
        MatchKind::Overlay => "our lay word",
    };
    let exactness = match hit.exactness {
        Exactness::Exact => "exact",
        Exactness::Words => "all words",
        Exactness::Similar => "similar",
    };
    Row { id: hit.term.to_string(), label: hit.label, matched: hit.matched, kind, exactness, score: hit.score }
}

fn text(found: &Found) -> String {
    if found.hits.is_empty() {
        return format!("nothing found in HPO release {}; try fewer or other words", found.release);
    }
    let widest = found.hits.iter().map(|row| row.label.chars().count()).max().unwrap_or_default().min(60);
    let line =
        |row: &Row| format!("{}  {:widest$}  {} \"{}\" ({})", row.id, row.label, row.kind, row.matched, row.exactness);
    let mut lines: Vec<String> = found.hits.iter().map(line).collect();
    lines.push(format!("HPO release {}, HPO Consortium", found.release));
    lines.join("\n")
}
