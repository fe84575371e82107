//! What the contract sees of a ledger: the part of Fabric's chaincode stub that we use.
//!
//! Fabric sets the meaning: a read sees committed state only, never the transaction's own writes; there is one event a
//! transaction; only range reads; private data is hashed on the chain.

use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::time::Timestamp;

pub use semblance_core::organisation::Role;

/// Who submitted the transaction, the same on every ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The member organisation.
    pub organisation: OrganisationId,
    /// In which role.
    pub role: Role,
    /// SHA-256 of the certificate (DER) it came with.
    pub certificate: [u8; 32],
}

/// The organisational units by which Fabric's certificates tell roles (NodeOUs), and what they are to the contract.
const UNITS: [(&str, Role); 2] = [("admin", Role::Admin), ("client", Role::Node)];

impl Caller {
    /// Whoever came with a certificate that its member issued and that names these organisational units; none if they
    /// name not exactly one role that calls the contract.
    #[must_use]
    pub fn with_units(organisation: OrganisationId, units: &[String], certificate: [u8; 32]) -> Option<Self> {
        let mut roles = UNITS.iter().filter(|(unit, _)| units.iter().any(|other| other == unit));
        let (Some((_, role)), None) = (roles.next(), roles.next()) else { return None };
        Some(Self { organisation, role: *role, certificate })
    }
}

/// Whose endorsement a later write to a key needs, beside the ledger's ordinary rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Each of these organisations.
    AllOf(Vec<OrganisationId>),
    /// At least one of these organisations.
    AnyOf(Vec<OrganisationId>),
}

/// The ledger could not serve a read or took no write; the transaction ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ledger state: {0}")]
pub struct StubError(pub String);

/// The private input by which a client says that it only asks: on Fabric a chaincode is not told. A ledger that gets it
/// refuses to write; one that does not get it refuses to read private data, which a block would show.
pub const QUERY: &str = "query";

/// Refuses a value that is none: Fabric deletes a key that is written empty.
///
/// # Errors
/// The value is empty.
pub fn check_value(value: &[u8]) -> Result<(), StubError> {
    if value.is_empty() {
        Err(StubError("a value has at least one byte: delete the key instead".into()))
    } else {
        Ok(())
    }
}

/// One transaction's view of the ledger.
pub trait Stub {
    /// The transaction's id.
    fn transaction(&self) -> TransactionId;
    /// The proposal's time: what the submitter said, within the skew the endorser allows; no proof of time.
    fn timestamp(&self) -> Timestamp;
    /// Who submitted it.
    fn caller(&self) -> &Caller;
    /// The organisation whose peer executes this.
    fn endorser(&self) -> &OrganisationId;
    /// Private input that no block will hold.
    fn transient(&self, name: &str) -> Option<&[u8]>;

    /// Reads a key of the public state, as committed before this transaction.
    ///
    /// # Errors
    /// The state cannot be read.
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StubError>;
    /// Says which keys will be read soon, for a ledger where one message for many is cheaper than many. They count as
    /// read.
    ///
    /// # Errors
    /// As [`Stub::get`].
    fn get_ahead(&mut self, _keys: Vec<String>) -> Result<(), StubError> {
        Ok(())
    }
    /// Writes a key of the public state; the value has at least one byte.
    ///
    /// # Errors
    /// The state cannot be written, or the call only evaluates.
    fn put(&mut self, key: &str, value: Vec<u8>) -> Result<(), StubError>;
    /// Deletes a key of the public state.
    ///
    /// # Errors
    /// As [`Stub::put`].
    fn delete(&mut self, key: &str) -> Result<(), StubError>;
    /// Reads keys from `start` up to, not including, `end`, in byte order, at most `limit`.
    ///
    /// # Errors
    /// The state cannot be read.
    fn range(&mut self, start: &str, end: &str, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StubError>;
    /// Sets whose endorsement later writes to the key need.
    ///
    /// # Errors
    /// As [`Stub::put`].
    fn set_key_policy(&mut self, key: &str, policy: &KeyPolicy) -> Result<(), StubError>;

    /// Reads private data; only members of the collection can.
    ///
    /// # Errors
    /// The endorser or the caller is no member, or the state cannot be read.
    fn get_private(&mut self, collection: &str, key: &str) -> Result<Option<Vec<u8>>, StubError>;
    /// Reads the SHA-256 of private data, which every member of the network holds.
    ///
    /// # Errors
    /// The state cannot be read.
    fn private_hash(&mut self, collection: &str, key: &str) -> Result<Option<[u8; 32]>, StubError>;
    /// Writes private data; the block holds its hash alone.
    ///
    /// # Errors
    /// As [`Stub::put`].
    fn put_private(&mut self, collection: &str, key: &str, value: Vec<u8>) -> Result<(), StubError>;
    /// Removes private data and its history everywhere.
    ///
    /// # Errors
    /// As [`Stub::put`].
    fn purge_private(&mut self, collection: &str, key: &str) -> Result<(), StubError>;

    /// Sets the transaction's only event.
    ///
    /// # Errors
    /// A second event, or one that is too large.
    fn set_event(&mut self, name: &str, payload: Vec<u8>) -> Result<(), StubError>;
}

/// The private collection that holds one hospital's fingerprints; its members are the matchers.
#[must_use]
pub fn fingerprint_collection(hospital: &OrganisationId) -> String {
    format!("fingerprints_{hospital}")
}
