//! What an attacker without the epoch key reads: the share of observed-term occurrences whose token is read rightly.
//!
//! Attackers on fingerprints: one with public disease annotations; one with plaintext cases of the same distribution
//! (half of the file; the other half is published); one with public annotations and 200 published cases in plaintext
//! (counted on the other cases). Attackers on a log of 1,000 queries, as a dishonest matcher could keep it: with public
//! annotations and 0, 5 or 20 of the cases in plaintext. A keyed token tells nothing but which tokens are equal, so
//! tokens are stood for by numbers in random order. These are attacks we wrote: a better attacker reads more, and
//! against closures the one with public annotations alone hardly begins to read.

mod attack;
mod kinship;
mod publication;
mod query_log;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use semblance_core::dummies::Frequencies;
use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;
use serde_json::{Map, Value, json};

use crate::cases::{self, Case, Register};
use crate::draw::Draw;
use crate::report;
use attack::Knowledge;
use publication::{Design, Publication, Publisher};

/// Cases that the knowing attacker has.
const KNOWN: usize = 200;
/// Patients imagined from public annotations.
const IMAGINED: usize = 6000;

/// What to run on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Cases that are published, as JSON lines, gzipped or not: case_id, pub, disease, observed.
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the bench.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let vocabulary = Vocabulary::built_in();
    let frequencies = Frequencies::of(&vocabulary);
    let mut found = cases::read(&arguments.cases, &vocabulary, &mut Register::default())?.cases;
    Draw::new(0, "leakage").shuffle(&mut found);
    let observed: Vec<Vec<TermId>> = found.iter().map(|case: &Case| case.observed.terms().to_vec()).collect();
    let imagined = publication::imagine(&vocabulary, IMAGINED);
    let publisher = Publisher { vocabulary: &vocabulary, frequencies: &frequencies };

    let mut report = Map::new();
    let mut table = format!("{} cases; share of observed-term occurrences read\n\n", observed.len());
    table.push_str("attacker             terms-8  unpadded  closure\n");
    let mut rows: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for design in [Design::Padded, Design::Unpadded, Design::Closure] {
        let results = std::thread::scope(|scope| {
            let public = scope.spawn(|| public(&publisher, design, &observed, &imagined));
            let same = scope.spawn(|| same_distribution(&publisher, design, &observed));
            let known = known(&publisher, design, &observed, &imagined);
            [("public", public.join()), ("same-distribution", same.join()), ("known-200", Ok(known))]
        });
        for (attacker, share) in results {
            let share = share.map_err(|_| anyhow::anyhow!("an attack failed"))??;
            rows.entry(attacker).or_default().push((design.name(), share));
        }
    }
    for attacker in ["public", "same-distribution", "known-200"] {
        let shares = rows.remove(attacker).unwrap_or_default();
        let numbers: Vec<String> = shares.iter().map(|(_, share)| format!("{share:.3}")).collect();
        table.push_str(&format!("{attacker:<20} {}\n", numbers.join("    ")));
        let shares: Map<String, Value> =
            shares.into_iter().map(|(name, share)| (name.to_owned(), json!(share))).collect();
        report.insert(attacker.to_owned(), Value::Object(shares));
    }
    let (log, log_table) = query_log::run(&publisher, &observed, &imagined)?;
    table.push_str(&log_table);
    report.insert("query-log".to_owned(), log);
    let (kinship, kinship_table) = kinship::run(&publisher, &observed)?;
    table.push_str(&kinship_table);
    report.insert("dummies-told-apart".to_owned(), kinship);
    report::print(arguments.json, &Value::Object(report), &table);
    Ok(())
}

fn public(
    publisher: &Publisher<'_>,
    design: Design,
    observed: &[Vec<TermId>],
    imagined: &[Vec<TermId>],
) -> anyhow::Result<f64> {
    let published = publisher.publish(design, observed, "published")?;
    let sets = publisher.treat(design, imagined, "imagined")?;
    let knowledge = Knowledge { sets: &sets, known: &[], stray: 0.0, kin: None };
    Ok(published.share_read(&attack::read(&published.sets, &knowledge), 0))
}

fn same_distribution(publisher: &Publisher<'_>, design: Design, observed: &[Vec<TermId>]) -> anyhow::Result<f64> {
    let (target, own) = observed.split_at(observed.len() / 2);
    let published = publisher.publish(design, target, "published")?;
    let sets = publisher.treat(design, own, "own")?;
    let knowledge = Knowledge { sets: &sets, known: &[], stray: 0.0, kin: None };
    Ok(published.share_read(&attack::read(&published.sets, &knowledge), 0))
}

fn known(
    publisher: &Publisher<'_>,
    design: Design,
    observed: &[Vec<TermId>],
    imagined: &[Vec<TermId>],
) -> anyhow::Result<f64> {
    let published = publisher.publish(design, observed, "published")?;
    let open: Vec<Vec<TermId>> = observed.iter().take(KNOWN).cloned().collect();
    let known: Vec<(usize, Vec<TermId>)> =
        open.iter().map(|terms| publisher.visible(design, terms)).enumerate().collect();
    let sets = learned(publisher, design, &open, imagined)?;
    // A dummy is one of thousands, weighted to the frequent ones; without dummies a stray cannot be.
    let stray = if design == Design::Padded { -6.0 } else { -50.0 };
    let knowledge = Knowledge { sets: &sets, known: &known, stray, kin: None };
    Ok(published.share_read(&attack::read(&published.sets, &knowledge), KNOWN))
}

/// Public statistics, and the known cases often enough to weigh as much.
fn learned(
    publisher: &Publisher<'_>,
    design: Design,
    open: &[Vec<TermId>],
    imagined: &[Vec<TermId>],
) -> anyhow::Result<Vec<Vec<TermId>>> {
    let times = imagined.len().checked_div(2 * open.len()).unwrap_or(0).min(20);
    let repeated: Vec<Vec<TermId>> = std::iter::repeat_n(open, times).flatten().cloned().collect();
    let imagined = imagined.iter().take((repeated.len() * 2).max(2000)).cloned();
    publisher.treat(design, &repeated.into_iter().chain(imagined).collect::<Vec<_>>(), "learned")
}

/// Numbers that stand for the keyed tokens of terms.
#[derive(Default)]
struct Numbers(HashMap<TermId, u32>);

impl Numbers {
    /// Gives every term of these sets a number, in random order.
    fn of(sets: &[Vec<TermId>]) -> Self {
        let mut terms: Vec<TermId> = sets.iter().flatten().copied().collect();
        terms.sort_unstable();
        terms.dedup();
        Draw::new(0, "tokens").shuffle(&mut terms);
        Self(terms.into_iter().zip(0..).collect())
    }

    fn set(&self, terms: &[TermId]) -> Vec<u32> {
        terms.iter().filter_map(|term| self.0.get(term).copied()).collect()
    }
}

/// The share of these cases' terms whose number was read as the term, by the best of the readings.
fn share_read(numbers: &Numbers, readings: &[HashMap<u32, TermId>], cases: &[Vec<TermId>]) -> f64 {
    let all = cases.iter().flatten().count().max(1) as f64;
    let share = |read: &HashMap<u32, TermId>| {
        let right = |term: &&TermId| numbers.0.get(term).and_then(|number| read.get(number)) == Some(*term);
        cases.iter().flatten().filter(right).count() as f64 / all
    };
    (readings.iter().map(share).fold(0.0, f64::max) * 10_000.0).round() / 10_000.0
}

impl Publication {
    fn share_read(&self, read: &[HashMap<u32, TermId>], skip: usize) -> f64 {
        share_read(&self.numbers, read, self.observed.get(skip..).unwrap_or_default())
    }
}
