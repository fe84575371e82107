//! The parties of a story tell each other what they have done: on Fabric each reads its own peers, and what one of them
//! acknowledged another may see a moment later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use semblance_core::id::OrganisationId;
use semblance_ledger::fabric::FabricLedger;
use semblance_ledger::{Call, Committed, EventStream, Ledger, LedgerError};

/// How long a peer may lag behind.
const LAG: Duration = Duration::from_secs(20);
/// How often it is asked.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How many blocks somebody knows of, and how many everybody has who is up.
#[derive(Default)]
pub(crate) struct Settled {
    told: AtomicU64,
    by_all: AtomicU64,
}

/// One party's ledger, which first waits until everybody has what any party was told.
pub(crate) struct Shared {
    pub(crate) own: FabricLedger,
    pub(crate) everyone: Vec<FabricLedger>,
    pub(crate) settled: Arc<Settled>,
}

impl Shared {
    async fn settle(&self) {
        let wanted = self.settled.told.load(Ordering::Relaxed);
        if self.settled.by_all.load(Ordering::Relaxed) >= wanted {
            return;
        }
        let deadline = Instant::now() + LAG;
        for ledger in &self.everyone {
            // Whoever is down has it when it is up again.
            while ledger.height().await.is_ok_and(|height| height < wanted) {
                assert!(Instant::now() < deadline, "{} lags behind block {wanted}", ledger.organisation());
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        self.settled.by_all.fetch_max(wanted, Ordering::Relaxed);
    }
}

#[async_trait]
impl Ledger for Shared {
    fn organisation(&self) -> &OrganisationId {
        self.own.organisation()
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        self.settle().await;
        let committed = self.own.submit(call).await?;
        self.settled.told.fetch_max(committed.block.saturating_add(1), Ordering::Relaxed);
        Ok(committed)
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        self.settle().await;
        self.own.evaluate(call).await
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        self.own.height().await
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        self.own.blocks(from).await
    }
}
