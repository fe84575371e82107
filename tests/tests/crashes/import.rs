//! A hospital's process is killed while it imports: every acknowledged case is there, every case is whole, and the same
//! import again ends with each case once.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::time::{Duration, Instant};

use super::{check_ready, writer};
use semblance_hospital::import::Unobserved;
use semblance_hospital::store::{Store, StoreError, case};
use semblance_tests::kill::{Moments, after, rounds, run_and_kill};
use semblance_tests::write::hospital::{case_id, import, make_file, terms};

#[test]
fn a_killed_import_keeps_what_it_acknowledged() {
    crash(300, rounds(2), Duration::from_millis(600));
}

#[test]
#[ignore = "slow: ten thousand cases, thirty crashes"]
fn a_killed_import_into_ten_thousand_cases_keeps_what_it_acknowledged() {
    let slowest = crash(10_000, rounds(30), Duration::from_millis(1000));
    check_ready("import", slowest);
}

/// Returns how long the slowest restart took.
fn crash(inside: usize, rounds: u64, longest: Duration) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("hospital.db"), folder.path().join("cases.jsonl"));
    make_file(&file, 0, inside);
    import(&Store::open(&path).unwrap(), &file, 0, &mut Unobserved);
    let (mut moments, mut slowest, mut acknowledged) = (Moments::default(), Duration::ZERO, 0);
    let mut known = (0..inside).map(|number| case_id(0, number)).collect::<BTreeSet<_>>();
    for round in 1..=rounds {
        make_file(&file, round, inside);
        let (moment, seed) = (moments.next(longest), round.to_string());
        let arguments = [OsStr::new("hospital"), path.as_os_str(), file.as_os_str(), OsStr::new(&seed)];
        let said = run_and_kill(writer(), &arguments, moment);
        let begun = Instant::now();
        let store = Store::open(&path).unwrap();
        store.step(case::count).unwrap();
        slowest = slowest.max(begun.elapsed());

        let stored = stored(&store);
        let lost: Vec<_> =
            known.iter().map(String::as_str).chain(after(&said, "kept")).filter(|id| !stored.contains(*id)).collect();
        assert!(lost.is_empty(), "{} acknowledged cases are lost, {:?} first", lost.len(), lost[0]);
        acknowledged += said.len();

        if round % 10 == 1 {
            let new = stored.len() - known.len();
            let report = import(&store, &file, round + 1000, &mut Unobserved);
            assert_eq!((report.unchanged, report.imported), (new as u64, (inside - new) as u64));
            known.extend((0..inside).map(|number| case_id(round, number)));
        } else {
            known = stored;
        }
    }
    assert!(acknowledged > 0, "no round imported anything: the moments are too early");
    slowest
}

/// The ids of all cases, each of which must be whole.
fn stored(store: &Store) -> BTreeSet<String> {
    let (mut ids, mut last) = (BTreeSet::new(), String::new());
    loop {
        let page = store.step(|tx| -> Result<_, StoreError> { case::page(tx, &last, 500) }).unwrap();
        for found in &page {
            let id = found.content.local_id.as_str();
            assert_eq!(found.content.observed(), terms(id), "{id} is there in part");
            assert_eq!(found.revision, 1, "{id} was taken for a correction");
            ids.insert(id.to_owned());
        }
        match page.last() {
            Some(found) => found.content.local_id.as_str().clone_into(&mut last),
            None => return ids,
        }
    }
}
