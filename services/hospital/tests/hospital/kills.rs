//! The process is killed in the middle of writes: what was acknowledged is there, nothing half-done shows.
//!
//! Three rounds by default; `SEMBLANCE_KILL_ROUNDS=30` for the slow suite.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use semblance_core::random::SeededSource;
use semblance_core::time::{ManualClock, Timestamp};
use semblance_hospital::import::{Bounds, Import, ImportObserver, Known, RowReport};
use semblance_hospital::store::{Store, StoreError, case};

/// Set in the child alone: the folder it works in.
const CHILD: &str = "SEMBLANCE_KILL_CHILD";
const CASES: usize = 10_000;

fn source(folder: &Path) -> PathBuf {
    folder.join("cases.jsonl")
}

/// Says each row on standard output once it is durable.
struct Aloud;

impl ImportObserver for Aloud {
    fn row(&mut self, row: &RowReport) {
        use std::io::Write;
        let case = row.case.as_ref().map(ToString::to_string).unwrap_or_default();
        writeln!(std::io::stdout(), "durable {case}").unwrap();
    }
}

fn import(folder: &Path, observer: &mut dyn ImportObserver) {
    let store = Store::open(&folder.join("hospital.db")).unwrap();
    let import = Import {
        store: &store,
        known: &|_| Known::Symptom,
        clock: &ManualClock::at(Timestamp::from_millis(1)),
        random: &SeededSource::new([1; 32]),
        bounds: Bounds::default(),
        actor: "tester",
    };
    import.run(&source(folder), observer).unwrap();
}

#[test]
fn child() {
    if let Some(folder) = std::env::var_os(CHILD) {
        import(Path::new(&folder), &mut Aloud);
    }
}

#[test]
fn a_killed_import_keeps_what_it_acknowledged_and_is_ready_again_at_once() {
    let rounds: u64 = std::env::var("SEMBLANCE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..CASES)
        .map(|number| {
            let terms: Vec<String> = (1..=13).map(|term| format!("HP:{:07}", number % 97 + term)).collect();
            serde_json::json!({"case_id": format!("c-{number:05}"), "observed": terms}).to_string()
        })
        .collect();
    std::fs::write(source(folder.path()), lines.join("\n")).unwrap();
    for round in 0..rounds {
        let _ = std::fs::remove_file(folder.path().join("hospital.db"));
        let _ = std::fs::remove_file(folder.path().join("hospital.db-wal"));
        let acknowledged = kill_after(folder.path(), 500 + (round * 1_733) % 7_000);
        let start = Instant::now();
        let store = Store::open(&folder.path().join("hospital.db")).unwrap();
        assert!(start.elapsed() < Duration::from_secs(2), "ready again after {:?}", start.elapsed());
        let found = store
            .step(|tx| -> Result<_, StoreError> {
                for id in &acknowledged {
                    let case = case::get(tx, &id.parse().unwrap())?.unwrap_or_else(|| panic!("{id} is lost"));
                    assert_eq!(case.content.terms.len(), 13, "{id} is half there");
                }
                case::count(tx)
            })
            .unwrap();
        assert!(found >= acknowledged.len() as u64 && found < CASES as u64, "{found}");
        assert_eq!(found % 100, 0, "a batch is whole or absent");
        drop(store);
        if round == 0 {
            import(folder.path(), &mut semblance_hospital::import::Unobserved);
            let store = Store::open(&folder.path().join("hospital.db")).unwrap();
            assert_eq!(store.step(case::count).unwrap(), CASES as u64);
        }
    }
}

/// Runs an import in a process of its own and kills it once so many rows are acknowledged. Returns those.
fn kill_after(folder: &Path, rows: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The test harness writes its own words before the first row, on the same line.
        let Some((_, case)) = line.split_once("durable ") else { continue };
        acknowledged.push(case.to_owned());
        if acknowledged.len() as u64 == rows {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() as u64 >= rows);
    acknowledged
}
