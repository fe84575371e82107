//! Vectors of signed statements.

use semblance_core::id::NetworkId;
use semblance_core::signature::{Signature, SignedBytes, SigningKey, Statement, VerifyingKey};
use serde_json::{Value, json};

use crate::stored::bytes;

/// So many bytes that stand in a file as hexadecimal text.
pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

/// The vector of one signed statement.
pub(crate) fn signed<T: Statement>(statement: T, seed: &SigningKey, fields: Value) -> Value {
    let signed = statement.sign(seed);
    json!({
        "domain": T::DOMAIN,
        "version": T::VERSION,
        "fields": fields,
        "seed": hex::encode(*seed.expose_seed()),
        "verifying_key": seed.verifying_key().to_string(),
        "bytes": hex::encode(signed.source().bytes()),
        "digest": signed.digest().to_string(),
        "signature": hex::encode(signed.source().signature().as_bytes()),
    })
}

/// Reads a stored statement back through every check.
pub(crate) fn verifies<T: Statement + PartialEq + std::fmt::Debug>(network: NetworkId, vector: &Value, expected: &T) {
    let source = SignedBytes::new(bytes(&vector["bytes"]), Signature::from_bytes(array(&vector["signature"])));
    let key = VerifyingKey::from_bytes(&array(&vector["verifying_key"])).unwrap();
    let verified = source.claim::<T>(network).unwrap().verify(&key).unwrap();
    assert_eq!(verified.statement(), expected);
}
