//! The contract's view of the peer's state.
//!
//! Fabric does not tell a chaincode whether it runs for a query or a transaction. Our own client says so with a
//! transient value ([`QUERY`]), so that both ledgers mean the same: a query writes nothing, and a transaction reads no
//! private data, which its block would show.

use std::collections::HashMap;

use prost::Message;
use semblance_contract::stub::{Caller, KeyPolicy, QUERY, Stub, StubError, check_value};
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::limits::{EVENT_BYTES_MAX, STATE_KEY_MAX, STATE_VALUE_MAX};
use semblance_core::time::Timestamp;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::{
    GetState, GetStateByRange, GetStateMultiple, GetStateMultipleResult, QueryResponse, QueryStateClose, QueryStateNext,
};
use semblance_fabric::proto::queryresult::Kv;

use crate::peer::Peer;
use crate::transaction::Call;
use crate::writes::Writes;

/// One transaction on the peer of one organisation.
pub(crate) struct PeerStub<'a> {
    call: &'a Call,
    endorser: &'a OrganisationId,
    peer: Peer,
    query: bool,
    read: HashMap<String, Option<Vec<u8>>>,
    writes: Writes,
    event: Option<(String, Vec<u8>)>,
}

impl<'a> PeerStub<'a> {
    pub(crate) fn new(call: &'a Call, endorser: &'a OrganisationId, peer: Peer) -> Self {
        let query = call.transient.contains_key(QUERY);
        Self { call, endorser, peer, query, read: HashMap::new(), writes: Writes::default(), event: None }
    }

    /// Sends what was written, and gives the event.
    pub(crate) fn finish(mut self) -> Result<Option<(String, Vec<u8>)>, StubError> {
        self.writes.send(&mut self.peer)?;
        Ok(self.event)
    }

    fn check_write(&self, key: &str, length: usize) -> Result<(), StubError> {
        if self.query {
            return Err(StubError("a query writes nothing: submit it instead".to_owned()));
        }
        check_key(key)?;
        if length > STATE_VALUE_MAX {
            return Err(StubError(format!("a value has {length} bytes, {STATE_VALUE_MAX} are allowed")));
        }
        Ok(())
    }

    fn next_rows(&mut self, page: &QueryResponse) -> Result<Option<QueryResponse>, StubError> {
        if !page.has_more {
            return Ok(None);
        }
        self.peer.ask_for(Type::QueryStateNext, &QueryStateNext { id: page.id.clone() }).map(Some)
    }
}

fn check_key(key: &str) -> Result<(), StubError> {
    if key.is_empty() || key.len() > STATE_KEY_MAX || key.contains(char::is_control) {
        return Err(StubError(format!("a key has 1 to {STATE_KEY_MAX} bytes without control characters")));
    }
    Ok(())
}

/// To a peer, the collection without a name is the public state: private data must never get there.
fn check_collection(collection: &str) -> Result<(), StubError> {
    if collection.is_empty() { Err(StubError("a private collection has a name".to_owned())) } else { Ok(()) }
}

/// A peer has no empty values: to it nothing and an empty one are the same.
fn present(value: Vec<u8>) -> Option<Vec<u8>> {
    Some(value).filter(|value| !value.is_empty())
}

impl Stub for PeerStub<'_> {
    fn transaction(&self) -> TransactionId {
        self.call.transaction
    }

    fn timestamp(&self) -> Timestamp {
        self.call.timestamp
    }

    fn caller(&self) -> &Caller {
        &self.call.caller
    }

    fn endorser(&self) -> &OrganisationId {
        self.endorser
    }

    fn transient(&self, name: &str) -> Option<&[u8]> {
        self.call.transient.get(name).map(Vec::as_slice)
    }

    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StubError> {
        check_key(key)?;
        // The state does not change under a transaction.
        if let Some(value) = self.read.get(key) {
            return Ok(value.clone());
        }
        let request = GetState { key: key.to_owned(), collection: String::new() };
        let value = present(self.peer.ask(Type::GetState, &request)?);
        self.read.insert(key.to_owned(), value.clone());
        Ok(value)
    }

    fn get_ahead(&mut self, keys: Vec<String>) -> Result<(), StubError> {
        let mut keys = keys;
        keys.sort();
        keys.dedup();
        keys.retain(|key| !self.read.contains_key(key));
        keys.iter().try_for_each(|key| check_key(key))?;
        // All peers must read the same, whatever they offer: a key that is read ahead is read.
        let Some(most) = self.peer.offers.read_batch else {
            return keys.iter().try_for_each(|key| self.get(key).map(|_| ()));
        };
        for keys in keys.chunks(most) {
            let request = GetStateMultiple { keys: keys.to_vec(), collection: String::new() };
            let found: GetStateMultipleResult = self.peer.ask_for(Type::GetStateMultiple, &request)?;
            if found.values.len() != keys.len() {
                return Err(StubError("the peer did not answer for every key".to_owned()));
            }
            self.read.extend(keys.iter().cloned().zip(found.values.into_iter().map(present)));
        }
        Ok(())
    }

    fn put(&mut self, key: &str, value: Vec<u8>) -> Result<(), StubError> {
        self.check_write(key, value.len())?;
        check_value(&value)?;
        self.writes.put("", key, value);
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), StubError> {
        self.check_write(key, 0)?;
        self.writes.delete(key);
        Ok(())
    }

    fn range(&mut self, start: &str, end: &str, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StubError> {
        if start.len() > STATE_KEY_MAX || end.len() > STATE_KEY_MAX {
            return Err(StubError(format!("a key has at most {STATE_KEY_MAX} bytes")));
        }
        let request = GetStateByRange { start_key: start.to_owned(), end_key: end.to_owned(), ..Default::default() };
        let mut page: QueryResponse = self.peer.ask_for(Type::GetStateByRange, &request)?;
        let mut rows = Vec::new();
        loop {
            for row in &page.results {
                if rows.len() == limit {
                    break;
                }
                let row = Kv::decode(row.result_bytes.as_slice())
                    .map_err(|_| StubError("the peer's answer is malformed".to_owned()))?;
                rows.push((row.key, row.value));
            }
            if rows.len() == limit && page.has_more {
                self.peer.ask(Type::QueryStateClose, &QueryStateClose { id: page.id.clone() })?;
                return Ok(rows);
            }
            match self.next_rows(&page)? {
                Some(next) => page = next,
                None => return Ok(rows),
            }
        }
    }

    fn set_key_policy(&mut self, key: &str, policy: &KeyPolicy) -> Result<(), StubError> {
        self.check_write(key, 0)?;
        self.writes.policy(key, policy);
        Ok(())
    }

    fn get_private(&mut self, collection: &str, key: &str) -> Result<Option<Vec<u8>>, StubError> {
        if !self.query {
            let text = "a block would show what a transaction reads of private data: ask a query";
            return Err(StubError(text.to_owned()));
        }
        check_collection(collection)?;
        check_key(key)?;
        let request = GetState { key: key.to_owned(), collection: collection.to_owned() };
        Ok(present(self.peer.ask(Type::GetState, &request)?))
    }

    fn private_hash(&mut self, collection: &str, key: &str) -> Result<Option<[u8; 32]>, StubError> {
        check_collection(collection)?;
        check_key(key)?;
        let request = GetState { key: key.to_owned(), collection: collection.to_owned() };
        let hash = present(self.peer.ask(Type::GetPrivateDataHash, &request)?);
        hash.map(|hash| <[u8; 32]>::try_from(hash).map_err(|_| StubError("a hash has another length".to_owned())))
            .transpose()
    }

    fn put_private(&mut self, collection: &str, key: &str, value: Vec<u8>) -> Result<(), StubError> {
        check_collection(collection)?;
        self.check_write(key, value.len())?;
        check_value(&value)?;
        self.writes.put(collection, key, value);
        Ok(())
    }

    fn purge_private(&mut self, collection: &str, key: &str) -> Result<(), StubError> {
        check_collection(collection)?;
        self.check_write(key, 0)?;
        self.writes.purge(collection, key);
        Ok(())
    }

    fn set_event(&mut self, name: &str, payload: Vec<u8>) -> Result<(), StubError> {
        check_key(name)?;
        if self.event.is_some() {
            return Err(StubError("a transaction has one event".to_owned()));
        }
        if payload.len() > EVENT_BYTES_MAX {
            return Err(StubError(format!("an event has at most {EVENT_BYTES_MAX} bytes, not {}", payload.len())));
        }
        self.event = Some((name.to_owned(), payload));
        Ok(())
    }
}
