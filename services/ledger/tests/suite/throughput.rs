//! How many transactions a second, each durable before it is acknowledged.

#![expect(clippy::print_stderr, reason = "a measurement is read by the person who ran it")]

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use semblance_core::organisation::Role;
use semblance_ledger::suite::scratch::{ScratchContract, call, genesis};
use semblance_ledger::suite::{LedgerUnderTest, Party};

use crate::embedded::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, with --release --nocapture"]
async fn group_commit() {
    let running = Running::start(Arc::new(ScratchContract));
    let parties = Party::all(1, 0);
    running.genesis(parties[0].identity(Role::Admin), genesis(&parties)).await.unwrap();
    let node = running.handle(parties[0].identity(Role::Node));
    for (submitters, transactions) in [(1, 300), (32, 3000), (128, 6000)] {
        let before = running.ledger().head().unwrap().height;
        let started = Instant::now();
        let calls = (0..transactions).map(|number| {
            let node = node.clone();
            async move {
                let started = Instant::now();
                node.submit(call("put", &[&format!("{submitters}/{number}"), "value"])).await.unwrap();
                started.elapsed()
            }
        });
        let mut waits: Vec<_> = futures::stream::iter(calls).buffer_unordered(submitters).collect().await;
        let elapsed = started.elapsed();
        waits.sort();
        let blocks = running.ledger().head().unwrap().height - before;
        eprintln!(
            "{submitters} submitters: {:.0} a second, p50 {:?}, p99 {:?}, {:.1} transactions a block",
            f64::from(transactions) / elapsed.as_secs_f64(),
            waits[waits.len() / 2],
            waits[waits.len() * 99 / 100],
            f64::from(transactions) / blocks as f64,
        );
    }
    let started = Instant::now();
    let report = running.ledger().verify().await.unwrap();
    assert!(report.is_sound());
    eprintln!("verified {} transactions in {:?}", report.transactions, started.elapsed());
}
