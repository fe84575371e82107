//! Stories about who may speak.

use std::sync::Arc;

use semblance_core::id::NetworkId;
use semblance_core::limits::{PROPOSAL_BYTES_MAX, PROPOSAL_SKEW_MILLIS};
use semblance_core::organisation::{Organisation, OrganisationKind, Role};
use semblance_core::random::SeededSource;
use semblance_core::record::Record;
use semblance_core::signature::{Signature, SigningKey};
use semblance_core::time::{ManualClock, Timestamp};

use super::scratch::{call, endorsed, genesis};
use super::{Factory, Network, Party, Told};
use crate::identity::{Identity, IncomingProposal};
use crate::{Call, LedgerError, Validation};

fn signed(identity: &Identity, call: &Call, at: Timestamp) -> IncomingProposal {
    // Different times and calls give different seeds, so that no nonce stands twice.
    let seed = semblance_core::id::Digest::of(format!("{at:?} {call:?}").as_bytes());
    let random = SeededSource::new(*seed.as_bytes());
    let proposal = identity.propose(call, &ManualClock::at(at), &random).expect("a proposal");
    IncomingProposal::new(&proposal, call.transient.clone())
}

/// The same proposal twice is one transaction.
pub async fn a_replayed_proposal_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let party = network.party("hospital-1");
    let proposal = signed(&party.identity(Role::Node), &call("append", &["key", "x"]), network.ledger.now());
    let first = network.ledger.send(party, proposal.clone()).await?;
    let transaction = first.expect("valid").transaction;
    let again = network.ledger.send(party, proposal).await?;
    let validation = Validation::DuplicateTransaction;
    assert_eq!(again, Err(LedgerError::Invalid { transaction, validation }));
    assert_eq!(network.node("hospital-1").evaluate(call("get", &["key"])).await.expect("answered"), b"x");
    Ok(())
}

/// A proposal's time is close to the ledger's.
pub async fn a_backdated_proposal_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let party = network.party("hospital-1");
    let now = network.ledger.now();
    let off = PROPOSAL_SKEW_MILLIS + 1;
    for wrong in [Timestamp::from_millis(now.millis() - off), now.plus(off), Timestamp::from_millis(u64::MAX)] {
        let proposal = signed(&party.identity(Role::Node), &call("put", &["key", "x"]), wrong);
        let outcome = network.ledger.send(party, proposal).await?;
        let expected = LedgerError::Skew { off_by_millis: wrong.distance(now), allowed_millis: PROPOSAL_SKEW_MILLIS };
        assert_eq!(outcome, Err(expected));
    }
    let close = Timestamp::from_millis(now.millis() - PROPOSAL_SKEW_MILLIS);
    let proposal = signed(&party.identity(Role::Node), &call("put", &["key", "x"]), close);
    network.ledger.send(party, proposal).await?.expect("five minutes are allowed");
    Ok(())
}

/// What is too large is refused with its size.
pub async fn an_oversized_call_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    let large = "x".repeat(PROPOSAL_BYTES_MAX);
    let outcome = node.submit(call("put", &["key", &large])).await;
    assert!(matches!(outcome, Err(LedgerError::TooLarge { limit: PROPOSAL_BYTES_MAX, .. })), "{outcome:?}");
    let mut private = call("put_private", &["fingerprints_hospital-1", "key"]);
    private.transient.insert("value".into(), large.into_bytes());
    assert!(matches!(node.submit(private).await, Err(LedgerError::TooLarge { .. })));
    node.submit(call("put", &["key", &"x".repeat(PROPOSAL_BYTES_MAX / 2)])).await.expect("large, but allowed");
    Ok(())
}

/// A proposal that another key signed, or whose bytes were changed, is refused.
pub async fn another_signature_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 0).await;
    let party = network.party("hospital-1");
    let now = network.ledger.now();
    let write = call("put", &["key", "x"]);
    let forged = Identity { key: SigningKey::from_seed(&[77; 32]), ..party.identity(Role::Node) };
    let mut changed = signed(&party.identity(Role::Node), &write, now);
    if let Some(byte) = changed.bytes.last_mut() {
        *byte ^= 1;
    }
    let empty = IncomingProposal { signature: Signature::from_bytes([0; 64]), ..signed(&forged, &write, now) };
    for proposal in [signed(&forged, &write, now), changed, empty] {
        let outcome = network.ledger.send(party, proposal).await?;
        assert!(matches!(outcome, Err(LedgerError::Identity(_) | LedgerError::Refused { .. })), "{outcome:?}");
    }
    // A member that signs for another member with its own key.
    let impostor = Identity { key: network.party("hospital-2").key.clone(), ..party.identity(Role::Node) };
    let outcome = network.ledger.send(party, signed(&impostor, &write, now)).await?;
    assert!(matches!(outcome, Err(LedgerError::Identity(_))), "{outcome:?}");
    assert_eq!(network.node("hospital-1").evaluate(call("get", &["key"])).await.expect("answered"), b"");
    Ok(())
}

/// Who is no member is not heard.
pub async fn a_stranger_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let stranger = Identity {
        organisation: super::organisation("stranger"),
        key: SigningKey::from_seed(&[66; 32]),
        ..network.party("hospital-1").identity(Role::Node)
    };
    let proposal = signed(&stranger, &call("put", &["key", "x"]), network.ledger.now());
    let outcome = network.ledger.send(network.party("hospital-1"), proposal).await?;
    assert!(matches!(outcome, Err(LedgerError::Identity(_))), "{outcome:?}");
    Ok(())
}

/// The private input is the one that was signed.
pub async fn changed_private_input_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 1).await;
    let party = network.party("hospital-1");
    let mut write = endorsed("put_private", &["fingerprints_hospital-1", "key"], &["hospital-1", "matcher-1"]);
    write.transient.insert("value".into(), b"signed".to_vec());
    let mut proposal = signed(&party.identity(Role::Node), &write, network.ledger.now());
    proposal.transient.insert("value".into(), b"another".to_vec());
    let outcome = network.ledger.send(party, proposal).await?;
    assert!(matches!(&outcome, Err(LedgerError::Refused { code, .. }) if code == "invalid-proposal"), "{outcome:?}");
    Ok(())
}

/// A proposal for another network is refused.
pub async fn another_network_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let party = network.party("hospital-1");
    let elsewhere = Identity { network: NetworkId::from_bytes([8; 16]), ..party.identity(Role::Node) };
    let proposal = signed(&elsewhere, &call("put", &["key", "x"]), network.ledger.now());
    let outcome = network.ledger.send(party, proposal).await?;
    assert!(matches!(outcome, Err(LedgerError::Refused { .. })), "{outcome:?}");
    Ok(())
}

/// After a rotation the new key signs and the old one does not, and the history still verifies.
pub async fn a_rotated_key_no_longer_signs(factory: &dyn Factory) -> Told {
    let mut network = Network::scratch(factory, 2, 0).await;
    network.ledger.takes_members_signatures()?;
    let old = network.party("hospital-1").clone();
    network.node("hospital-1").submit(call("put", &["before", "x"])).await.expect("valid");
    let new = Party { key: SigningKey::from_seed(&[55; 32]), ..old.clone() };
    let record: Organisation = new.record();
    let rotate = Call { function: "register".into(), arguments: vec![record.encode()], ..Call::default() };
    network.node("hospital-1").submit(rotate).await.expect("valid");
    let outcome = network.node("hospital-1").submit(call("put", &["old", "x"])).await;
    assert!(matches!(outcome, Err(LedgerError::Identity(_))), "{outcome:?}");
    for party in &mut network.parties {
        if party.id == new.id {
            *party = new.clone();
        }
    }
    network.node("hospital-1").submit(call("put", &["new", "x"])).await.expect("the new key signs");
    network.assert_sound().await;
    Ok(())
}

/// The first transaction must make its submitter a member, and there is one genesis.
pub async fn a_second_genesis_is_refused(factory: &dyn Factory) -> Told {
    let mut parties = Party::all(2, 1);
    let ledger = factory.start(Arc::new(super::scratch::ScratchContract), &mut parties).await;
    ledger.takes_members_signatures()?;
    let network = Network { ledger, parties, founded: 0 };
    let founder = network.party("hospital-1").identity(Role::Admin);
    let others: Vec<Party> = network.parties.iter().filter(|party| party.id != founder.organisation).cloned().collect();
    let without = network.ledger.genesis(founder.clone(), genesis(&others)).await;
    assert!(matches!(without, Err(LedgerError::Identity(_))), "{without:?}");
    let forged = Identity { key: SigningKey::from_seed(&[44; 32]), ..founder.clone() };
    let forged = network.ledger.genesis(forged, genesis(&network.parties)).await;
    assert!(matches!(forged, Err(LedgerError::Identity(_))), "{forged:?}");
    let committed = network.ledger.genesis(founder.clone(), genesis(&network.parties)).await.expect("valid");
    assert_eq!(committed.block, 0);
    let matchers = network.parties.iter().filter(|party| party.kind == OrganisationKind::Matcher).count();
    assert_eq!(matchers, 1);
    network.assert_sound().await;
    Ok(())
}
