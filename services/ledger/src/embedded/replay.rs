//! A scratch database that blocks are replayed into, to execute transactions on it again and to compare it with the
//! tables. It holds everything that the tables hold, but for private values.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::signature::VerifyingKey;

use super::effects::{Version, WriteSet};
use super::stub::PrivateValues;
use super::view::Tables;
use super::{apply, member, store};

/// The state after the blocks replayed so far.
pub(super) struct Replay {
    connection: Connection,
    /// The keys that members have had, by the version of the record that held them.
    keys: HashMap<(OrganisationId, Version), VerifyingKey>,
}

impl Replay {
    pub(super) fn new() -> Result<Self, store::StoreError> {
        Ok(Self { connection: store::open_scratch()?, keys: HashMap::new() })
    }

    /// The state.
    pub(super) fn tables(&self) -> Tables<'_> {
        Tables(&self.connection)
    }

    /// The key with which the proposals of an organisation verified when its record had this version.
    pub(super) fn key_at(&self, organisation: &OrganisationId, version: Version) -> Option<VerifyingKey> {
        self.keys.get(&(organisation.clone(), version)).copied()
    }

    /// Remembers where a transaction stands, valid or not.
    pub(super) fn index(&self, id: TransactionId, version: Version) -> Result<(), store::StoreError> {
        apply::index(&self.connection, id, version)
    }

    /// The signing keys that each member has had.
    pub(super) fn keys_of_members(&self) -> BTreeMap<OrganisationId, Vec<VerifyingKey>> {
        let mut keys = BTreeMap::<OrganisationId, Vec<VerifyingKey>>::new();
        for ((member, _), key) in &self.keys {
            let known = keys.entry(member.clone()).or_default();
            if !known.contains(key) {
                known.push(*key);
            }
        }
        keys
    }

    /// Applies what a valid transaction wrote.
    pub(super) fn apply(&mut self, version: Version, writes: &WriteSet) -> Result<(), store::StoreError> {
        apply::apply(&self.connection, version, writes, &PrivateValues::new())?;
        let written = writes.public.keys().chain(writes.policies.keys());
        for key in written.filter(|key| (member::FIRST..member::BEHIND).contains(&key.as_str())) {
            // A policy alone gives the record a new version as well.
            let name = member::name(key)?;
            if let Some(member) = self.tables().member(&name)? {
                self.keys.insert((name, version), member.verifying_key);
            }
        }
        Ok(())
    }
}
