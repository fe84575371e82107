//! The test vectors of RFC 9420 for passive clients, through the store that keeps the channels' own state: a client
//! joins by a Welcome and follows proposals and commits, and its epoch authenticator is compared in every epoch.
//!
//! The vectors are those of <https://github.com/mlswg/mls-implementations>, `test-vectors/passive-client-*.json`, gzipped. They
//! are not part of this repository: name their folder in `SEMBLANCE_MLS_VECTORS`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is not as expected")]

mod client;
mod vector;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use openmls::prelude::Ciphersuite;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use semblance_channels::store::{MemoryStore, SqliteStore};

use vector::Vector;

const FILES: [&str; 3] = ["passive-client-welcome", "passive-client-handling-commit", "passive-client-random"];
/// The cipher suites of RFC 9420 section 17.1 that our cryptography has; of these, vectors must have been checked.
const SUITES: [u16; 3] = [1, 2, 3];

fn main() -> ExitCode {
    let folder = std::env::var_os("SEMBLANCE_MLS_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/mls-vectors")),
        PathBuf::from,
    );
    if !folder.exists() {
        say(&format!("SKIPPED: {} is not here; set SEMBLANCE_MLS_VECTORS", folder.display()));
        return ExitCode::SUCCESS;
    }
    let outcomes: Vec<_> = FILES.iter().map(|file| check_file(&folder, file)).collect();
    let checked = |suite| outcomes.iter().any(|outcome: &Outcome| outcome.checked.contains_key(&suite));
    match SUITES.into_iter().find(|suite| !checked(*suite)) {
        Some(suite) => panic!("no vector of cipher suite {suite} was checked"),
        None => ExitCode::SUCCESS,
    }
}

/// What became of the vectors of one file, by cipher suite.
#[derive(Default)]
struct Outcome {
    checked: BTreeMap<u16, usize>,
    unsupported: BTreeMap<u16, usize>,
    epochs: usize,
}

fn check_file(folder: &Path, file: &str) -> Outcome {
    let vectors = vector::read(&folder.join(format!("{file}.json.gz")));
    let mut outcome = Outcome::default();
    for (number, vector) in vectors.iter().enumerate() {
        let suite = vector.cipher_suite;
        if is_supported(suite) {
            let name = format!("{file}, number {number}, cipher suite {suite}");
            outcome.epochs += check(&name, vector);
            *outcome.checked.entry(suite).or_default() += 1;
        } else {
            *outcome.unsupported.entry(suite).or_default() += 1;
        }
    }
    let Outcome { checked, unsupported, epochs } = &outcome;
    let (passed, left) = (checked.values().sum::<usize>(), unsupported.values().sum::<usize>());
    say(&format!("{file}: {passed} of {} passed, {epochs} epoch authenticators compared", vectors.len()));
    say(&format!("    passed, by cipher suite: {}", by_suite(checked)));
    if left > 0 {
        say(&format!("    SKIPPED {left} of cipher suites that our cryptography lacks: {}", by_suite(unsupported)));
    }
    assert!(passed > 0, "{file}: nothing was checked");
    outcome
}

fn is_supported(suite: u16) -> bool {
    let supported = Ciphersuite::try_from(suite).is_ok_and(|suite| RustCrypto::default().supports(suite).is_ok());
    assert_eq!(supported, SUITES.contains(&suite), "what is said of cipher suite {suite} is no longer so");
    supported
}

/// Follows a vector in both stores; how many epoch authenticators were compared.
fn check(name: &str, vector: &Vector) -> usize {
    client::follow(&format!("{name}, in memory"), MemoryStore::default(), vector)
        + client::follow(&format!("{name}, in SQLite"), SqliteStore::in_memory().unwrap(), vector)
}

fn by_suite(counts: &BTreeMap<u16, usize>) -> String {
    let parts: Vec<_> = counts.iter().map(|(suite, count)| format!("suite {suite}: {count}")).collect();
    parts.join(", ")
}

fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
}
