//! Stories about private data.

use sha2::Digest as _;

use super::scratch::{call, collection, endorsed};
use super::{Factory, Network, Told};
use crate::{Call, LedgerError};

const VALUE: &[u8] = b"private-value-with-a-salt-0123456789";

async fn network_with_value(factory: &dyn Factory) -> Network {
    let network = Network::scratch(factory, 2, 1).await;
    network.node("hospital-1").submit(put("key", VALUE)).await.expect("valid");
    network
}

/// A private write of hospital 1, endorsed as its collection asks.
#[must_use]
pub fn put(key: &str, value: &[u8]) -> Call {
    let mut put = endorsed("put_private", &[&collection("hospital-1"), key], &["hospital-1", "matcher-1"]);
    put.transient.insert("value".into(), value.to_vec());
    put
}

fn get(endorser: &str) -> Call {
    endorsed("get_private", &[&collection("hospital-1"), "key"], &[endorser])
}

/// Matchers read on their own peers; nobody else reads, not even through a matcher's peer.
pub async fn private_data_are_for_members_alone(factory: &dyn Factory) -> Told {
    let network = network_with_value(factory).await;
    let matcher = network.node("matcher-1");
    assert_eq!(matcher.evaluate(get("matcher-1")).await.expect("answered"), VALUE);
    for (caller, endorser) in [
        ("hospital-2", "hospital-2"),
        ("hospital-1", "hospital-1"),
        ("hospital-2", "matcher-1"),
        ("matcher-1", "hospital-1"),
    ] {
        let outcome = network.node(caller).evaluate(get(endorser)).await;
        assert!(matches!(outcome, Err(LedgerError::Refused { .. })), "{caller} on {endorser}: {outcome:?}");
    }
    let nowhere = matcher.evaluate(endorsed("get_private", &["no_collection", "key"], &["matcher-1"])).await;
    assert!(nowhere.is_err());
    network.assert_sound().await;
    Ok(())
}

/// After a purge there is neither value nor hash, and the key can be used again.
pub async fn purged_data_are_gone(factory: &dyn Factory) -> Told {
    let network = network_with_value(factory).await;
    let purge = endorsed("purge_private", &[&collection("hospital-1"), "key"], &["hospital-1", "matcher-1"]);
    network.node("hospital-1").submit(purge).await.expect("valid");
    assert_eq!(network.node("matcher-1").evaluate(get("matcher-1")).await.expect("answered"), b"");
    let hash = call("private_hash", &[&collection("hospital-1"), "key"]);
    assert_eq!(network.node("hospital-2").evaluate(hash).await.expect("answered"), b"");
    network.node("hospital-1").submit(put("key", b"another")).await.expect("valid");
    network.node("hospital-1").submit(put("key", b"a third")).await.expect("valid");
    assert_eq!(network.node("matcher-1").evaluate(get("matcher-1")).await.expect("answered"), b"a third");
    network.assert_sound().await;
    Ok(())
}

/// Every member can read the SHA-256, and no more than that.
pub async fn only_the_hash_is_public(factory: &dyn Factory) -> Told {
    let network = network_with_value(factory).await;
    for name in ["hospital-1", "hospital-2", "matcher-1"] {
        let hash = call("private_hash", &[&collection("hospital-1"), "key"]);
        let hash = network.node(name).evaluate(hash).await.expect("answered");
        assert_eq!(hash, sha2::Sha256::digest(VALUE).to_vec());
    }
    Ok(())
}
