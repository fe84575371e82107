//! A scratch database that blocks are replayed into, to execute transactions on it again and to compare it with the
//! tables. It holds everything that the tables hold, but for private values.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;
use semblance_contract::Contract;
use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::signature::VerifyingKey;

use super::block::Executed;
use super::effects::{Version, WriteSet};
use super::reexecute::{self, Repetition};
use super::stub::PrivateValues;
use super::validate::validate;
use super::view::Tables;
use super::{apply, member, store};
use crate::Validation;

/// The state after the blocks replayed so far.
pub(crate) struct Replay {
    connection: Connection,
    /// The keys that members have had, by the version of the record that held them.
    keys: HashMap<(OrganisationId, Version), VerifyingKey>,
}

impl Replay {
    pub(crate) fn new() -> Result<Self, store::StoreError> {
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

    /// Judges a transaction as the next one.
    pub(crate) fn judge(&self, id: TransactionId, executed: &Executed) -> Result<Validation, String> {
        validate(id, executed, self.tables()).map_err(|error| error.to_string())
    }

    /// Executes a valid transaction again, compares, and applies what it wrote. `file` is asked for private values that
    /// are still there.
    pub(super) fn repeat(
        &mut self,
        version: Version,
        repetition: &Repetition<'_>,
        contract: &dyn Contract,
        file: Tables<'_>,
    ) -> Result<(), String> {
        reexecute::execute(self, repetition, contract, file)?;
        self.apply(version, &repetition.executed.writes).map_err(|error| error.to_string())
    }

    /// Remembers where a transaction stands, valid or not.
    pub(crate) fn note(&self, id: TransactionId, version: Version, validation: Validation) -> Result<(), String> {
        if validation == Validation::DuplicateTransaction {
            return Ok(());
        }
        apply::index(&self.connection, id, version).map_err(|error| error.to_string())
    }

    /// The signing keys that each member has had.
    pub(crate) fn keys_of_members(&self) -> BTreeMap<OrganisationId, Vec<VerifyingKey>> {
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
    fn apply(&mut self, version: Version, writes: &WriteSet) -> Result<(), store::StoreError> {
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
