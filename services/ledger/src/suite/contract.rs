//! Stories with the real contract.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::join_all;
use semblance_contract::event::Event;
use semblance_contract::wire::PageRequest;
use semblance_contract::{Code, key};
use semblance_core::record::Record;
use semblance_core::signature::SigningKey;

use super::clinic::{EPOCH, Patient, founding};
use super::scratch::ForgingContract;
use super::{Factory, Network, Party, Told, organisation};
use crate::client::refusal;
use crate::{Call, LedgerError, Validation};

/// Genesis makes the members, and there is one.
pub async fn genesis_makes_the_members(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let client = network.client("hospital-2");
    assert_eq!(client.members().await.expect("answered").len(), 3);
    let member = client.member(&organisation("matcher-1")).await.expect("answered");
    assert_eq!(member, Some(network.party("matcher-1").record()));
    let again = network.admin("hospital-1").ledger().submit(founding(&network.parties)).await;
    assert_eq!(again.as_ref().err().and_then(refusal), Some(Code::NetworkExists), "{again:?}");
    network.assert_sound().await;
    Ok(())
}

/// Cases published at once by several hospitals are all there, before and after a restart.
pub async fn concurrent_publications_are_all_durable(factory: &dyn Factory) -> Told {
    let mut network = Network::semblance(factory, 2, 1).await;
    let matcher = organisation("matcher-1");
    let mut batches = Vec::new();
    for (hospital, first) in [("hospital-1", 0), ("hospital-1", 20), ("hospital-2", 0), ("hospital-2", 20)] {
        let patients = network.patients(hospital, first, 20).await;
        let client = network.client(hospital);
        batches.extend(patients.chunks(5).map(|some| {
            let cases = some.iter().map(Patient::publication).collect();
            let (client, matcher) = (client.clone(), matcher.clone());
            async move { client.publish_cases(&matcher, cases).await }
        }));
    }
    let batches = batches.into_iter();
    for outcome in join_all(batches).await {
        let outcome = outcome.expect("published");
        assert!(outcome.response.all_succeeded(), "{:?}", outcome.response);
    }
    network.restart_if_possible().await;
    let client = network.client("matcher-1");
    let live = client.live_cases(EPOCH, PageRequest::first(200)).await.expect("answered");
    assert_eq!(live.rows.len(), 80);
    let handles: Vec<_> = live.rows.iter().take(50).map(|case| case.handle).collect();
    let values = client.fingerprints(&handles).await.expect("answered");
    assert!(values.iter().all(Option::is_some));
    assert!(network.client("hospital-2").fingerprints(&handles).await.is_err());
    network.assert_sound().await;
    Ok(())
}

/// A patient's withdrawal goes through any member while the matcher is down; the purge follows when it is up.
pub async fn withdrawal_needs_no_matcher(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let (hospital, matcher) = (organisation("hospital-1"), organisation("matcher-1"));
    let patient = network.patients("hospital-1", 0, 1).await.remove(0);
    let published = network.client("hospital-1").publish_cases(&matcher, vec![patient.publication()]).await;
    let published = published.expect("published");
    assert!(published.response.all_succeeded());

    network.ledger.set_down(&matcher, true).await?;
    let other = network.client("hospital-2");
    let withdrawn = other.withdraw_consent(patient.withdrawal()).await.expect("withdrawn");
    assert_eq!(withdrawn.response.handles, [patient.handle]);
    let purge = || other.purge_cases(&hospital, &matcher, vec![patient.handle]);
    assert!(matches!(purge().await, Err(LedgerError::Unavailable(_))));
    let live = other.live_cases(EPOCH, PageRequest::first(10)).await.expect("answered");
    assert!(live.rows.is_empty());

    network.ledger.set_down(&matcher, false).await?;
    assert!(purge().await.expect("purged").response.all_succeeded());
    let values = network.client("matcher-1").fingerprints(&[patient.handle]).await.expect("answered");
    assert_eq!(values, [None]);
    let mut events = other.events(published.block).await.expect("a stream");
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let block = events.next().await.expect("more").expect("a block");
        seen.extend(block.events.into_iter().map(|(_, event)| event));
    }
    assert!(matches!(seen.as_slice(), [Event::CasesPublished(_), Event::ConsentWithdrawn(..), Event::CasesPurged(_)]));
    network.assert_sound().await;
    Ok(())
}

/// A publication and the withdrawal of its consent at the same moment: whatever the order, nothing of it stays live.
pub async fn a_withdrawal_beats_a_publication_at_the_same_moment(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let matcher = organisation("matcher-1");
    let patients = network.patients("hospital-1", 0, 12).await;
    let (owner, other) = (network.client("hospital-1"), network.client("hospital-2"));
    let races = patients.iter().map(|patient| async {
        let publish = owner.publish_cases(&matcher, vec![patient.publication()]);
        let (published, withdrawn) = futures::join!(publish, other.withdraw_consent(patient.withdrawal()));
        published.expect("valid, whether or not the item succeeded");
        withdrawn.expect("withdrawn");
    });
    join_all(races).await;
    let live = other.live_cases(EPOCH, PageRequest::first(20)).await.expect("answered");
    assert!(live.rows.is_empty(), "{} cases are live", live.rows.len());
    network.assert_sound().await;
    Ok(())
}

/// Members that submit the same withdrawal at the same moment all succeed, and it is recorded once.
pub async fn a_withdrawal_through_all_members_at_once_succeeds(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 3, 1).await;
    let members = ["hospital-1", "hospital-2", "hospital-3", "matcher-1"].map(|name| network.client(name));
    for case in network.published("hospital-1", 0, 4).await {
        let withdrawals = members.iter().map(|member| member.withdraw_consent(case.withdrawal()));
        for outcome in join_all(withdrawals).await {
            assert_eq!(outcome.expect("withdrawn").response.handles, [case.handle]);
        }
    }
    assert!(network.live().await.is_empty());
    network.assert_sound().await;
    Ok(())
}

/// Two organisations with altered peers cannot put another key in a third one's record.
pub async fn two_others_cannot_forge_a_members_key(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let owner = organisation("hospital-1");
    let stolen = Party { key: SigningKey::from_seed(&[33; 32]), ..network.party("hospital-1").clone() };
    let forging = ForgingContract { key: key::organisation(&owner), value: stolen.record().encode() };
    for name in ["hospital-2", "matcher-1"] {
        network.ledger.alter(&organisation(name), Some(Arc::new(forging.clone())))?;
    }
    let forged = Call {
        function: "network".into(),
        endorsers: vec![organisation("hospital-2"), organisation("matcher-1")],
        ..Call::default()
    };
    let outcome = network.node("hospital-2").submit(forged).await;
    let refused = matches!(outcome, Err(LedgerError::Invalid { validation: Validation::EndorsementPolicyFailure, .. }));
    assert!(refused, "{outcome:?}");
    let member = network.client("hospital-1").member(&owner).await.expect("the owner's own key still signs");
    assert_eq!(member, Some(network.party("hospital-1").record()));
    network.assert_sound().await;
    Ok(())
}
