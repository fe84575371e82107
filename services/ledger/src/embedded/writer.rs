//! The one thread that writes. It takes every transaction that waits, validates one after the other, and makes a block
//! of them in one database transaction, so that many submitters share one sync of the disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use semblance_core::id::Digest;
use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::time::{Clock, Timestamp};
use tokio::sync::{oneshot, watch};

use super::block::{BlockData, Executed, Header, RecordedTransaction, TRANSACTIONS_MAX};
use super::chain::{self, Head};
use super::effects::Version;
use super::simulate::Endorsed;
use super::store::StoreError;
use super::stub::PrivateValues;
use super::validate::validate;
use super::view::Tables;
use super::{apply, store};
use crate::{Committed, LedgerError, Validation};

/// Bytes of proposals and responses after which a block takes no more.
const BLOCK_BYTES: usize = 2 << 20;
/// How soon the writer tries again to wipe the journal after a purge that readers were in the way of.
const WIPE_RETRY: Duration = Duration::from_millis(200);
/// How long one try waits for readers to end.
const WIPE_WAIT: Duration = Duration::from_millis(40);

/// A transaction that waits, and who waits for it.
struct Waiting {
    endorsed: Endorsed,
    reply: oneshot::Sender<Result<Committed, LedgerError>>,
}

/// The writer's front: hands transactions to the thread.
pub(super) struct Writer {
    queue: Option<Sender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread; `head` is told of each new block after it is durable.
    pub(super) fn start(
        connection: Connection,
        clock: Arc<dyn Clock>,
        head: watch::Sender<Option<Head>>,
        owned: store::Owned,
    ) -> Result<Self, std::io::Error> {
        let (queue, waiting) = channel();
        let mut state = State { connection, clock, head, wipe: None, _owned: owned };
        let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(move || state.run(&waiting))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Orders a transaction; the answer comes when it is durable or refused.
    pub(super) fn order(&self, endorsed: Endorsed) -> oneshot::Receiver<Result<Committed, LedgerError>> {
        let (reply, answer) = oneshot::channel();
        let stopped = LedgerError::Unavailable("the ledger is stopping".into());
        let waiting = Waiting { endorsed, reply };
        match &self.queue {
            Some(queue) => {
                if let Err(back) = queue.send(waiting) {
                    let _ = back.0.reply.send(Err(stopped));
                }
            }
            None => {
                let _ = waiting.reply.send(Err(stopped));
            }
        }
        answer
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whatever was handed over is still written; then the thread ends and gives the file back.
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct State {
    connection: Connection,
    clock: Arc<dyn Clock>,
    head: watch::Sender<Option<Head>>,
    /// Purged bytes may still stand in the journal; when to try again to wipe it.
    wipe: Option<Instant>,
    _owned: store::Owned,
}

impl State {
    fn run(&mut self, queue: &Receiver<Waiting>) {
        // What a crash left in the journal may hold purged bytes.
        self.wipe = Some(Instant::now());
        loop {
            let first = match self.wipe {
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            let first = match first {
                Ok(waiting) => waiting,
                Err(RecvTimeoutError::Disconnected) => {
                    // A copy of the file alone, made after a stop, shall hold everything.
                    self.wipe_journal();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.wipe_journal();
                    continue;
                }
            };
            let batch = take_batch(first, queue);
            self.commit(batch);
            if self.wipe.is_some_and(|due| due <= Instant::now()) {
                self.wipe_journal();
            }
        }
    }

    fn commit(&mut self, batch: Vec<Waiting>) {
        let mut transactions = Vec::with_capacity(batch.len());
        let mut replies = Vec::with_capacity(batch.len());
        let previous = *self.head.borrow();
        for Waiting { endorsed, reply } in batch {
            if endorsed.genesis && (previous.is_some() || !transactions.is_empty()) {
                let _ = reply.send(Err(LedgerError::Identity("another genesis was faster".into())));
                continue;
            }
            transactions.push(endorsed);
            replies.push(reply);
        }
        if transactions.is_empty() {
            return;
        }
        let now = self.clock.now();
        match make_block(&mut self.connection, previous, now, transactions) {
            Ok(made) => {
                if made.removed {
                    self.wipe.get_or_insert_with(Instant::now);
                }
                tracing::debug!(block = made.head.height - 1, transactions = made.outcomes.len(), "block committed");
                self.head.send_replace(Some(made.head));
                for (reply, outcome) in replies.into_iter().zip(made.outcomes) {
                    let _ = reply.send(outcome);
                }
            }
            Err(error) => {
                tracing::error!(%error, "block not written");
                for reply in replies {
                    let _ = reply.send(Err(LedgerError::Storage(error.to_string())));
                }
            }
        }
    }

    /// Moves the journal into the file, where secure deletion has overwritten what was purged, and empties it. One who
    /// reads for long, as a verification does, is waited for: the bytes go when it ends.
    fn wipe_journal(&mut self) {
        let busy = self.connection.busy_timeout(WIPE_WAIT).and_then(|()| {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        });
        let _ = self.connection.busy_timeout(Duration::from_secs(5));
        self.wipe = match busy {
            Ok(0) => None,
            Ok(_) => Some(Instant::now() + WIPE_RETRY),
            Err(error) => {
                tracing::warn!(%error, "journal not wiped yet");
                Some(Instant::now() + WIPE_RETRY)
            }
        };
    }
}

/// Takes what waits already, up to a block's size.
fn take_batch(first: Waiting, queue: &Receiver<Waiting>) -> Vec<Waiting> {
    let size = |waiting: &Waiting| {
        let effects = &waiting.endorsed.effects;
        let event = effects.event.as_ref().map_or(0, |(_, payload)| payload.len());
        waiting.endorsed.proposal.bytes().len() + waiting.endorsed.response.len() + event
    };
    let mut bytes = size(&first);
    let mut batch = vec![first];
    while batch.len() < TRANSACTIONS_MAX && bytes < BLOCK_BYTES {
        let Ok(next) = queue.try_recv() else { break };
        bytes += size(&next);
        batch.push(next);
    }
    batch
}

struct Made {
    head: Head,
    outcomes: Vec<Result<Committed, LedgerError>>,
    removed: bool,
}

fn make_block(
    connection: &mut Connection,
    previous: Option<Head>,
    now: Timestamp,
    transactions: Vec<Endorsed>,
) -> Result<Made, StoreError> {
    let database = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = previous.map_or(0, |head| head.height);
    let network = match (previous, transactions.first()) {
        (Some(head), _) => head.network,
        (None, Some(first)) => first.proposal.proposal().network,
        (None, None) => return Err(StoreError::Damaged("a block needs a transaction".into())),
    };
    if previous.is_none() {
        chain::set_network(&database, network)?;
    }
    chain::begin(&database, number)?;
    let mut removed = false;
    let proposed = transactions.iter().map(|endorsed| endorsed.proposal.proposal().timestamp).max();
    let timestamp = stamp(previous.map(|head| head.timestamp), now, proposed);
    let mut recorded = Vec::with_capacity(transactions.len());
    let mut outcomes = Vec::with_capacity(transactions.len());
    for (position, endorsed) in (0_u32..).zip(transactions) {
        let version = Version { block: number, position };
        let (transaction, private) = record(endorsed);
        let (validation, wiped) = settle(&database, version, &transaction, &private)?;
        removed |= wiped;
        let id = transaction.id();
        outcomes.push(match validation {
            Validation::Valid => {
                Ok(Committed { transaction: id, block: number, response: transaction.executed.response.clone() })
            }
            validation => Err(LedgerError::Invalid { transaction: id, validation }),
        });
        recorded.push(RecordedTransaction { validation, ..transaction }.encode());
    }
    let data = BlockData::of(recorded);
    let header = Header {
        network,
        number,
        previous: previous.map_or(Digest::from_bytes([0; 32]), |head| head.hash),
        timestamp,
        data: data.hash(),
    };
    let hash = chain::append(&database, &header, &data)?;
    database.commit()?;
    let head = Head { network, height: number.saturating_add(1), hash, timestamp: header.timestamp };
    Ok(Made { head, outcomes, removed })
}

/// The time of a block: never before the last one's, and never so long before a proposal's that a verification would
/// doubt it, although the clock was set back after the proposal was endorsed.
fn stamp(previous: Option<Timestamp>, now: Timestamp, proposed: Option<Timestamp>) -> Timestamp {
    let earliest = proposed.map(|time| Timestamp::from_millis(time.millis().saturating_sub(PROPOSAL_SKEW_MILLIS)));
    [previous, earliest].into_iter().flatten().fold(now, Timestamp::max)
}

/// Validates a transaction and, if it is valid, applies it.
fn settle(
    database: &Connection,
    version: Version,
    transaction: &RecordedTransaction,
    private: &PrivateValues,
) -> Result<(Validation, bool), StoreError> {
    let (id, executed) = (transaction.id(), &transaction.executed);
    let validation = validate(id, executed, Tables(database))?;
    if validation != Validation::DuplicateTransaction {
        apply::index(database, id, version)?;
    }
    let removed = match validation {
        Validation::Valid => apply::apply(database, version, &executed.writes, private)?,
        _ => false,
    };
    Ok((validation, removed))
}

/// What the block will hold, and the private values that it will not.
fn record(endorsed: Endorsed) -> (RecordedTransaction, PrivateValues) {
    let Endorsed { proposal, endorsers, effects, response, genesis: _ } = endorsed;
    let transaction = RecordedTransaction {
        proposal: proposal.bytes().to_vec(),
        signature: *proposal.signature(),
        executed: Executed { endorsers, reads: effects.reads, writes: effects.writes, response, event: effects.event },
        validation: Validation::Valid,
    };
    (transaction, effects.private)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_stamps_no_block_that_a_verification_would_doubt() {
        let at = Timestamp::from_millis;
        assert_eq!(stamp(None, at(7), Some(at(6))), at(7));
        assert_eq!(stamp(Some(at(9)), at(7), Some(at(6))), at(9));
        let proposed = at(PROPOSAL_SKEW_MILLIS + 20);
        assert_eq!(stamp(Some(at(9)), at(7), Some(proposed)), at(20));
    }
}
