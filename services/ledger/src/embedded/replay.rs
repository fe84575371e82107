//! A state in memory that blocks are replayed into, to compare it with the tables.

use std::collections::{BTreeMap, HashMap};

use semblance_contract::stub::KeyPolicy;
use semblance_core::id::{Digest, OrganisationId, TransactionId};
use semblance_core::signature::VerifyingKey;

use super::effects::{PrivateKey, Version, WriteSet};
use super::member::{self, Member};
use super::store::StoreError;
use super::view::{View, read_member};

/// A public key as the replay left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) value: Digest,
    pub(super) policy: Option<KeyPolicy>,
    pub(super) version: Version,
}

/// The state after the blocks replayed so far: of values the hashes alone, but for the members.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) state: BTreeMap<String, Held>,
    pub(super) private: BTreeMap<PrivateKey, ([u8; 32], Version)>,
    pub(super) transactions: HashMap<TransactionId, Version>,
    members: BTreeMap<String, Member>,
    keys: HashMap<(String, Version), VerifyingKey>,
}

impl Replay {
    /// The key with which the proposals of an organisation verified when its record had this version.
    pub(super) fn key_at(&self, organisation: &OrganisationId, version: Version) -> Option<VerifyingKey> {
        self.keys.get(&(member::key(organisation), version)).copied()
    }

    /// Applies what a valid transaction wrote.
    pub(super) fn apply(&mut self, version: Version, writes: &WriteSet) -> Result<(), StoreError> {
        for (key, value) in &writes.public {
            match value {
                Some(value) => {
                    let policy = self.state.get(key).and_then(|held| held.policy.clone());
                    self.state.insert(key.clone(), Held { value: Digest::of(value), policy, version });
                }
                None => {
                    self.state.remove(key);
                }
            }
            if key.as_str() >= member::FIRST && key.as_str() < member::BEHIND {
                self.set_member(key, value.as_deref(), version)?;
            }
        }
        for (key, policy) in &writes.policies {
            if let Some(held) = self.state.get_mut(key) {
                held.policy = Some(policy.clone());
                held.version = version;
                if let Some(member) = self.members.get(key) {
                    self.keys.insert((key.clone(), version), member.verifying_key);
                }
            }
        }
        for (key, hash) in &writes.private {
            match hash {
                Some(hash) => self.private.insert(key.clone(), (*hash, version)),
                None => self.private.remove(key),
            };
        }
        Ok(())
    }

    fn set_member(&mut self, key: &str, value: Option<&[u8]>, version: Version) -> Result<(), StoreError> {
        let Some(value) = value else {
            self.members.remove(key);
            return Ok(());
        };
        let member = read_member(key, value)?;
        self.keys.insert((key.to_owned(), version), member.verifying_key);
        self.members.insert(key.to_owned(), member);
        Ok(())
    }
}

impl View for Replay {
    fn version(&self, key: &str) -> Result<Option<Version>, StoreError> {
        Ok(self.state.get(key).map(|held| held.version))
    }

    fn policy(&self, key: &str) -> Result<Option<KeyPolicy>, StoreError> {
        Ok(self.state.get(key).and_then(|held| held.policy.clone()))
    }

    fn private_version(&self, key: &PrivateKey) -> Result<Option<Version>, StoreError> {
        Ok(self.private.get(key).map(|(_, version)| *version))
    }

    fn range(&self, start: &str, end: &str, limit: u32) -> Result<Vec<(String, Version)>, StoreError> {
        if start >= end {
            return Ok(Vec::new());
        }
        let rows = self.state.range::<str, _>((std::ops::Bound::Included(start), std::ops::Bound::Excluded(end)));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(rows.take(limit).map(|(key, held)| (key.clone(), held.version)).collect())
    }

    fn member(&self, organisation: &OrganisationId) -> Result<Option<Member>, StoreError> {
        Ok(self.members.get(&member::key(organisation)).cloned())
    }

    fn members(&self) -> Result<usize, StoreError> {
        Ok(self.members.len())
    }

    fn contains(&self, transaction: TransactionId) -> Result<bool, StoreError> {
        Ok(self.transactions.contains_key(&transaction))
    }
}
