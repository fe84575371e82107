//! `semblance vocabulary`: makes, shows and searches the vocabulary of symptoms.

mod build;
mod search;
mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use semblance_core::vocabulary::Vocabulary;

use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Bytes of a file that are read at most: six times the largest official one.
const FILE_MAX: u64 = 256 << 20;

/// Make, show or search the vocabulary of symptoms (Human Phenotype Ontology).
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Build(build::Arguments),
    Show(show::Arguments),
    Search(search::Arguments),
}

/// Does it.
///
/// # Errors
/// A file cannot be read or written, or holds something else; an id is unknown or obsolete.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    match arguments.action {
        Action::Build(arguments) => build::run(&arguments, output),
        Action::Show(arguments) => show::run(&arguments, output),
        Action::Search(arguments) => search::run(&arguments, output),
    }
}

/// The vocabulary of a file, or the built-in one.
fn open(file: Option<&Path>) -> anyhow::Result<Arc<Vocabulary>> {
    let Some(file) = file else { return Ok(Vocabulary::built_in()) };
    let vocabulary = Vocabulary::decode(&read(file)?).with_context(|| format!("cannot use {}", file.display()))?;
    Ok(Arc::new(vocabulary))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    crate::folder::read(file, FILE_MAX)
}

/// Which vocabulary to ask.
#[derive(Debug, clap::Args)]
struct Source {
    /// A vocabulary file made by `vocabulary build`; without it the built-in one.
    #[arg(long, value_name = "FILE")]
    vocabulary: Option<PathBuf>,
}

fn refused(error: &impl ToString) -> Failure {
    Failure::new(Kind::Refused, error.to_string())
}
