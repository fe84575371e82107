//! Entries on their way to the ledger: whatever waits goes into one transaction, each with its own outcome.

use semblance_core::id::TransactionId;
use semblance_core::limits::LOOKUP_BATCH_MAX;
use semblance_core::lookup::LookupEntry;
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use tokio::sync::{mpsc, oneshot};

use crate::error::SearchError;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The transaction that holds it.
    pub transaction: TransactionId,
    /// The block that holds it.
    pub block: u64,
}

struct Waiting {
    entry: LookupEntry,
    outcome: oneshot::Sender<Result<Recorded, SearchError>>,
}

/// Records entries. Cheap to clone; the task behind it ends with the last clone.
#[derive(Clone)]
pub struct Entries {
    queue: mpsc::Sender<Waiting>,
}

impl Entries {
    /// Starts the task that submits.
    #[must_use]
    pub fn start(ledger: LedgerClient) -> Self {
        let (queue, waiting) = mpsc::channel(LOOKUP_BATCH_MAX * 4);
        tokio::spawn(submit_all(ledger, waiting));
        Self { queue }
    }

    /// Records one entry; returns when it is durable.
    ///
    /// # Errors
    /// The contract refused it, or the ledger could not be reached.
    pub async fn record(&self, entry: LookupEntry) -> Result<Recorded, SearchError> {
        let (outcome, done) = oneshot::channel();
        let stopped = || SearchError::Ledger(LedgerError::Unavailable("this matcher is stopping".into()));
        self.queue.send(Waiting { entry, outcome }).await.map_err(|_| stopped())?;
        done.await.map_err(|_| stopped())?
    }
}

async fn submit_all(ledger: LedgerClient, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    // While one transaction commits, the next batch gathers.
    while queue.recv_many(&mut batch, LOOKUP_BATCH_MAX).await > 0 {
        let (entries, waiting): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|waiting| (waiting.entry, waiting.outcome)).unzip();
        match ledger.record_lookups(entries).await {
            Ok(recorded) => {
                let place = Recorded { transaction: recorded.transaction, block: recorded.block };
                for (outcome, of_item) in waiting.into_iter().zip(recorded.response.items()) {
                    let of_item = of_item.as_ref().map(|()| place).map_err(|refusal| SearchError::Refused {
                        code: refusal.word().to_owned(),
                        message: refusal.message().to_owned(),
                    });
                    // Whoever asked may have gone; the entry stands all the same.
                    let _ = outcome.send(of_item);
                }
            }
            Err(error) => {
                for outcome in waiting {
                    let _ = outcome.send(Err(error.clone().into()));
                }
            }
        }
    }
}
