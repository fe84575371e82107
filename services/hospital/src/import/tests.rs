use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use semblance_core::random::SeededSource;
use semblance_core::time::{ManualClock, Timestamp};

use super::*;

fn any(_: TermId) -> Known {
    Known::Symptom
}

struct World {
    folder: tempfile::TempDir,
    store: Store,
    clock: ManualClock,
    random: SeededSource,
    bounds: Bounds,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Store::in_memory().unwrap(),
            clock: ManualClock::at(Timestamp::from_millis(1_000)),
            random: SeededSource::new([5; 32]),
            bounds: Bounds::default(),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn import(&self, path: &Path) -> Result<ImportReport, ImportError> {
        let import = Import {
            store: &self.store,
            known: &any,
            clock: &self.clock,
            random: &self.random,
            bounds: self.bounds,
            actor: "tester",
        };
        import.run(path, &mut Unobserved)
    }

    fn count(&self) -> u64 {
        self.store.step(case::count).unwrap()
    }
}

fn packet(id: &str, terms: &[u32]) -> Vec<u8> {
    let features: Vec<_> =
        terms.iter().map(|number| serde_json::json!({"type": {"id": format!("HP:{number:07}")}})).collect();
    serde_json::to_vec(&serde_json::json!({"id": id, "phenotypicFeatures": features})).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn file_folder_archive_and_lines_are_read_and_read_again_without_duplicates() {
    let world = World::new();
    let long = format!("{}/long.json", "deep/".repeat(40));
    let tar = archive(&[("a/t-1.json", &packet("t-1", &[1, 2, 3])), (&long, &packet("t-2", &[1, 2, 3]))]);
    let lines = b"{\"case_id\":\"l-1\",\"observed\":[\"HP:0000001\"]}\n\n{\"case_id\":\"l-2\",\"observed\":[]}";
    let one = world.write("one.json", &packet("f-1", &[1, 2, 3]));
    world.write("folder/inner/x.json", &packet("d-1", &[1, 2, 3]));
    world.write("folder/notes.txt", b"nothing of ours");
    let sources = [
        (one, 1, 0),
        (world.folder.path().join("folder"), 1, 1),
        (world.write("plain.tar", &tar), 2, 0),
        (world.write("lines.jsonl", lines), 2, 0),
    ];
    let mut cases = 0;
    for (path, imported, ignored) in &sources {
        let report = world.import(path).unwrap();
        assert_eq!((report.imported, report.ignored, report.refused), (*imported, *ignored, 0), "{report:?}");
        cases += imported;
        let again = world.import(path).unwrap();
        assert_eq!((again.imported, again.unchanged), (0, *imported));
    }
    for (path, unchanged) in [
        (world.write("packed.tar.gz", &gzip(&tar)), 2),
        (world.write("packed.tgz", &gzip(&tar)), 2),
        (world.write("lines.jsonl.gz", &gzip(lines)), 2),
        (world.write("one.json.gz", &gzip(&packet("f-1", &[1, 2, 3]))), 1),
    ] {
        assert_eq!(world.import(&path).unwrap().unchanged, unchanged, "{}", path.display());
    }
    assert_eq!(world.count(), cases);
}

/// A packet whose symptoms all stand twice and belong elsewhere, its texts as long as they may be read.
fn needy(id: &str, features: usize) -> Vec<u8> {
    let foreign = format!("MONDO:{}", "9".repeat(300));
    let features: Vec<_> =
        (0..features).map(|_| serde_json::json!({"type": {"id": foreign}, "negated": true})).collect();
    serde_json::to_vec(&serde_json::json!({"id": id, "phenotypicFeatures": features})).unwrap()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    #[test]
    fn a_row_stays_small_whatever_it_is_made_of(features in 0_usize..400, name in ".{0,900}", broken in "\\PC{0,900}") {
        let repairs = |count: usize| -> Vec<Repair> {
            (0..count).map(|_| Repair::Foreign { id: "x".repeat(80) }).collect()
        };
        let kept = RowReport::kept(&name, "p".parse().unwrap(), 3, repairs(features));
        proptest::prop_assert_eq!(kept.repairs.len() as u64 + kept.repairs_left_out, features as u64);
        let left = RowReport::left(&name, None, RowOutcome::Refused { reason: broken });
        for row in [kept, left] {
            // 50 repairs of 80 characters, two texts of 400, each at most six bytes a character as JSON, and the frame.
            let bytes = serde_json::to_vec(&row).unwrap().len();
            proptest::prop_assert!(bytes <= 50 * 140 + 2 * 400 * 6 + 600, "{} bytes", bytes);
        }
    }
}

#[test]
fn a_report_names_the_first_repairs_and_counts_the_rest() {
    let world = World::new();
    let path = world.write("needy.json", &needy("p", 60));
    let report = world.import(&path).unwrap();
    let row = &report.rows[0];
    // Each feature is repaired twice: `negated`, and a term of another ontology.
    assert_eq!((report.repaired, row.repairs.len(), row.repairs_left_out), (1, RowReport::REPAIRS_MAX, 70));
}

#[test]
fn an_observer_that_passes_rows_on_leaves_none_in_the_report() {
    #[derive(Default)]
    struct Passing(u64);
    impl ImportObserver for Passing {
        fn row(&mut self, row: &RowReport) {
            self.0 += u64::from(row.is_noteworthy());
        }

        fn keeps_rows(&self) -> bool {
            true
        }
    }
    let world = World::new();
    world.write("folder/a.json", &needy("a", 3));
    world.write("folder/b.json", b"no packet");
    let import = Import {
        store: &world.store,
        known: &any,
        clock: &world.clock,
        random: &world.random,
        bounds: world.bounds,
        actor: "tester",
    };
    let mut passing = Passing::default();
    let report = import.run(&world.folder.path().join("folder"), &mut passing).unwrap();
    assert_eq!((report.rows.len(), report.rows_left_out, passing.0), (0, 2, 2));
    assert_eq!((report.repaired, report.refused), (1, 1));
}

#[test]
fn another_content_is_a_correction_but_not_within_one_import() {
    let world = World::new();
    let first = world.write("p.json", &packet("p", &[1, 2, 3]));
    assert_eq!(world.import(&first).unwrap().imported, 1);
    let second = world.write("p.json", &packet("p", &[1, 2]));
    let report = world.import(&second).unwrap();
    assert_eq!((report.corrected, report.unpublishable), (1, 1));
    assert_eq!(report.rows[0].outcome, RowOutcome::Corrected { revision: 2 });

    world.write("twins/a.json", &packet("twin", &[1, 2, 3]));
    world.write("twins/b.json", &packet("twin", &[4, 5, 6]));
    let twins = world.import(&world.folder.path().join("twins")).unwrap();
    assert_eq!((twins.imported, twins.refused), (1, 1));
}

#[test]
fn a_bad_row_is_reported_and_the_others_are_imported() {
    let world = World::new();
    let lines =
        b"{\"case_id\":\"a\",\"observed\":[\"HP:0000001\"]}\nnot json\n{\"case_id\":\"b\",\"observed\":[\"HP:1\"]}\n\
        {\"case_id\":\"c\",\"observed\":[\"HP:0000002\"]}\n";
    let report = world.import(&world.write("mixed.jsonl", lines)).unwrap();
    assert_eq!((report.imported, report.refused), (2, 2));
    let refused: Vec<_> = report
        .rows
        .iter()
        .filter(|row| matches!(row.outcome, RowOutcome::Refused { .. }))
        .map(|row| row.row.rsplit(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(refused, ["2", "3"]);
}

#[test]
fn oversized_packets_lines_and_sources_are_bounded() {
    let mut world = World::new();
    world.bounds = Bounds { packet_bytes: 200, entries: 4, total_bytes: 4_000 };
    let large = packet("large", &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(large.len() > 200);
    let report = world.import(&world.write("large.json", &large)).unwrap();
    assert_eq!(report.refused, 1);

    let mut lines = vec![b'x'; 600];
    lines.extend_from_slice(b"\n{\"case_id\":\"after\",\"observed\":[]}\n");
    let report = world.import(&world.write("lines.jsonl", &lines)).unwrap();
    assert_eq!((report.refused, report.imported), (1, 1));

    let bomb = world.write("bomb.jsonl.gz", &gzip(&vec![b'\n'; 1_000_000]));
    let error = world.import(&bomb).unwrap_err();
    assert!(matches!(error, ImportError::Source(SourceError::TooLarge { .. })), "{error}");

    for number in 0..5 {
        world.write(&format!("many/{number}.json"), &packet(&format!("m-{number}"), &[1]));
    }
    let report = world.import(&world.folder.path().join("many")).unwrap();
    assert_eq!(report.imported, 4);
    assert!(report.stopped.unwrap().contains("more than 4 entries"));
}

#[test]
fn a_source_cut_short_keeps_what_came_before_and_says_so() {
    let world = World::new();
    let entries: Vec<(String, Vec<u8>)> =
        (0..40).map(|number| (format!("{number}.json"), packet(&format!("c-{number}"), &[number, 2, 3]))).collect();
    let borrowed: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let whole = gzip(&archive(&borrowed));
    let path = world.write("cut.tar.gz", &whole[..whole.len() / 2]);
    let report = world.import(&path).unwrap();
    assert!(report.stopped.is_some());
    assert_eq!(world.count(), report.imported);
    assert!(report.imported > 0 && report.imported < 40);
}

#[test]
fn what_cannot_be_opened_is_an_error() {
    let world = World::new();
    assert!(matches!(
        world.import(&world.write("cases.xlsx", b"PK")),
        Err(ImportError::Source(SourceError::Unknown(_)))
    ));
    assert!(matches!(
        world.import(&world.folder.path().join("absent.json")),
        Err(ImportError::Source(SourceError::Io { .. }))
    ));
    let report = world.import(&world.write("evil.tar", &archive(&[("x/._a.json", b"\0"), ("b.exe", b"MZ")]))).unwrap();
    assert_eq!(report.ignored, 2);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]
    #[test]
    fn no_archive_makes_the_import_panic(at in 0_usize..3_000, byte: u8, zip: bool) {
        let world = World::new();
        let mut bytes = archive(&[("a.json", &packet("a", &[1, 2, 3])), (&"d/".repeat(80), b"")]);
        let at = at % bytes.len();
        bytes[at] = byte;
        let path = if zip { world.write("a.tgz", &gzip(&bytes)) } else { world.write("a.tar", &bytes) };
        let _ = world.import(&path);
    }
}

#[test]
fn the_real_packets_are_imported_whole() {
    let shared = std::env::var_os("SEMBLANCE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let path = shared.join("data/phenopackets-dev.tar.gz");
    if !path.exists() {
        let mut error = std::io::stderr();
        let _ = writeln!(error, "SKIPPED: {} is not here; set SEMBLANCE_SHARED", path.display());
        return;
    }
    let world = World::new();
    let report = world.import(&path).unwrap();
    assert_eq!(
        (report.imported, report.refused, report.stopped.as_deref()),
        (600, 0, None),
        "{:?}",
        report.rows.first()
    );
    assert_eq!(world.import(&path).unwrap().unchanged, 600);
}
