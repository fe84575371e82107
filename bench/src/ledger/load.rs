//! Calls, and so many clients that make them.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use semblance_contract::wire::PublishItem;
use semblance_core::fingerprint::PrivateValue;
use semblance_core::id::{CaseHandle, OrganisationId};
use semblance_core::lookup::LookupEntry;
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use serde_json::{Value, json};

use crate::samples::{Samples, round};

/// How long one call may take, retries and all.
const PATIENCE: Duration = Duration::from_secs(120);

/// One call.
#[derive(Clone)]
pub(super) enum Work {
    Publish(OrganisationId, Vec<(PublishItem, PrivateValue)>),
    Record(Vec<LookupEntry>),
    Read(CaseHandle),
}

impl Work {
    fn items(&self) -> usize {
        match self {
            Self::Publish(_, cases) => cases.len(),
            Self::Record(entries) => entries.len(),
            Self::Read(_) => 1,
        }
    }

    async fn run(self, client: &LedgerClient) -> anyhow::Result<()> {
        let succeeded = match self {
            Self::Publish(matcher, cases) => {
                client.publish_cases(&matcher, cases).await.map(|done| done.response.all_succeeded())
            }
            Self::Record(entries) => client.record_lookups(entries).await.map(|done| done.response.all_succeeded()),
            Self::Read(handle) => client.case(handle).await.map(|found| found.is_some()),
        };
        let succeeded = succeeded.map_err(|error: LedgerError| anyhow::anyhow!("a call failed: {error}"))?;
        anyhow::ensure!(succeeded, "the ledger refused a part of a call");
        Ok(())
    }
}

/// What came of the runs so far.
#[derive(Default)]
pub(super) struct Figures {
    items: usize,
    seconds: f64,
    latency: Samples,
}

impl Figures {
    pub(super) const fn are_some(&self) -> bool {
        self.items > 0
    }

    pub(super) fn report(&self) -> Value {
        json!({
            "items_a_second": round(self.items as f64 / self.seconds),
            "p50_ms": round(self.latency.percentile(50)),
            "p95_ms": round(self.latency.percentile(95)),
        })
    }
}

/// Makes all the calls, so many at a time.
pub(super) async fn drive(
    client: &LedgerClient,
    clients: usize,
    work: Vec<Work>,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    figures.items += work.iter().map(Work::items).sum::<usize>();
    let begun = Instant::now();
    let calls = stream::iter(work).map(|work| async {
        let begun = Instant::now();
        tokio::time::timeout(PATIENCE, work.run(client)).await??;
        anyhow::Ok(begun.elapsed().as_secs_f64())
    });
    let mut calls = std::pin::pin!(calls.buffer_unordered(clients));
    while let Some(seconds) = calls.next().await {
        figures.latency.push(seconds?);
    }
    figures.seconds += begun.elapsed().as_secs_f64();
    Ok(())
}
