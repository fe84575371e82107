//! Benchmarks of Semblance against their competitors, run by hand.
//!
//! One file or folder for each subcommand; each prints a table, or JSON with `--json`. Whatever README or SECURITY.md
//! claims as a number is printed here. To add a bench: a module with `Arguments` and `run`, and a line in [`Bench`].

mod cases;
mod channels;
mod draw;
mod leakage;
mod ledger;
mod lookup;
mod measure;
mod report;
mod retrieval;
mod samples;
mod vocabulary;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "semblance-bench", about = "Benchmarks of Semblance against their competitors")]
struct Program {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// How fast channels are, beside openmls alone.
    Channels(channels::Arguments),
    /// How fast a Fabric network takes publications and look-ups.
    Ledger(ledger::Arguments),
    /// How fast look-ups are.
    Lookup(lookup::Arguments),
    /// What an attacker without the key reads from fingerprints and from a log of queries.
    Leakage(leakage::Arguments),
    /// How well cases of the same disease are found.
    Retrieval(retrieval::Arguments),
    /// How fast and how rightly symptoms are found by words.
    Vocabulary(vocabulary::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Program::parse().bench {
        Bench::Channels(arguments) => channels::run(&arguments),
        Bench::Ledger(arguments) => ledger::run(&arguments),
        Bench::Lookup(arguments) => lookup::run(&arguments),
        Bench::Leakage(arguments) => leakage::run(&arguments),
        Bench::Retrieval(arguments) => retrieval::run(&arguments),
        Bench::Vocabulary(arguments) => vocabulary::run(&arguments),
    }
}
