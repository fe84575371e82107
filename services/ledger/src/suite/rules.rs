//! Stories about whose endorsement a write needs.

use std::sync::Arc;

use semblance_core::record::Record;
use semblance_core::signature::SigningKey;

use super::private::put;
use super::scratch::{ForgingContract, call, collection, endorsed};
use super::{Factory, Network, Party, Told, organisation};
use crate::{Call, LedgerError, Validation};

fn refused_by_policy<T: std::fmt::Debug>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::Invalid { validation: Validation::EndorsementPolicyFailure, .. }))
}

/// Two organisations whose peers run another contract agree on what they want, and still cannot write what a third
/// one owns.
pub async fn two_altered_peers_cannot_write_an_owners_key(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 1).await;
    network.node("hospital-1").submit(call("own", &["case", "hospital-1"])).await.expect("valid");
    let stolen = Party { key: SigningKey::from_seed(&[33; 32]), ..network.party("hospital-1").clone() };
    let forging = ForgingContract { key: "case".into(), value: stolen.record().encode() };
    for name in ["hospital-2", "matcher-1"] {
        network.ledger.alter(&organisation(name), Some(Arc::new(forging.clone())))?;
    }
    let forged = endorsed("get", &["case"], &["hospital-2", "matcher-1"]);
    let outcome = network.node("hospital-2").submit(forged).await;
    assert!(refused_by_policy(&outcome), "{outcome:?}");
    let with_owner = endorsed("get", &["case"], &["hospital-1", "hospital-2", "matcher-1"]);
    let outcome = network.node("hospital-2").submit(with_owner).await;
    assert!(
        matches!(&outcome, Err(LedgerError::Refused { code, .. }) if code == "endorsement-mismatch"),
        "{outcome:?}"
    );
    assert_eq!(network.node("hospital-1").evaluate(call("get", &["case"])).await.expect("answered"), b"owned");
    for name in ["hospital-2", "matcher-1"] {
        network.ledger.alter(&organisation(name), None)?;
    }
    network.node("hospital-1").submit(call("put", &["case", "changed"])).await.expect("the owner may");
    network.assert_sound().await;
    Ok(())
}

/// Peers that come to different results do not endorse.
pub async fn peers_must_agree(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 0).await;
    let forging = ForgingContract { key: "key".into(), value: b"forged".to_vec() };
    network.ledger.alter(&organisation("hospital-2"), Some(Arc::new(forging)))?;
    let both = || endorsed("put", &["key", "honest"], &["hospital-1", "hospital-2"]);
    let outcome = network.node("hospital-1").submit(both()).await;
    assert!(
        matches!(&outcome, Err(LedgerError::Refused { code, .. }) if code == "endorsement-mismatch"),
        "{outcome:?}"
    );
    network.ledger.alter(&organisation("hospital-2"), None)?;
    network.node("hospital-1").submit(both()).await.expect("agreed");
    Ok(())
}

/// One organisation alone writes nothing, be it the owner; any two may, and where none is named the ledger finds two.
pub async fn any_two_endorse_and_never_one(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 1).await;
    let put = |endorsers: &[&str]| endorsed("put", &["key", "x"], endorsers);
    for alone in ["hospital-1", "hospital-2", "matcher-1"] {
        let outcome = network.node("hospital-1").submit(put(&[alone])).await;
        assert!(refused_by_policy(&outcome), "{alone}: {outcome:?}");
    }
    for two in [["hospital-1", "hospital-2"], ["hospital-2", "matcher-1"], ["hospital-1", "matcher-1"]] {
        network.node("hospital-1").submit(put(&two)).await.expect("two are enough");
    }
    for name in ["hospital-1", "hospital-2", "matcher-1"] {
        network.node(name).submit(call("put", &["key", name])).await.expect("the ledger finds a second one");
    }
    network.assert_sound().await;
    Ok(())
}

/// Where the peer that would be chosen is down another one takes its place; where only one is left nothing is written.
pub async fn a_peer_that_is_down_is_not_chosen(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 1).await;
    for down in ["hospital-2", "matcher-1"] {
        network.ledger.set_down(&organisation(down), true).await?;
        network.node("hospital-1").submit(call("put", &[down, "x"])).await.expect("another one endorses");
        network.ledger.set_down(&organisation(down), false).await?;
    }
    for down in ["hospital-2", "matcher-1"] {
        network.ledger.set_down(&organisation(down), true).await?;
    }
    let outcome = network.node("hospital-1").submit(call("put", &["alone", "x"])).await;
    assert!(matches!(outcome, Err(LedgerError::Unavailable(_))), "{outcome:?}");
    network.assert_sound().await;
    Ok(())
}

/// Private input goes to those who were chosen for it, never to whom the ledger would choose.
pub async fn private_input_wants_named_endorsers(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 1).await;
    let outcome = network.node("hospital-1").submit(Call { endorsers: Vec::new(), ..put("key", b"value") }).await;
    assert!(matches!(outcome, Err(LedgerError::Refused { .. })), "{outcome:?}");
    Ok(())
}

/// Who is no member cannot be named.
pub async fn strangers_cannot_endorse(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let outcome = network.node("hospital-1").submit(endorsed("put", &["key", "x"], &["stranger"])).await;
    // Fabric's gateway does not tell a stranger from a member whose peers are down.
    let named = |text: &str| text.contains("stranger");
    assert!(
        matches!(&outcome, Err(LedgerError::Identity(text) | LedgerError::Unavailable(text)) if named(text)),
        "{outcome:?}"
    );
    Ok(())
}

/// A hospital alone, or another hospital with a matcher, cannot write into a hospital's collection.
pub async fn a_collection_needs_its_hospital_and_a_matcher(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 2).await;
    let with = |endorsers: &[&str]| Call {
        endorsers: endorsers.iter().map(|name| organisation(name)).collect(),
        ..put("key", b"value")
    };
    for wrong in [&["hospital-1"][..], &["hospital-2", "matcher-1"], &["hospital-1", "hospital-2"], &["matcher-1"]] {
        let outcome = network.node("hospital-1").submit(with(wrong)).await;
        assert!(refused_by_policy(&outcome), "{wrong:?}: {outcome:?}");
    }
    network.node("hospital-1").submit(with(&["hospital-1", "matcher-2"])).await.expect("either matcher will do");
    let purge = |endorsers: &[&str]| endorsed("purge_private", &[&collection("hospital-1"), "key"], endorsers);
    let outcome = network.node("hospital-2").submit(purge(&["hospital-2", "matcher-1"])).await;
    assert!(refused_by_policy(&outcome), "{outcome:?}");
    network.node("hospital-2").submit(purge(&["hospital-1", "matcher-1"])).await.expect("its own rule is kept");
    network.assert_sound().await;
    Ok(())
}

/// While the matcher is down public writes go on; private ones wait, or go to another matcher.
pub async fn a_missing_matcher_stops_private_writes_alone(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 2).await;
    network.ledger.set_down(&organisation("matcher-1"), true).await?;
    let outcome = network.node("hospital-1").submit(put("key", b"value")).await;
    assert!(matches!(outcome, Err(LedgerError::Unavailable(_))), "{outcome:?}");
    network
        .node("hospital-1")
        .submit(endorsed("put", &["tombstone", "x"], &["hospital-1", "hospital-2"]))
        .await
        .expect("public writes need no matcher");
    let other = vec![organisation("hospital-1"), organisation("matcher-2")];
    network.node("hospital-1").submit(Call { endorsers: other, ..put("key", b"value") }).await.expect("the other one");
    network.ledger.set_down(&organisation("matcher-1"), false).await?;
    network.node("hospital-1").submit(put("key", b"value")).await.expect("up again");
    Ok(())
}

/// The policy that stood before decides over a change of the policy.
pub async fn a_policy_cannot_loosen_itself(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 3, 0).await;
    network.node("hospital-1").submit(call("own", &["key", "hospital-1"])).await.expect("valid");
    let take = || endorsed("own", &["key", "hospital-2"], &["hospital-2", "hospital-3"]);
    let outcome = network.node("hospital-2").submit(take()).await;
    assert!(refused_by_policy(&outcome), "{outcome:?}");
    let give = endorsed("own", &["key", "hospital-2"], &["hospital-1", "hospital-3"]);
    network.node("hospital-1").submit(give).await.expect("the owner gives it away");
    let keep = endorsed("put", &["key", "x"], &["hospital-1", "hospital-3"]);
    let outcome = network.node("hospital-1").submit(keep).await;
    assert!(refused_by_policy(&outcome), "{outcome:?}");
    network.node("hospital-2").submit(take()).await.expect("its own now");
    network.assert_sound().await;
    Ok(())
}
