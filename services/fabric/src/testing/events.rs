//! The events of a chaincode at a test's peer.

use std::sync::Arc;

use super::{Fault, State};
use crate::block::{Block, Transaction};
use crate::proto::gateway::ChaincodeEventsResponse;
use crate::proto::protos::ChaincodeEvent;

/// Where a stream of events has come to.
pub(super) struct Events {
    state: Arc<State>,
    chaincode: String,
    /// The transaction to go on behind, until it was passed; empty for none.
    after: String,
    next: u64,
    times: usize,
    /// Whose events they are said to be.
    said: String,
}

impl Events {
    /// Those from a block on, behind a transaction of it.
    pub(super) fn new(state: &Arc<State>, chaincode: String, start: u64, after: String) -> Self {
        let replay = state.has(&Fault::Replay);
        let (next, after, times) = if replay { (0, String::new(), 2) } else { (start, after, 1) };
        let said = if state.has(&Fault::OtherChaincode) { "another".to_owned() } else { chaincode.clone() };
        Self { state: state.clone(), chaincode, after, next, times, said }
    }

    /// The events of the next block that has any.
    pub(super) async fn next(&mut self) -> ChaincodeEventsResponse {
        loop {
            let number = self.next;
            let block = Block::read(self.state.chain.block(number).await).unwrap();
            self.next += 1;
            let events: Vec<_> = block.transactions.iter().filter_map(|one| self.event(one)).collect();
            if !events.is_empty() {
                let events = std::iter::repeat_n(events, self.times).flatten().collect();
                return ChaincodeEventsResponse { events, block_number: number };
            }
        }
    }

    fn event(&mut self, transaction: &Transaction) -> Option<ChaincodeEvent> {
        let action = transaction.action().ok().filter(|_| transaction.code == 0)?;
        let event = action.event.filter(|_| action.chaincode == self.chaincode)?;
        if !self.after.is_empty() {
            if self.after == transaction.id {
                self.after.clear();
            }
            return None;
        }
        let (chaincode_id, tx_id) = (self.said.clone(), transaction.id.clone());
        Some(ChaincodeEvent { chaincode_id, tx_id, event_name: event.name, payload: event.payload })
    }
}
