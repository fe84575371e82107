//! The stream of blocks that followers read: always from the file, so that a slow one holds nobody up and misses
//! nothing; the head only tells when there is more.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use semblance_core::id::NetworkId;
use tokio::sync::watch;

use super::block::{BlockData, Header, RecordedTransaction};
use super::chain::{self, Head, StoredBlock};
use super::store::Readers;
use crate::follow::{BlockSource, stream};
use crate::{BlockEvents, EventStream, LedgerError, TransactionOutcome};

/// Blocks read from the file at once.
const READ_AT_ONCE: u32 = 16;

struct Follower {
    readers: Arc<Readers>,
    head: watch::Receiver<Option<Head>>,
    stopped: watch::Receiver<bool>,
    next: u64,
    read: VecDeque<BlockEvents>,
}

/// Follows from a block on; a number that is not reached yet is waited for.
pub(super) fn follow(
    readers: Arc<Readers>,
    head: watch::Receiver<Option<Head>>,
    stopped: watch::Receiver<bool>,
    from: u64,
) -> EventStream {
    stream(Follower { readers, head, stopped, next: from, read: VecDeque::new() })
}

#[async_trait]
impl BlockSource for Follower {
    async fn next(&mut self) -> Result<BlockEvents, LedgerError> {
        loop {
            if let Some(block) = self.read.pop_front() {
                self.next = block.number.saturating_add(1);
                return Ok(block);
            }
            let head = *self.head.borrow_and_update();
            match head.filter(|head| head.height > self.next) {
                Some(head) => self.read = self.read_on(head.network).await?,
                None => self.wait().await?,
            }
        }
    }
}

impl Follower {
    /// Waits for the next block, or for the end.
    async fn wait(&mut self) -> Result<(), LedgerError> {
        tokio::select! {
            changed = self.head.changed() => if changed.is_ok() { return Ok(()) },
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
        Err(LedgerError::Unavailable("the ledger is stopping".into()))
    }

    async fn read_on(&self, network: NetworkId) -> Result<VecDeque<BlockEvents>, LedgerError> {
        let (readers, from) = (Arc::clone(&self.readers), self.next);
        let reading = move || readers.snapshot(|connection| read_blocks(connection, network, from));
        tokio::task::spawn_blocking(reading).await.map_err(|error| LedgerError::Storage(error.to_string()))?
    }
}

fn read_blocks(connection: &Connection, network: NetworkId, from: u64) -> Result<VecDeque<BlockEvents>, LedgerError> {
    let mut blocks = VecDeque::new();
    for (expected, stored) in (from..).zip(chain::blocks(connection, from, READ_AT_ONCE)?) {
        if stored.number != expected {
            return Err(LedgerError::Storage(format!("block {expected} is missing")));
        }
        blocks.push_back(block_events(&stored, network)?);
    }
    if blocks.is_empty() {
        return Err(LedgerError::Storage(format!("block {from} is missing")));
    }
    Ok(blocks)
}

fn block_events(stored: &StoredBlock, network: NetworkId) -> Result<BlockEvents, LedgerError> {
    let damaged = |error| LedgerError::Storage(format!("block {}: {error}", stored.number));
    let header = Header::decode(&stored.header, network).map_err(damaged)?;
    let data = BlockData::decode(&stored.data).map_err(damaged)?;
    let mut transactions = Vec::with_capacity(data.transactions.len());
    for bytes in &data.transactions {
        let transaction = RecordedTransaction::decode(bytes).map_err(damaged)?;
        transactions.push(TransactionOutcome {
            transaction: transaction.id(),
            validation: transaction.validation,
            event: transaction.executed.event,
        });
    }
    Ok(BlockEvents { number: header.number, timestamp: header.timestamp, transactions })
}
