//! The contract, typed: one method for each transaction and query, over any [`Ledger`].
//!
//! A transaction that lost a race is submitted again, with a new id, up to five times in all. Everything else is the
//! caller's to judge: [`LedgerError::OutcomeUnknown`] above all, after which it looks before it tries again.

mod query;
pub(crate) mod submit;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use semblance_contract::event::Event;
use semblance_contract::{Code, ContractError};
use semblance_core::encode::DecodeError;
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use crate::ledger::{BlockEvents, Call, Committed, Ledger, LedgerError, Validation};

/// How often a transaction is submitted while it loses races.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; each further one is as much longer.
const PAUSE: Duration = Duration::from_millis(10);

/// The contract as one organisation calls it.
#[derive(Clone)]
pub struct LedgerClient {
    ledger: Arc<dyn Ledger>,
    endorsers: Vec<OrganisationId>,
}

/// A transaction that is valid and durable, with its typed response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded<T> {
    /// Its id.
    pub transaction: TransactionId,
    /// The block that holds it.
    pub block: u64,
    /// What the contract returned.
    pub response: T,
}

/// The events of one block's valid transactions, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// Its time.
    pub timestamp: Timestamp,
    /// What happened, in order. Events that a newer contract made up are left out.
    pub events: Vec<(TransactionId, Event)>,
}

/// The contract's code in an error, if the contract refused with one that this program knows.
#[must_use]
pub fn refusal(error: &LedgerError) -> Option<Code> {
    match error {
        LedgerError::Refused { code, .. } => Code::from_word(code),
        _ => None,
    }
}

impl LedgerClient {
    /// Calls through this ledger, which chooses whose peers endorse, except where the contract or privacy wants certain
    /// ones: it knows which are up.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, endorsers: Vec::new() }
    }

    /// Names the own organisation's peer and those of these organisations, and leaves the ledger no choice.
    #[must_use]
    pub fn endorsed_also_by(mut self, others: impl IntoIterator<Item = OrganisationId>) -> Self {
        let own = self.organisation().clone();
        for other in std::iter::once(own).chain(others) {
            if !self.endorsers.contains(&other) {
                self.endorsers.push(other);
            }
        }
        self
    }

    /// The organisation it acts for.
    #[must_use]
    pub fn organisation(&self) -> &OrganisationId {
        self.ledger.organisation()
    }

    /// The ledger behind it.
    #[must_use]
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// How many blocks there are.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    pub async fn height(&self) -> Result<u64, LedgerError> {
        self.ledger.height().await
    }

    /// Follows the events of valid transactions from a block on, old ones first. A block without events comes too, so
    /// that a follower can store how far it got.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    pub async fn events(&self, from: u64) -> Result<BoxStream<'static, Result<Block, LedgerError>>, LedgerError> {
        Ok(self.ledger.blocks(from).await?.map(|block| decode_block(block?)).boxed())
    }

    async fn submit<R: Record>(&self, call: Call) -> Result<Recorded<R>, LedgerError> {
        let mut attempt = 1;
        loop {
            match self.ledger.submit(call.clone()).await {
                Err(LedgerError::Invalid { validation, .. }) if validation.lost_race() && attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                result => return recorded(result?),
            }
        }
    }

    async fn evaluate<R: Record>(&self, function: &str, argument: &impl Record) -> Result<R, LedgerError> {
        self.evaluate_at(self.organisation(), function, argument).await
    }

    async fn evaluate_at<R: Record>(
        &self,
        member: &OrganisationId,
        function: &str,
        argument: &impl Record,
    ) -> Result<R, LedgerError> {
        let endorsers = vec![member.clone()];
        let response = self.ledger.evaluate(Call { endorsers, ..call(function, argument) }).await?;
        R::decode(&response).map_err(|error| malformed(&error))
    }

    /// The endorsers that this transaction needs, then those that were named for all; none leaves the choice to the
    /// ledger.
    fn endorsers_with(&self, needed: &[&OrganisationId]) -> Vec<OrganisationId> {
        let mut endorsers: Vec<OrganisationId> = needed.iter().map(|one| (*one).clone()).collect();
        endorsers.extend(self.endorsers.iter().filter(|one| !needed.contains(one)).cloned());
        endorsers
    }
}

fn call(function: &str, argument: &impl Record) -> Call {
    Call { function: function.to_owned(), arguments: vec![argument.encode()], ..Call::default() }
}

fn recorded<R: Record>(committed: Committed) -> Result<Recorded<R>, LedgerError> {
    let response = R::decode(&committed.response).map_err(|error| malformed(&error))?;
    Ok(Recorded { transaction: committed.transaction, block: committed.block, response })
}

fn malformed(error: &DecodeError) -> LedgerError {
    LedgerError::Malformed(error.to_string())
}

/// An argument that the contract would refuse, refused here with the same code.
fn refused(error: DecodeError) -> LedgerError {
    let error = ContractError::from(error);
    LedgerError::Refused { code: error.code().as_str().to_owned(), message: error.message().to_owned() }
}

fn decode_block(block: BlockEvents) -> Result<Block, LedgerError> {
    let mut events = Vec::new();
    for outcome in block.transactions {
        let Some((name, payload)) = outcome.event.filter(|_| outcome.validation == Validation::Valid) else { continue };
        if let Some(event) = Event::decode(&name, &payload).map_err(|error| malformed(&error))? {
            events.push((outcome.transaction, event));
        }
    }
    Ok(Block { number: block.number, timestamp: block.timestamp, events })
}

#[cfg(test)]
pub(crate) mod tests;
