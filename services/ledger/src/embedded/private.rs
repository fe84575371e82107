//! Private collections: whose they are, who belongs to them, and how blocks name what is in them.

use semblance_contract::stub::fingerprint_collection;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::OrganisationKind;
use sha2::{Digest as _, Sha256};

use super::effects::PrivateKey;
use super::member::Member;

/// SHA-256, as Fabric hashes private keys and values.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// How a block names a private key.
pub(super) fn hashed(collection: &str, key: &str) -> PrivateKey {
    (collection.to_owned(), sha256(key.as_bytes()))
}

/// The hospital that owns a collection, if it is the name of one.
pub(super) fn owner(collection: &str) -> Option<OrganisationId> {
    let (_, name) = collection.split_once('_')?;
    let owner = OrganisationId::new(name).ok()?;
    (fingerprint_collection(&owner) == collection).then_some(owner)
}

/// Says whether an organisation belongs to the collections: their members are the matchers.
pub(super) fn is_member(member: &Member) -> bool {
    member.kind == OrganisationKind::Matcher
}
