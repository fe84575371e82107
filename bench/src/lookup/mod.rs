//! How fast look-ups are, against other ways to get the same answers and against stock engines.
//!
//! CPU time of one thread; each query goes through all engines in a random order, several times over, and its best
//! time counts. Our answers, the reference's and the scan's must be equal in cases, order and integer scores.

mod accumulator;
mod bloom;
mod data;
mod stock;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use semblance_core::observed::ObservedTerms;
use semblance_core::query::{Breadth, Query};
use semblance_core::time::Timestamp;
use semblance_index::oracle::Oracle;
use semblance_index::{Block, Change, Filters, IndexedCase, Merging, Position, Searcher, Writer};
use serde_json::{Map, Value, json};

use crate::draw::Draw;
use crate::measure::{folder_bytes, process_seconds, thread_seconds};
use crate::report;
use crate::samples::{Samples, round};
use accumulator::{Answer, Reference};
use bloom::Bloom;
use data::Source;
use stock::Stock;

/// Speed of look-ups.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Numbers of cases, one run each.
    #[arg(long, value_delimiter = ',', default_values_t = [100_000, 1_000_000])]
    cases: Vec<u32>,
    /// Resample these published cases (JSON lines, gzipped) instead of invented ones.
    #[arg(long)]
    from: Option<PathBuf>,
    /// How many queries of each breadth.
    #[arg(long, default_value_t = 200)]
    queries: usize,
    /// How often each query is asked; its best time counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Everything is before this: no case expires.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// The asker's hospital.
const FILTERS: Filters = Filters::of(0);
/// Cases in a block of the ledger while the index is built.
const BLOCK: usize = 500;
/// Commits of the index with many segments.
const SEGMENTS: usize = 12;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut report = Map::new();
    for &cases in &arguments.cases {
        report.insert(cases.to_string(), run_one(arguments, cases)?);
    }
    let report = Value::Object(report);
    report::print(arguments.json, &report, &table(&report));
    Ok(())
}

/// The cases of one run, and what is asked.
struct World {
    source: Source,
    cases: Vec<IndexedCase>,
    withdrawn: HashSet<u32>,
    asked: Vec<ObservedTerms>,
    draw: Draw,
}

impl World {
    fn new(arguments: &Arguments, count: u32) -> anyhow::Result<Self> {
        let mut draw = Draw::new(1, "lookup");
        let source = Source::new(arguments.from.as_deref(), &mut draw)?;
        let mut cases = Vec::with_capacity(count as usize);
        for ordinal in 0..count {
            let observed = source.observed(&mut draw);
            cases.push(source.case(ordinal, &observed, &mut draw)?);
        }
        let withdrawn = (0..count).filter(|_| draw.below(10) == 0).collect();
        let asked = (0..arguments.queries).map(|_| source.asked(&mut draw)).collect();
        Ok(Self { source, cases, withdrawn, asked, draw })
    }

    fn queries(&self, breadth: Breadth) -> anyhow::Result<Vec<Query>> {
        self.asked.iter().map(|observed| self.source.query(breadth, observed)).collect()
    }
}

fn run_one(arguments: &Arguments, count: u32) -> anyhow::Result<Value> {
    let mut world = World::new(arguments, count)?;
    let folder = tempfile::tempdir()?;
    let (mut writer, build) = build(&world, &folder.path().join("index"), Merging::Automatic, usize::MAX)?;
    let (many, _) =
        self::build(&world, &folder.path().join("many"), Merging::Off, world.cases.len().div_ceil(SEGMENTS))?;
    let stock_folder = folder.path().join("stock");
    std::fs::create_dir(&stock_folder)?;
    let mut engines = Engines {
        ours: writer.searcher(),
        many: many.searcher(),
        reference: Reference::new(&world.cases, &world.withdrawn),
        scan: Oracle::new(world.cases.iter().filter(|case| !world.withdrawn.contains(&case.ordinal())), NOW),
        bloom: Bloom::new(&world.cases, &world.withdrawn),
        stock: Stock::new(&stock_folder, &world.cases, &world.withdrawn)?,
    };
    let mut report = build;
    report.insert("segments_many".into(), json!(many.segments()?));
    let tokens: usize = world.cases.iter().map(|case| case.tokens().len()).sum();
    report.insert("tokens_a_case".into(), json!(round(tokens as f64 / f64::from(count))));
    for (name, breadth) in [("wide", Breadth::Wide), ("close", Breadth::Close)] {
        let queries = world.queries(breadth)?;
        for wanted in [10, 100] {
            let figures = engines.measure(&queries, wanted, arguments.rounds, &mut world.draw)?;
            report.insert(format!("{name}-{wanted}"), figures);
        }
    }
    drop(engines);
    report.insert("visible".into(), visible(&mut world, &mut writer)?);
    writer.scrub()?;
    report.insert("bytes_a_case_scrubbed".into(), bytes_a_case(&folder.path().join("index"), &writer)?);
    drop(writer);
    let start = Instant::now();
    let opened = Writer::open(&folder.path().join("index"), Merging::Automatic)?;
    report.insert("ready_ms".into(), json!(round(start.elapsed().as_secs_f64() * 1000.0)));
    drop(opened);
    Ok(Value::Object(report))
}

/// Builds an index block by block, then withdraws.
fn build(
    world: &World,
    folder: &Path,
    merging: Merging,
    commit_every: usize,
) -> anyhow::Result<(Writer, Map<String, Value>)> {
    let start = process_seconds();
    let mut writer = Writer::open(folder, merging)?;
    let mut since = 0;
    for cases in world.cases.chunks(BLOCK) {
        writer.apply(&next(&writer, cases.iter().cloned().map(Change::Add).collect()))?;
        since += cases.len();
        if since >= commit_every {
            writer.commit()?;
            since = 0;
        }
    }
    writer.commit()?;
    writer.settle()?;
    let built = process_seconds() - start;
    let mut report = Map::new();
    report.insert("built_a_cpu_second".into(), json!(round(world.cases.len() as f64 / built)));
    report.insert("bytes_a_case".into(), bytes_a_case(folder, &writer)?);
    let gone = world.cases.iter().filter(|case| world.withdrawn.contains(&case.ordinal()));
    let gone: Vec<Change> = gone.map(|case| Change::Withdraw(case.handle())).collect();
    let start = thread_seconds();
    for changes in gone.chunks(gone.len().div_ceil(10).max(1)) {
        writer.apply(&next(&writer, changes.to_vec()))?;
    }
    let spent = thread_seconds() - start;
    report.insert("withdrawals_a_cpu_second".into(), json!(round(gone.len() as f64 / spent)));
    writer.commit()?;
    report.insert("segments".into(), json!(writer.segments()?));
    Ok((writer, report))
}

fn next(writer: &Writer, changes: Vec<Change>) -> Block {
    let block = writer.applied().map_or(0, |position| position.block + 1);
    Block { position: Position { block, time: NOW }, changes }
}

fn bytes_a_case(folder: &Path, writer: &Writer) -> anyhow::Result<Value> {
    let cases = writer.searcher().view().collection().cases;
    Ok(json!(round(folder_bytes(folder)? as f64 / f64::from(cases))))
}

struct Engines {
    ours: Searcher,
    many: Searcher,
    reference: Reference,
    scan: Oracle,
    bloom: Bloom,
    stock: Stock,
}

const NAMES: [&str; 7] = [
    "semblance",
    "semblance, many segments",
    "accumulator",
    "scan",
    "tantivy union",
    "tantivy BlockWAND",
    "bloom-1024",
];

impl Engines {
    fn measure(&mut self, queries: &[Query], wanted: usize, rounds: usize, draw: &mut Draw) -> anyhow::Result<Value> {
        let mut samples = vec![Samples::default(); NAMES.len()];
        let mut found = 0;
        for query in queries {
            let mut best = [f64::INFINITY; NAMES.len()];
            let mut answers: Vec<Vec<Answer>> = vec![Vec::new(); NAMES.len()];
            for _ in 0..rounds.max(1) {
                let mut order: Vec<usize> = (0..NAMES.len()).collect();
                draw.shuffle(&mut order);
                for engine in order {
                    let start = thread_seconds();
                    let answer = self.ask(engine, query, wanted)?;
                    let spent = thread_seconds() - start;
                    if let (Some(best), Some(slot)) = (best.get_mut(engine), answers.get_mut(engine)) {
                        *best = best.min(spent);
                        *slot = answer;
                    }
                }
            }
            let [ours, many, reference, scan, ..] = answers.as_slice() else { continue };
            anyhow::ensure!(ours == many && ours == reference && ours == scan, "two exact engines answer differently");
            found += usize::from(!ours.is_empty());
            best.iter().zip(&mut samples).for_each(|(best, samples)| samples.push(*best));
        }
        let mut report: Map<String, Value> =
            NAMES.iter().zip(&samples).map(|(name, samples)| ((*name).to_owned(), samples.report())).collect();
        let tokens: usize = queries.iter().flat_map(Query::groups).map(|group| 1 + group.relatives.len()).sum();
        report.insert("tokens_a_query".into(), json!(round(tokens as f64 / queries.len() as f64)));
        report.insert("queries_answered".into(), json!(round(found as f64 / queries.len() as f64)));
        Ok(Value::Object(report))
    }

    fn ask(&mut self, engine: usize, query: &Query, wanted: usize) -> anyhow::Result<Vec<Answer>> {
        let hits = |searcher: &Searcher| -> anyhow::Result<Vec<Answer>> {
            let hits = searcher.view().search_for(query, FILTERS, wanted)?;
            Ok(hits.iter().map(|hit| (hit.ordinal, hit.score)).collect())
        };
        Ok(match engine {
            0 => hits(&self.ours)?,
            1 => hits(&self.many)?,
            2 => self.reference.search(query, FILTERS, wanted),
            3 => self.scan.search(query, FILTERS, wanted).iter().map(|found| (found.ordinal, found.score)).collect(),
            4 => vec![(0, self.stock.search_all(&self.stock.query(query), wanted)? as u64)],
            5 => vec![(0, self.stock.search_pruning(&self.stock.query(query), wanted)? as u64)],
            _ => self.bloom.search(query, wanted),
        })
    }
}

/// From the arrival of a case to an answer that holds it, by the wall: also when it arrives during a commit.
fn visible(world: &mut World, writer: &mut Writer) -> anyhow::Result<Value> {
    let searcher = writer.searcher();
    let mut samples = Samples::default();
    for number in 0..200 {
        let ordinal = world.cases.len() as u32 + number;
        let observed = world.source.observed(&mut world.draw);
        let case = world.source.case(ordinal, &observed, &mut world.draw)?;
        let query = world.source.query(Breadth::Close, &observed)?;
        let filters = Filters { exclude: None, shared_min: 3 };
        let start = Instant::now();
        if number % 10 == 0 {
            writer.commit()?;
        }
        writer.apply(&next(writer, vec![Change::Add(case.clone())]))?;
        // All that share as much: the new case is among them, at whatever rank.
        let hits = searcher.view().search_for(&query, filters, 100_000)?;
        samples.push(start.elapsed().as_secs_f64());
        anyhow::ensure!(hits.iter().any(|hit| hit.handle == case.handle()), "an added case does not show");
    }
    Ok(samples.report())
}

fn table(report: &Value) -> String {
    let mut text = String::new();
    for (cases, figures) in report.as_object().into_iter().flatten() {
        text.push_str(&format!("{cases} cases, one in ten withdrawn\n"));
        for (name, figure) in figures.as_object().into_iter().flatten() {
            let Some(engines) = figure.as_object().filter(|_| name != "visible") else {
                text.push_str(&format!("  {name}: {figure}\n"));
                continue;
            };
            text.push_str(&format!("  {name:<32}{:>10}{:>10}\n", "p50 ms", "p99 ms"));
            for (engine, times) in engines {
                match (times.get("p50_ms"), times.get("p99_ms")) {
                    (Some(Value::Number(median)), Some(Value::Number(worst))) => {
                        text.push_str(&format!("    {engine:<30}{:>10}{:>10}\n", median.to_string(), worst.to_string()))
                    }
                    _ => text.push_str(&format!("    {engine:<30}{:>10}\n", times.to_string())),
                }
            }
        }
    }
    text
}
