//! How many transactions a second, each durable before it is acknowledged.

#![expect(clippy::print_stderr, reason = "a measurement is read by the person who ran it")]

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use semblance_ledger::suite::scratch::call;
use semblance_ledger::suite::{Factory, Network, organisation};
use semblance_ledger::{Call, Ledger, LedgerError};

use crate::embedded::Embedded;
use crate::grpc::Grpc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, with --release --nocapture"]
async fn in_this_process() {
    measure(&Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, with --release --nocapture"]
async fn through_grpc() {
    measure(&Grpc).await;
}

async fn measure(factory: &dyn Factory) {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    for (submitters, transactions) in [(1, 300), (32, 3000), (128, 6000)] {
        let put = |number: usize| call("put", &[&format!("{submitters}/{number}"), "value"]);
        run(&node, "submit", submitters, transactions, put).await;
    }
    for (submitters, queries) in [(1, 1000), (32, 5000)] {
        run(&node, "evaluate", submitters, queries, |_| call("get", &["128/1"])).await;
    }
    let started = Instant::now();
    let report = network.ledger.verify().await.unwrap();
    assert!(report.is_sound());
    eprintln!("verified {} transactions in {} blocks in {:?}", report.transactions, report.blocks, started.elapsed());
}

/// How fast a history of 10,000 cases with 300 look-ups and 100 purges is verified.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, with --release --nocapture"]
async fn verification_of_ten_thousand_cases() {
    let network = Network::semblance(&Embedded, 2, 1).await;
    let (matcher, hospital) = (organisation("matcher-1"), organisation("hospital-1"));
    let client = network.client("hospital-1");
    let mut slots = 0..300;
    for batch in 0..100 {
        let cases = network.published("hospital-1", batch * 100, 100).await;
        for case in cases.iter().step_by(34) {
            let Some(slot) = slots.next() else { break };
            let request = network.request("hospital-1", "matcher-1", case, slot);
            network.record("matcher-1", network.entry(request)).await.unwrap();
        }
        let gone = cases.first().unwrap();
        client.withdraw_consent(gone.withdrawal()).await.unwrap();
        client.purge_cases(&hospital, &matcher, vec![gone.handle]).await.unwrap();
    }
    let started = Instant::now();
    let report = network.ledger.verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    eprintln!("verified {} transactions in {} blocks in {:?}", report.transactions, report.blocks, started.elapsed());
}

async fn run(node: &Arc<dyn Ledger>, what: &str, callers: usize, calls: usize, call: impl Fn(usize) -> Call) {
    let started = Instant::now();
    let answers = (0..calls).map(|number| {
        let (node, call) = (node.clone(), call(number));
        async move {
            let started = Instant::now();
            match what {
                "submit" => node.submit(call).await.map(|_| ())?,
                _ => node.evaluate(call).await.map(|_| ())?,
            }
            Ok::<_, LedgerError>(started.elapsed())
        }
    });
    let answers: Vec<_> = futures::stream::iter(answers).buffer_unordered(callers).collect().await;
    let elapsed = started.elapsed();
    let mut waits: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    waits.sort();
    let [p50, p99] = [50, 99].map(|percent| waits.get(waits.len() * percent / 100).copied().unwrap_or_default());
    let rate = calls as f64 / elapsed.as_secs_f64();
    eprintln!("{what}, {callers} at once: {rate:.0} a second, p50 {p50:?}, p99 {p99:?}");
}
