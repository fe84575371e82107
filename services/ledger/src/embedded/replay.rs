//! A scratch database that blocks are replayed into, to execute transactions on it again and to compare it with the
//! tables. It holds everything that the tables hold, but for private values.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;
use semblance_contract::{Contract, key};
use semblance_core::id::{NetworkId, OrganisationId, TransactionId};
use semblance_core::organisation::Network;
use semblance_core::record::Record;
use semblance_core::signature::VerifyingKey;

use super::block::Executed;
use super::effects::{Version, WriteSet};
use super::reexecute::{self, Repetition};
use super::stub::PrivateValues;
use super::validate::{endorsed_on_fabric, fresh, validate};
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
    pub(super) fn judge(&self, id: TransactionId, executed: &Executed) -> Result<Validation, String> {
        validate(id, executed, self.tables()).map_err(|error| error.to_string())
    }

    /// Whether a transaction of Fabric has the endorsements that it needs; its endorsers satisfy the chaincode's rule, or
    /// not.
    pub(crate) fn endorsed_on_fabric(&self, executed: &Executed, chaincodes_rule: bool) -> Result<bool, String> {
        endorsed_on_fabric(executed, chaincodes_rule, self.tables()).map_err(|error| error.to_string())
    }

    /// Whether everything that a transaction read is as it was.
    pub(crate) fn fresh(&self, executed: &Executed) -> Result<Validation, String> {
        fresh(executed, self.tables()).map_err(|error| error.to_string())
    }

    /// Whether there was a transaction of this id.
    pub(crate) fn contains(&self, id: TransactionId) -> Result<bool, String> {
        self.tables().contains(id).map_err(|error| error.to_string())
    }

    /// The network that the contract's genesis made; none before it.
    pub(crate) fn network(&self) -> Option<NetworkId> {
        let (record, _) = self.tables().value(key::NETWORK).ok().flatten()?;
        Network::decode(&record).ok().map(|network| network.id())
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
        reexecute::execute(self, repetition, contract, Some(file))?;
        self.apply(version, &repetition.executed.writes).map_err(|error| error.to_string())
    }

    /// The same where no private value can be looked at.
    pub(crate) fn repeat_without_values(
        &mut self,
        version: Version,
        repetition: &Repetition<'_>,
        contract: &dyn Contract,
    ) -> Result<(), String> {
        reexecute::execute(self, repetition, contract, None)?;
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
