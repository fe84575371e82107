//! How well cases of the same disease are found: our queries through the real fingerprint and index, against
//! plaintext similarities.
//!
//! Protocol: cases with at least three observed terms; queries are up to ten cases of each disease that is seen in at
//! least two publications; the query's own publication is masked; a hit at n is a case of the same disease among the
//! first n; figures are averaged over the queries of a disease, then over diseases, then over three seeds. *Noisy*
//! queries lose 30 % of their terms, have 30 % of the rest replaced by a parent, and gain two random terms.

mod figures;
mod floor;
mod noise;
mod plaintext;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use semblance_core::dummies::Frequencies;
use semblance_core::query::Breadth;
use semblance_core::vocabulary::Vocabulary;
use serde_json::{Map, Value};

use crate::cases::{self, Case, Register};
use crate::draw::Draw;
use crate::report;
use figures::{Figures, Tally};

/// Most queries of one disease and seed.
const QUERIES_A_DISEASE: usize = 10;
/// Seeds averaged.
const SEEDS: u64 = 3;

/// What to run on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Cases to search, as JSON lines, gzipped or not: case_id, pub, disease, observed.
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
    /// Queries of the same shape to ask instead of cases of the file itself.
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A way to rank cases.
pub(crate) trait Ranking: Sync {
    /// The rank, from 1, of the first case of the query's disease outside its publication; `None` if it is not found.
    ///
    /// # Errors
    /// The query cannot be made or asked.
    fn rank(&self, query: &Case) -> anyhow::Result<Option<usize>>;
}

/// Runs the bench.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let vocabulary = Vocabulary::built_in();
    let frequencies = Frequencies::of(&vocabulary);
    let mut register = Register::default();
    let mut pool = cases::read(&arguments.cases, &vocabulary, &mut register)?;
    let asked = arguments.queries.as_deref().map(|path| cases::read(path, &vocabulary, &mut register)).transpose()?;
    // Cases of one publication stand together in the file; ties must not favour them.
    Draw::new(0, "order").shuffle(&mut pool.cases);

    let collection = tokens::Collection::build(&pool.cases, &vocabulary, &frequencies)?;
    let plain = plaintext::Corpus::build(&pool.cases, &vocabulary);
    let rankings: [(&str, &dyn Ranking); 5] = [
        ("terms-8-close", &collection.close()),
        ("terms-8-wide", &collection.wide()),
        ("unpadded-wide", &collection.unpadded_wide()),
        ("simgic", &plain.simgic()),
        ("phenodigm", &plain.phenodigm()),
    ];
    let symptoms = noise::symptoms(&vocabulary);
    let mut tallies: BTreeMap<(&str, &str), Tally> = BTreeMap::new();
    let mut floors = [floor::Calibration::new(Breadth::Close), floor::Calibration::new(Breadth::Wide)];
    let mut queries = 0;
    for seed in 0..SEEDS {
        let clean = match &asked {
            Some(asked) => asked.cases.clone(),
            None => sample(&pool.cases, seed),
        };
        let clean = answerable(clean, &pool.cases);
        let mut draw = Draw::new(seed, "noise");
        let noisy = clean.iter().map(|case| noise::noisy(case, &vocabulary, &symptoms, &mut draw));
        let noisy = noisy.collect::<anyhow::Result<Vec<Case>>>()?;
        queries += clean.len();
        for (kind, set) in [("clean", &clean), ("noisy", &noisy)] {
            for (name, ranking) in rankings {
                tallies.entry((name, kind)).or_default().add_seed(&figures::ranks(ranking, set)?);
            }
        }
        for floor in &mut floors {
            floor.add(&collection, &clean)?;
        }
    }
    let mut designs = Map::new();
    let mut table = format!(
        "{} cases of {} diseases ({} left out: fewer than 3 terms; {} ids unresolved), {} queries a seed\n\n\
         design          queries  hit@1  hit@10 hit@50 mrr\n",
        pool.cases.len(),
        register.diseases.len(),
        pool.too_few,
        pool.unknown,
        queries / usize::try_from(SEEDS)?,
    );
    for (name, _) in rankings {
        let mut kinds = Map::new();
        for kind in ["clean", "noisy"] {
            let figures: Figures = tallies.get(&(name, kind)).map(Tally::figures).unwrap_or_default();
            table.push_str(&format!("{name:<15} {kind:<8} {figures}\n"));
            kinds.insert(kind.to_owned(), serde_json::to_value(figures)?);
        }
        designs.insert(name.to_owned(), Value::Object(kinds));
    }
    for floor in &floors {
        table.push_str(&floor.table());
        designs.insert(format!("shown-score-{}", floor.name()), floor.json());
    }
    report::print(arguments.json, &Value::Object(designs), &table);
    Ok(())
}

/// Up to ten cases of each disease.
fn sample(pool: &[Case], seed: u64) -> Vec<Case> {
    let mut diseases: BTreeMap<usize, Vec<&Case>> = BTreeMap::new();
    for case in pool {
        diseases.entry(case.disease).or_default().push(case);
    }
    let mut draw = Draw::new(seed, "queries");
    let mut queries = Vec::new();
    for cases in diseases.into_values() {
        let publications: BTreeSet<usize> = cases.iter().map(|case| case.publication).collect();
        if publications.len() >= 2 {
            queries.extend(draw.sample(cases, QUERIES_A_DISEASE).into_iter().cloned());
        }
    }
    queries
}

/// Queries whose disease another publication of the pool has too.
fn answerable(queries: Vec<Case>, pool: &[Case]) -> Vec<Case> {
    let found =
        |query: &Case| pool.iter().any(|case| case.disease == query.disease && case.publication != query.publication);
    queries.into_iter().filter(found).collect()
}
