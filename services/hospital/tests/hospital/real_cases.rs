//! Real patients' packets, from file to answer. Skipped, and said so, where the data are not at hand.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use semblance_core::query::Breadth;
use semblance_hospital::import::{Bounds, Unobserved};
use semblance_hospital::{ConsentTerms, Selection};

use crate::world::{World, ask};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_packets_are_imported_and_published() {
    let shared = std::env::var_os("SEMBLANCE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let path = shared.join("data/phenopackets-dev.tar.gz");
    let mut notes = std::io::stderr();
    if !path.exists() {
        writeln!(notes, "SKIPPED: {} is not here; set SEMBLANCE_SHARED", path.display()).unwrap();
        return;
    }
    let world = World::new().await;
    world.open_epoch(1).await;
    let north = world.hospital("north");
    let start = Instant::now();
    let report = north.import("operator", path, Bounds::default(), Box::new(Unobserved)).await.unwrap();
    writeln!(notes, "imported {} ({} repaired) in {:?}", report.imported, report.repaired, start.elapsed()).unwrap();
    assert_eq!((report.imported, report.refused, report.stopped.as_deref()), (600, 0, None), "{:?}", report.rows);
    let start = Instant::now();
    assert_eq!(north.register("operator", Selection::All).await.unwrap().done, 600);
    let terms = ConsentTerms::usual().unwrap();
    assert_eq!(north.consent("operator", Selection::All, terms).await.unwrap().done, 600);
    let published = north.publish("operator", Selection::All).await.unwrap();
    writeln!(notes, "registered, consented and published {} in {:?}", published.done, start.elapsed()).unwrap();
    assert_eq!((published.done + published.refused.len() as u64, published.waiting), (600, 0));
    assert!(published.refused.iter().all(|one| one.code == "too-few-terms"));
    let first = north.cases("", 500).await.unwrap().into_iter().find(|case| case.observed >= 5).unwrap();
    let report = north.look_up(ask(&first.case, Breadth::Wide)).await.unwrap();
    assert!(report.matches.is_empty() && !report.own.is_empty());
}
