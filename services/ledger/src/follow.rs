//! A stream out of something that gives one block after the other.

use async_trait::async_trait;
use futures::StreamExt;

use crate::{BlockEvents, EventStream, LedgerError};

/// Gives the next block each time it is asked.
#[async_trait]
pub(crate) trait BlockSource: Send + 'static {
    /// The next block; waits for it. After an error it is not asked again.
    async fn next(&mut self) -> Result<BlockEvents, LedgerError>;
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
