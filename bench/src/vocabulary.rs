//! How fast the vocabulary is ready, how fast it answers, and how often it answers rightly.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use semblance_core::vocabulary::Vocabulary;
use semblance_core::vocabulary::search::{Hit, LayWord, SearchIndex};
use serde::Serialize;

const FILE: &[u8] = include_bytes!("../../core/data/hpo.vocabulary");
const GOLDEN: &str = include_str!("../../core/data/search-golden.tsv");

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How often every golden query is asked.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    release: String,
    file_bytes: usize,
    decode_ms: f64,
    index_ms: f64,
    search_p50_ms: f64,
    search_p99_ms: f64,
    /// The set that the search was tuned on.
    tune: Rate,
    /// The set that was kept apart.
    held: Rate,
}

/// Golden queries answered.
#[derive(Default, Serialize)]
struct Rate {
    queries: usize,
    first: usize,
    among_five: usize,
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (vocabulary, decode) = timed(|| Vocabulary::decode(FILE));
    let vocabulary = std::sync::Arc::new(vocabulary?);
    let release = vocabulary.release().to_owned();
    let (index, build) = timed(|| SearchIndex::new(vocabulary, &LayWord::built_in()));
    let (mut tune, mut held) = (Rate::default(), Rate::default());
    let mut times = Vec::new();
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let set = columns.next().context("a golden row is empty")?;
        let (query, expected) = (columns.nth(1).context("no query")?, columns.next().context("no ids")?);
        let (hits, _) = timed(|| index.search(query, 5));
        rate(if set == "held" { &mut held } else { &mut tune }, &hits, expected);
        times.extend((0..arguments.rounds).map(|_| timed(|| index.search(query, 5)).1));
    }
    times.sort_unstable();
    let quantile = |percent: usize| times.get(times.len() * percent / 100).copied().map_or(0.0, millis);
    let report = Report {
        release,
        file_bytes: FILE.len(),
        decode_ms: millis(decode),
        index_ms: millis(build),
        search_p50_ms: quantile(50),
        search_p99_ms: quantile(99),
        tune,
        held,
    };
    let text = if arguments.json { serde_json::to_string_pretty(&report)? } else { text(&report) };
    writeln!(std::io::stdout().lock(), "{text}").context("cannot print")
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn rate(rate: &mut Rate, hits: &[Hit], expected: &str) {
    let fits = |hit: &Hit| expected.split('|').any(|id| id == hit.term.to_string());
    rate.queries += 1;
    rate.first += usize::from(hits.first().is_some_and(fits));
    rate.among_five += usize::from(hits.iter().any(fits));
}

fn text(report: &Report) -> String {
    let rate = |name: &str, rate: &Rate| {
        format!("{name}  {} queries: {} first, {} among five", rate.queries, rate.first, rate.among_five)
    };
    [
        format!("HPO {}, {} bytes", report.release, report.file_bytes),
        format!("decode {:.1} ms, search index {:.1} ms", report.decode_ms, report.index_ms),
        format!("search p50 {:.3} ms, p99 {:.3} ms", report.search_p50_ms, report.search_p99_ms),
        rate("tuned on  ", &report.tune),
        rate("kept apart", &report.held),
    ]
    .join("\n")
}
