//! Writes until it is killed: `crash_writer ledger FILE SEED`, `matcher LEDGER FOLDER SEED`, `hospital STORE FILE SEED`,
//! `publication LEDGER FOLDER SEED` or `index FOLDER`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use semblance_tests::write;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what| arguments.next().context(what);
    let (what, path) = (next("ledger, matcher, hospital, publication or index")?, PathBuf::from(next("a path")?));
    match what.as_str() {
        "ledger" => {
            let seed = next("a seed")?.parse()?;
            tokio::runtime::Runtime::new()?.block_on(write::ledger::write(&path, seed));
        }
        "hospital" => {
            let (file, seed) = (PathBuf::from(next("a file")?), next("a seed")?.parse()?);
            write::hospital::write(&path, &file, seed);
        }
        "matcher" => {
            let (folder, seed) = (PathBuf::from(next("a folder")?), next("a seed")?.parse()?);
            tokio::runtime::Runtime::new()?.block_on(write::matcher::write(&path, &folder, seed));
        }
        "publication" => {
            let (folder, seed) = (PathBuf::from(next("a folder")?), next("a seed")?.parse()?);
            tokio::runtime::Runtime::new()?.block_on(write::publication::write(&path, &folder, seed));
        }
        "index" => write::index::write(&path),
        other => bail!("{other} is no writer"),
    }
    Ok(())
}
