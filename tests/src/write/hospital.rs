//! Imports cases into a hospital's store.

use std::path::Path;

use semblance_core::id::Digest;
use semblance_core::random::SeededSource;
use semblance_core::term::TermId;
use semblance_core::time::ManualClock;
use semblance_hospital::import::{Bounds, Import, ImportObserver, ImportReport, Known, RowReport};
use semblance_hospital::store::Store;

use super::say;
use crate::network::START;

/// The id of a case of a round.
#[must_use]
pub fn case_id(round: u64, number: usize) -> String {
    format!("round-{round:04}-case-{number:06}")
}

/// The symptoms of a case, which follow from its id, ascending.
#[must_use]
pub fn terms(id: &str) -> Vec<TermId> {
    let digest = Digest::of(id.as_bytes());
    let terms = digest.as_bytes().chunks_exact(4).map(|four| u32::from_be_bytes([0, four[1], four[2], four[3]]));
    let terms: std::collections::BTreeSet<TermId> =
        terms.map(|number| TermId::new(number % 10_000_000).unwrap()).collect();
    terms.into_iter().collect()
}

/// Writes so many cases of a round as JSON lines.
pub fn make_file(path: &Path, round: u64, count: usize) {
    let line = |number| {
        let id = case_id(round, number);
        let terms: Vec<String> = terms(&id).iter().map(|term| format!("\"{term}\"")).collect();
        format!("{{\"case_id\":\"{id}\",\"observed\":[{}]}}\n", terms.join(","))
    };
    std::fs::write(path, (0..count).map(line).collect::<String>()).unwrap();
}

/// Imports a file of cases.
pub fn import(store: &Store, file: &Path, seed: u64, observer: &mut dyn ImportObserver) -> ImportReport {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let import = Import {
        store,
        known: &|_| Known::Symptom,
        clock: &ManualClock::at(START),
        random: &SeededSource::new(bytes),
        bounds: Bounds::default(),
        actor: "test",
    };
    import.run(file, observer).unwrap()
}

/// Says `kept` and the id of each case that the import acknowledges.
struct Loud;

impl ImportObserver for Loud {
    fn row(&mut self, row: &RowReport) {
        if let Some(case) = &row.case {
            say(&format!("kept {case}"));
        }
    }
}

/// Imports a file and then waits to be killed.
pub fn write(store: &Path, file: &Path, seed: u64) {
    let store = Store::open(store).unwrap();
    say("ready");
    import(&store, file, seed, &mut Loud);
    loop {
        std::thread::park();
    }
}
