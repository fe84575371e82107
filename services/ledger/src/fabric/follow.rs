//! Following the chain: the contract's transactions of each block, across broken connections and lost peers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use semblance_core::time::Timestamp;
use semblance_fabric::block::{Block, Transaction};
use semblance_fabric::proto::common;
use semblance_fabric::{BlockStream, DeliverError};

use super::failure::{transaction_of, validation};
use super::peers::Peers;
use crate::follow::Reopened;
use crate::{BlockEvents, LedgerError, TransactionOutcome, Validation};

/// How long opening a stream may take.
const OPENING: Duration = Duration::from_secs(10);

/// Goes on from the block after the last one that was handed on, by way of whichever peer answers.
pub(super) struct Follower {
    peers: Arc<Peers>,
    chaincode: Arc<str>,
    stream: Option<BlockStream<common::Block>>,
    next: u64,
    /// Fabric's blocks have no time of their own: theirs is the latest that a proposal in them, or before, has.
    time: Timestamp,
}

impl Follower {
    pub(super) fn new(peers: Arc<Peers>, chaincode: Arc<str>, next: u64) -> Self {
        Self { peers, chaincode, stream: None, next, time: Timestamp::default() }
    }

    /// Opens the stream at the first peer that answers.
    pub(super) async fn open(&mut self) -> Result<(), LedgerError> {
        let mut last = LedgerError::Unavailable("no peer is configured".to_owned());
        for network in self.peers.in_order() {
            match tokio::time::timeout(OPENING, network.blocks(self.next, None)).await {
                Ok(Ok(stream)) => {
                    self.stream = Some(stream);
                    return Ok(());
                }
                Ok(Err(error)) => last = failed(&error),
                Err(_) => last = LedgerError::Unavailable("no answer in time".to_owned()),
            }
        }
        Err(last)
    }

    fn events(&self, block: &Block) -> Result<BlockEvents, LedgerError> {
        let mut transactions = Vec::new();
        for transaction in block.transactions.iter().filter(|transaction| transaction.is_call()) {
            if let Some(outcome) = outcome(transaction, &self.chaincode)? {
                transactions.push(outcome);
            }
        }
        Ok(BlockEvents { number: block.number, timestamp: self.time.max(time_of(block)), transactions })
    }
}

/// The latest time of a block's valid transactions.
pub(super) fn time_of(block: &Block) -> Timestamp {
    let valid = block.transactions.iter().filter(|transaction| transaction.code == 0);
    valid.map(|transaction| Timestamp::from_millis(transaction.millis)).max().unwrap_or_default()
}

/// A transaction of this chaincode, with its event; none for one of another.
fn outcome(transaction: &Transaction, chaincode: &str) -> Result<Option<TransactionOutcome>, LedgerError> {
    // One that peers found malformed may be of anybody, and did nothing.
    let Some(validation) = validation(transaction.code) else { return Ok(None) };
    let Ok(action) = transaction.action() else {
        return match validation {
            Validation::Valid => Err(LedgerError::Malformed(format!("transaction {} cannot be read", transaction.id))),
            _ => Ok(None),
        };
    };
    if action.chaincode != chaincode {
        return Ok(None);
    }
    Ok(Some(TransactionOutcome {
        transaction: transaction_of(&transaction.id)?,
        validation,
        event: action.event.map(|event| (event.name, event.payload)),
    }))
}

pub(super) fn failed(error: &DeliverError) -> LedgerError {
    match error {
        DeliverError::Refused { status: 403 } => LedgerError::Identity(error.to_string()),
        DeliverError::Unsigned(error) => LedgerError::Identity(error.to_string()),
        DeliverError::Malformed => LedgerError::Malformed(error.to_string()),
        DeliverError::Broken { .. } | DeliverError::Refused { .. } => LedgerError::Unavailable(error.to_string()),
    }
}

#[async_trait]
impl Reopened for Follower {
    async fn try_next(&mut self) -> Result<BlockEvents, LedgerError> {
        if self.stream.is_none() {
            self.open().await?;
        }
        let ended = || LedgerError::Unavailable("the stream ended".to_owned());
        let stream = self.stream.as_mut().ok_or_else(ended)?;
        let block = stream.next().await.ok_or_else(ended)?.map_err(|error| failed(&error))?;
        let block = Block::read(block).map_err(|error| LedgerError::Malformed(error.to_string()))?;
        if block.number != self.next {
            return Err(LedgerError::Malformed(format!("block {} came, not {}", block.number, self.next)));
        }
        let events = self.events(&block)?;
        self.next = self.next.saturating_add(1);
        self.time = events.timestamp;
        Ok(events)
    }

    fn close(&mut self) {
        self.stream = None;
    }
}
