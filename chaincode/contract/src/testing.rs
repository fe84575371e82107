//! A ledger in memory for tests: reads do not see the transaction's own writes until [`MemoryStub::commit`].

use std::collections::{BTreeMap, BTreeSet};

use semblance_core::id::{Digest, OrganisationId, TransactionId};
use semblance_core::time::Timestamp;
use sha2::Digest as _;

use crate::stub::{Caller, KeyPolicy, Role, Stub, StubError};

/// What a transaction would write; `None` deletes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// Public keys.
    pub public: BTreeMap<String, Option<Vec<u8>>>,
    /// Private keys by collection and key; `None` purges.
    pub private: BTreeMap<(String, String), Option<Vec<u8>>>,
    /// Policies set.
    pub policies: BTreeMap<String, KeyPolicy>,
    /// The event.
    pub event: Option<(String, Vec<u8>)>,
}

/// Committed state and one transaction on top of it; who calls, who endorses and when can be set.
pub struct MemoryStub {
    state: BTreeMap<String, Vec<u8>>,
    private: BTreeMap<(String, String), Vec<u8>>,
    policies: BTreeMap<String, KeyPolicy>,
    writes: Writes,
    reads: BTreeSet<String>,
    transient: BTreeMap<String, Vec<u8>>,
    caller: Caller,
    endorser: OrganisationId,
    timestamp: Timestamp,
    number: u64,
    broken: bool,
}

impl MemoryStub {
    /// Starts with an empty state.
    #[must_use]
    pub fn new(organisation: &OrganisationId, role: Role, timestamp: Timestamp) -> Self {
        Self {
            state: BTreeMap::new(),
            private: BTreeMap::new(),
            policies: BTreeMap::new(),
            writes: Writes::default(),
            reads: BTreeSet::new(),
            transient: BTreeMap::new(),
            caller: Caller { organisation: organisation.clone(), role, certificate: [0; 32] },
            endorser: organisation.clone(),
            timestamp,
            number: 0,
            broken: false,
        }
    }

    /// Sets who calls; the same organisation endorses until [`MemoryStub::set_endorser`] says otherwise.
    pub fn set_caller(&mut self, organisation: &OrganisationId, role: Role) {
        self.caller.organisation = organisation.clone();
        self.caller.role = role;
        self.endorser = organisation.clone();
    }

    /// Sets whose peer executes.
    pub fn set_endorser(&mut self, organisation: &OrganisationId) {
        self.endorser = organisation.clone();
    }

    /// Sets the proposal's time.
    pub fn set_timestamp(&mut self, timestamp: Timestamp) {
        self.timestamp = timestamp;
    }

    /// Sets one piece of private input.
    pub fn set_transient(&mut self, name: &str, value: Vec<u8>) {
        self.transient.insert(name.to_owned(), value);
    }

    /// Lets every read fail from now on, or heals it.
    pub fn set_broken(&mut self, broken: bool) {
        self.broken = broken;
    }

    /// Applies the transaction, returns what it wrote and starts the next one.
    pub fn commit(&mut self) -> Writes {
        let writes = self.rollback();
        for (key, value) in &writes.public {
            match value {
                Some(value) => self.state.insert(key.clone(), value.clone()),
                None => self.state.remove(key),
            };
        }
        for (key, value) in &writes.private {
            match value {
                Some(value) => self.private.insert(key.clone(), value.clone()),
                None => self.private.remove(key),
            };
        }
        self.policies.extend(writes.policies.clone());
        writes
    }

    /// Drops the transaction, returns what it would have written and starts the next one.
    pub fn rollback(&mut self) -> Writes {
        self.number += 1;
        self.transient.clear();
        self.reads.clear();
        std::mem::take(&mut self.writes)
    }

    /// What the transaction has written so far.
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// The keys the transaction has read one by one so far.
    #[must_use]
    pub fn reads(&self) -> &BTreeSet<String> {
        &self.reads
    }

    /// The committed public state.
    #[must_use]
    pub fn state(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.state
    }

    /// Overwrites the committed public state, as nobody honest could.
    pub fn tamper(&mut self, key: &str, value: Vec<u8>) {
        self.state.insert(key.to_owned(), value);
    }

    /// The policy a key carries.
    #[must_use]
    pub fn policy(&self, key: &str) -> Option<&KeyPolicy> {
        self.policies.get(key)
    }

    fn readable(&self) -> Result<(), StubError> {
        if self.broken { Err(StubError("the state cannot be read".into())) } else { Ok(()) }
    }
}

impl Stub for MemoryStub {
    fn transaction(&self) -> TransactionId {
        TransactionId::from_bytes(*Digest::of(&self.number.to_be_bytes()).as_bytes())
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn endorser(&self) -> &OrganisationId {
        &self.endorser
    }

    fn transient(&self, name: &str) -> Option<&[u8]> {
        self.transient.get(name).map(Vec::as_slice)
    }

    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StubError> {
        self.readable()?;
        self.reads.insert(key.to_owned());
        Ok(self.state.get(key).cloned())
    }

    fn put(&mut self, key: &str, value: Vec<u8>) -> Result<(), StubError> {
        self.writes.public.insert(key.to_owned(), Some(value));
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), StubError> {
        self.writes.public.insert(key.to_owned(), None);
        Ok(())
    }

    fn range(&mut self, start: &str, end: &str, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StubError> {
        self.readable()?;
        if start >= end {
            return Ok(Vec::new());
        }
        let rows = self.state.range(start.to_owned()..end.to_owned());
        Ok(rows.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn set_key_policy(&mut self, key: &str, policy: &KeyPolicy) -> Result<(), StubError> {
        self.writes.policies.insert(key.to_owned(), policy.clone());
        Ok(())
    }

    fn get_private(&mut self, collection: &str, key: &str) -> Result<Option<Vec<u8>>, StubError> {
        self.readable()?;
        Ok(self.private.get(&(collection.to_owned(), key.to_owned())).cloned())
    }

    fn private_hash(&mut self, collection: &str, key: &str) -> Result<Option<[u8; 32]>, StubError> {
        let value = self.get_private(collection, key)?;
        Ok(value.map(|value| sha2::Sha256::digest(&value).into()))
    }

    fn put_private(&mut self, collection: &str, key: &str, value: Vec<u8>) -> Result<(), StubError> {
        self.writes.private.insert((collection.to_owned(), key.to_owned()), Some(value));
        Ok(())
    }

    fn purge_private(&mut self, collection: &str, key: &str) -> Result<(), StubError> {
        self.writes.private.insert((collection.to_owned(), key.to_owned()), None);
        Ok(())
    }

    fn set_event(&mut self, name: &str, payload: Vec<u8>) -> Result<(), StubError> {
        if self.writes.event.is_some() {
            return Err(StubError("a transaction has one event".into()));
        }
        self.writes.event = Some((name.to_owned(), payload));
        Ok(())
    }
}
