//! A stream out of something that gives one block after the other.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;

use crate::{BlockEvents, EventStream, LedgerError};

/// The first wait before a broken stream is opened again; it doubles up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// The longest wait.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// Gives the next block each time it is asked.
#[async_trait]
pub(crate) trait BlockSource: Send + 'static {
    /// The next block; waits for it. After an error it is not asked again.
    async fn next(&mut self) -> Result<BlockEvents, LedgerError>;
}

/// A source whose connection may break: then it is opened again, and goes on with the block after the last one that was
/// handed on.
#[async_trait]
pub(crate) trait Reopened: Send + 'static {
    /// The next block of the present connection, which is opened where there is none.
    async fn try_next(&mut self) -> Result<BlockEvents, LedgerError>;

    /// Gives the connection up.
    fn close(&mut self);
}

struct Again<S>(S);

#[async_trait]
impl<S: Reopened> BlockSource for Again<S> {
    async fn next(&mut self) -> Result<BlockEvents, LedgerError> {
        let mut wait = RETRY_FIRST;
        loop {
            match self.0.try_next().await {
                Err(LedgerError::Unavailable(reason)) => {
                    tracing::debug!(reason, "stream of blocks broken, opening it again");
                    self.0.close();
                    tokio::time::sleep(wait).await;
                    wait = wait.saturating_mul(2).min(RETRY_LONGEST);
                }
                outcome => return outcome,
            }
        }
    }
}

/// The stream of such a source's blocks.
pub(crate) fn reopened(source: impl Reopened) -> EventStream {
    stream(Again(source))
}

/// The stream of a source's blocks; it ends after the first error.
pub(crate) fn stream(source: impl BlockSource) -> EventStream {
    futures::stream::unfold(Some(source), |source| async move {
        let mut source = source?;
        match source.next().await {
            Ok(block) => Some((Ok(block), Some(source))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}
