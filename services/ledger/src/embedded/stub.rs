//! The contract's view of a snapshot: reads are recorded with their versions, writes are collected and never read back.

use std::cell::Cell;
use std::collections::BTreeMap;

use semblance_contract::stub::{Caller, KeyPolicy, Stub, StubError, check_value};
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::limits::{EVENT_BYTES_MAX, STATE_KEY_MAX, STATE_VALUE_MAX};
use semblance_core::proposal::Transient;
use semblance_core::time::Timestamp;

use super::effects::{RangeRead, ReadSet, WriteSet, rows_digest};
use super::private::{hashed, is_member, owner, sha256};
use super::store::StoreError;
use super::view::Tables;

/// Private values by collection and key, before they are hashed.
pub(super) type PrivateValues = BTreeMap<(String, String), Vec<u8>>;

/// Whether a call may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Submit,
    Evaluate,
}

/// What one execution is about.
pub(super) struct Context<'a> {
    pub(super) transaction: TransactionId,
    pub(super) timestamp: Timestamp,
    pub(super) caller: &'a Caller,
    pub(super) endorser: &'a OrganisationId,
    pub(super) transient: &'a Transient,
    pub(super) mode: Mode,
}

/// What one execution did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Effects {
    pub(super) reads: ReadSet,
    pub(super) writes: WriteSet,
    pub(super) private: PrivateValues,
    pub(super) event: Option<(String, Vec<u8>)>,
}

/// One peer's execution of one call.
pub(super) struct SnapshotStub<'a> {
    context: Context<'a>,
    tables: Tables<'a>,
    effects: Effects,
    endorser_mattered: Cell<bool>,
}

impl<'a> SnapshotStub<'a> {
    pub(super) fn new(context: Context<'a>, tables: Tables<'a>) -> Self {
        Self { context, tables, effects: Effects::default(), endorser_mattered: Cell::new(false) }
    }

    /// Whether the contract asked on whose peer it runs: if not, it does the same on all.
    pub(super) fn endorser_mattered(&self) -> bool {
        self.endorser_mattered.get()
    }

    pub(super) fn into_effects(self) -> Effects {
        self.effects
    }

    fn check_write(&self, key: &str, length: usize) -> Result<(), StubError> {
        if self.context.mode == Mode::Evaluate {
            return Err(StubError("a query writes nothing: submit it instead".into()));
        }
        check_key(key)?;
        if length > STATE_VALUE_MAX {
            return Err(StubError(format!("a value has {length} bytes, {STATE_VALUE_MAX} are allowed")));
        }
        Ok(())
    }

    fn check_collection(collection: &str) -> Result<(), StubError> {
        match owner(collection) {
            Some(_) => Ok(()),
            None => Err(StubError(format!("there is no private collection {collection:.80}"))),
        }
    }

    /// A collection's data are read by its members alone, on their own peers.
    fn check_private_read(&self, collection: &str) -> Result<(), StubError> {
        Self::check_collection(collection)?;
        for organisation in [&self.context.caller.organisation, self.context.endorser] {
            let member = self.tables.member(organisation).map_err(broken)?;
            if !member.is_some_and(|member| is_member(&member)) {
                return Err(StubError(format!("{organisation} is no member of the private collection {collection}")));
            }
        }
        Ok(())
    }
}

fn check_key(key: &str) -> Result<(), StubError> {
    if key.is_empty() || key.len() > STATE_KEY_MAX || key.contains(char::is_control) {
        return Err(StubError(format!("a key has 1 to {STATE_KEY_MAX} bytes without control characters")));
    }
    Ok(())
}

fn broken(error: StoreError) -> StubError {
    StubError(error.to_string())
}

impl Stub for SnapshotStub<'_> {
    fn transaction(&self) -> TransactionId {
        self.context.transaction
    }

    fn timestamp(&self) -> Timestamp {
        self.context.timestamp
    }

    fn caller(&self) -> &Caller {
        self.context.caller
    }

    fn endorser(&self) -> &OrganisationId {
        self.endorser_mattered.set(true);
        self.context.endorser
    }

    fn transient(&self, name: &str) -> Option<&[u8]> {
        self.context.transient.get(name).map(Vec::as_slice)
    }

    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StubError> {
        check_key(key)?;
        let found = self.tables.value(key).map_err(broken)?;
        self.effects.reads.public.insert(key.to_owned(), found.as_ref().map(|(_, version)| *version));
        Ok(found.map(|(value, _)| value))
    }

    fn put(&mut self, key: &str, value: Vec<u8>) -> Result<(), StubError> {
        self.check_write(key, value.len())?;
        check_value(&value)?;
        self.effects.writes.public.insert(key.to_owned(), Some(value));
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), StubError> {
        self.check_write(key, 0)?;
        self.effects.writes.public.insert(key.to_owned(), None);
        Ok(())
    }

    fn range(&mut self, start: &str, end: &str, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StubError> {
        if start.len() > STATE_KEY_MAX || end.len() > STATE_KEY_MAX {
            return Err(StubError(format!("a key has at most {STATE_KEY_MAX} bytes")));
        }
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let rows = self.tables.rows(start, end, limit).map_err(broken)?;
        if self.context.mode == Mode::Submit {
            let digest = rows_digest(rows.iter().map(|(key, _, version)| (key.as_str(), *version)));
            let range = RangeRead { start: start.to_owned(), end: end.to_owned(), limit, rows: digest };
            self.effects.reads.ranges.push(range);
        }
        Ok(rows.into_iter().map(|(key, value, _)| (key, value)).collect())
    }

    fn set_key_policy(&mut self, key: &str, policy: &KeyPolicy) -> Result<(), StubError> {
        self.check_write(key, 0)?;
        self.effects.writes.policies.insert(key.to_owned(), policy.clone());
        Ok(())
    }

    fn get_private(&mut self, collection: &str, key: &str) -> Result<Option<Vec<u8>>, StubError> {
        if self.context.mode == Mode::Submit {
            return Err(StubError("a block would show what a transaction reads of private data: ask a query".into()));
        }
        self.check_private_read(collection)?;
        self.tables.private_value(&hashed(collection, key)).map_err(broken)
    }

    fn private_hash(&mut self, collection: &str, key: &str) -> Result<Option<[u8; 32]>, StubError> {
        Self::check_collection(collection)?;
        let key = hashed(collection, key);
        let found = self.tables.private_hash(&key).map_err(broken)?;
        self.effects.reads.private.insert(key, found.as_ref().map(|(_, version)| *version));
        found
            .map(|(hash, _)| {
                <[u8; 32]>::try_from(hash).map_err(|_| StubError("a stored hash has another length".into()))
            })
            .transpose()
    }

    fn put_private(&mut self, collection: &str, key: &str, value: Vec<u8>) -> Result<(), StubError> {
        Self::check_collection(collection)?;
        self.check_write(key, value.len())?;
        check_value(&value)?;
        self.effects.writes.private.insert(hashed(collection, key), Some(sha256(&value)));
        self.effects.private.insert((collection.to_owned(), key.to_owned()), value);
        Ok(())
    }

    fn purge_private(&mut self, collection: &str, key: &str) -> Result<(), StubError> {
        Self::check_collection(collection)?;
        self.check_write(key, 0)?;
        self.effects.writes.private.insert(hashed(collection, key), None);
        self.effects.private.remove(&(collection.to_owned(), key.to_owned()));
        Ok(())
    }

    fn set_event(&mut self, name: &str, payload: Vec<u8>) -> Result<(), StubError> {
        check_key(name)?;
        if self.effects.event.is_some() {
            return Err(StubError("a transaction has one event".into()));
        }
        if payload.len() > EVENT_BYTES_MAX {
            return Err(StubError(format!("an event has at most {EVENT_BYTES_MAX} bytes, not {}", payload.len())));
        }
        self.effects.event = Some((name.to_owned(), payload));
        Ok(())
    }
}
