//! What validation and the contract ask of the state.

use rusqlite::{Connection, OptionalExtension, Row, params};
use semblance_contract::stub::KeyPolicy;
use semblance_core::id::{OrganisationId, TransactionId};

use super::effects::{PrivateKey, Version};
use super::member::{self, Member};
use super::policy::policy_from_bytes;
use super::store::{StoreError, unsigned};

/// A state: committed and seen in a snapshot, inside the writer's own transaction, or replayed.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a>(pub(super) &'a Connection);

impl Tables<'_> {
    /// A public value.
    pub(super) fn value(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let mut statement = self.0.prepare_cached("SELECT block, position, value FROM state WHERE key = ?1")?;
        let row = statement.query_row([key], |row| Ok((raw_version(row)?, row.get(2)?))).optional()?;
        row.map(|(version, value)| Ok((value, version_of(version)?))).transpose()
    }

    /// Public values of a range.
    pub(super) fn rows(
        &self,
        start: &str,
        end: &str,
        limit: u32,
    ) -> Result<Vec<(String, Vec<u8>, Version)>, StoreError> {
        let mut statement = self.0.prepare_cached(
            "SELECT block, position, key, value FROM state WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        )?;
        let rows = statement
            .query_map(params![start, end, limit], |row| Ok((raw_version(row)?, row.get(2)?, row.get(3)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().map(|(version, key, value)| Ok((key, value, version_of(version)?))).collect()
    }

    /// The hash of a private value.
    pub(super) fn private_hash(&self, key: &PrivateKey) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let mut statement = self.0.prepare_cached(
            "SELECT block, position, value_hash FROM private_hash WHERE collection = ?1 AND key_hash = ?2",
        )?;
        let row = statement.query_row(params![key.0, key.1], |row| Ok((raw_version(row)?, row.get(2)?))).optional()?;
        row.map(|(version, hash)| Ok((hash, version_of(version)?))).transpose()
    }

    /// A private value.
    pub(super) fn private_value(&self, key: &PrivateKey) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.0.prepare_cached(
            "SELECT value FROM private_value JOIN private_slot USING (slot) WHERE collection = ?1 AND key_hash = ?2",
        )?;
        Ok(statement.query_row(params![key.0, key.1], |row| row.get(0)).optional()?)
    }

    /// The names of all members, in order.
    pub(super) fn member_names(&self) -> Result<Vec<OrganisationId>, StoreError> {
        let rows = self.range(member::FIRST, member::BEHIND, u32::MAX)?;
        rows.into_iter().map(|(key, _)| member::name(&key)).collect()
    }

    /// All members.
    pub(super) fn all_members(&self) -> Result<Vec<Member>, StoreError> {
        let rows = self.rows(member::FIRST, member::BEHIND, u32::MAX)?;
        rows.into_iter().map(|(key, value, _)| read_member(&key, &value)).collect()
    }

    /// Who wrote a public key last.
    pub(super) fn version(&self, key: &str) -> Result<Option<Version>, StoreError> {
        let mut statement = self.0.prepare_cached("SELECT block, position FROM state WHERE key = ?1")?;
        statement.query_row([key], raw_version).optional()?.map(version_of).transpose()
    }

    /// Whose endorsement a write to the key needs.
    pub(super) fn policy(&self, key: &str) -> Result<Option<KeyPolicy>, StoreError> {
        let mut statement = self.0.prepare_cached("SELECT policy FROM state WHERE key = ?1")?;
        let stored: Option<Option<Vec<u8>>> = statement.query_row([key], |row| row.get(0)).optional()?;
        let damaged = |error| StoreError::Damaged(format!("policy of {key}: {error}"));
        stored.flatten().map(|bytes| policy_from_bytes(&bytes).map_err(damaged)).transpose()
    }

    /// Who wrote a private key last.
    pub(super) fn private_version(&self, key: &PrivateKey) -> Result<Option<Version>, StoreError> {
        Ok(self.private_hash(key)?.map(|(_, version)| version))
    }

    /// Keys and versions of a range.
    pub(super) fn range(&self, start: &str, end: &str, limit: u32) -> Result<Vec<(String, Version)>, StoreError> {
        let mut statement = self.0.prepare_cached(
            "SELECT block, position, key FROM state WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        )?;
        let rows = statement
            .query_map(params![start, end, limit], |row| Ok((raw_version(row)?, row.get(2)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().map(|(version, key)| Ok((key, version_of(version)?))).collect()
    }

    /// A member of the network.
    pub(super) fn member(&self, organisation: &OrganisationId) -> Result<Option<Member>, StoreError> {
        let key = member::key(organisation);
        self.value(&key)?.map(|(value, _)| read_member(&key, &value)).transpose()
    }

    /// How many members there are.
    pub(super) fn members(&self) -> Result<usize, StoreError> {
        let mut statement = self.0.prepare_cached("SELECT count(*) FROM state WHERE key >= ?1 AND key < ?2")?;
        let count: i64 = statement.query_row([member::FIRST, member::BEHIND], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Where the transaction of this id stands.
    pub(super) fn place_of(&self, transaction: &[u8]) -> Result<Option<Version>, StoreError> {
        let mut statement = self.0.prepare_cached("SELECT block, position FROM transaction_index WHERE id = ?1")?;
        statement.query_row([transaction], raw_version).optional()?.map(version_of).transpose()
    }

    /// Whether a transaction of this id was recorded.
    pub(super) fn contains(&self, transaction: TransactionId) -> Result<bool, StoreError> {
        Ok(self.place_of(transaction.as_bytes())?.is_some())
    }
}

/// Reads a member's record, naming its key where it does not read back.
pub(super) fn read_member(key: &str, value: &[u8]) -> Result<Member, StoreError> {
    Member::decode(value).map_err(|error| StoreError::Damaged(format!("record {key}: {error}")))
}

fn raw_version(row: &Row<'_>) -> rusqlite::Result<(i64, u32)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn version_of((block, position): (i64, u32)) -> Result<Version, StoreError> {
    Ok(Version { block: unsigned(block)?, position })
}
