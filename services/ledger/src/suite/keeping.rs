//! Stories about what becomes of cases, epochs and keys in the course of time.

use semblance_contract::Code;
use semblance_contract::wire::{PageRequest, PublishItem};
use semblance_core::case::CaseStatus;
use semblance_core::id::CaseHandle;
use semblance_core::organisation::{KeyRotation, Role};
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::signature::{SigningKey, Statement};
use semblance_core::time::Day;
use semblance_core::token::EpochNumber;

use super::clinic::{EPOCH, only, value};
use super::{Factory, NETWORK, Network, Party, Told, organisation};
use crate::LedgerError;
use crate::client::{LedgerClient, refusal};

/// Whoever asks first takes a case out when its consent has expired, and not before.
pub async fn a_case_expires_with_its_consent(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    let expire = async || only(&network.client("hospital-2").expire(vec![case.handle]).await.expect("valid"));
    assert_eq!(expire().await, Err(Some(Code::NotExpired)));
    assert_eq!(network.live().await, [case.handle]);
    network.ledger.advance(30 * Day::MILLIS)?;
    expire().await.expect("expired");
    expire().await.expect("expired before");
    assert!(network.live().await.is_empty());
    let late = network.entry(network.request("hospital-1", "matcher-1", &case, 1));
    assert_eq!(network.record("matcher-1", late).await, Err(Some(Code::ConsentExpired)));
    network.assert_sound().await;
    Ok(())
}

/// A correction names the live handle and takes its place; the old one is neither searched nor used again.
pub async fn a_correction_takes_the_live_ones_place(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 1, 1).await;
    let (client, matcher) = (network.client("hospital-1"), organisation("matcher-1"));
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    let random: &dyn RandomSource = &SeededSource::new([77; 32]);
    let publish = async |replaces: Option<CaseHandle>| {
        let value = value(random);
        let (handle, private_hash) = (CaseHandle::random(random), *value.sha256().as_bytes());
        let item = PublishItem { handle, private_hash, replaces, ..case.publication().0 };
        only(&client.publish_cases(&matcher, vec![(item, value)]).await.expect("valid")).map(|()| handle)
    };
    assert_eq!(publish(None).await, Err(Some(Code::AlreadyPublished)));
    let second = publish(Some(case.handle)).await.expect("corrected");
    assert_eq!(network.live().await, [second]);
    let old = client.case(case.handle).await.expect("answered").expect("kept").case;
    assert_eq!(old.status, CaseStatus::Replaced { by: second });
    assert_eq!(publish(Some(case.handle)).await, Err(Some(Code::ReplacesMismatch)));
    let found = network.client("matcher-1").fingerprints(&[case.handle, second]).await.expect("answered");
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    network.assert_sound().await;
    Ok(())
}

/// Two epochs are open at most; nothing is published or asked in a closed one.
pub async fn epochs_follow_one_another(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    let [one, other] = ["hospital-1", "hospital-2"].map(|name| network.admin(name));
    let code = |outcome: Result<_, LedgerError>| outcome.map(|_| ()).map_err(|error| refusal(&error));
    let (second, third) = (EpochNumber(2), EpochNumber(3));
    assert_eq!(code(other.close_epoch(EPOCH).await), Err(Some(Code::NotOwner)), "the newest is its opener's");
    assert_eq!(code(other.open_epoch(&network.epoch(third)).await), Err(Some(Code::WrongEpochNumber)));
    other.open_epoch(&network.epoch(second)).await.expect("two may be open");
    assert_eq!(code(one.open_epoch(&network.epoch(third)).await), Err(Some(Code::EpochOverlap)));
    assert_eq!(code(other.close_epoch(EPOCH).await), Err(Some(Code::NotOwner)), "the older one for a month as well");
    one.close_epoch(EPOCH).await.expect("its opener's to close");
    one.open_epoch(&network.epoch(third)).await.expect("room for the next");

    let late = network.entry(network.request("hospital-1", "matcher-1", &case, 1));
    assert_eq!(network.record("matcher-1", late).await, Err(Some(Code::EpochClosed)));
    let patient = network.patients("hospital-1", 1, 1).await.remove(0);
    let publish = async |epoch| {
        let (item, value) = patient.publication();
        let cases = vec![(PublishItem { epoch, ..item }, value)];
        only(&network.client("hospital-1").publish_cases(&organisation("matcher-1"), cases).await.expect("valid"))
    };
    assert_eq!(publish(EPOCH).await, Err(Some(Code::EpochClosed)));
    publish(second).await.expect("open");
    let live = network.client("hospital-2").live_cases(second, PageRequest::first(9)).await.expect("answered");
    assert_eq!(live.rows.iter().map(|case| case.handle).collect::<Vec<_>>(), [patient.handle]);
    network.assert_sound().await;
    Ok(())
}

/// A member's new key is the one that its present key named; from then on the old one speaks for nobody.
pub async fn a_rotated_member_speaks_with_its_new_key(factory: &dyn Factory) -> Told {
    let mut network = Network::semblance(factory, 2, 1).await;
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    let old = network.party("hospital-1").clone();
    let new = Party { key: SigningKey::from_seed(&[55; 32]), ..old.clone() };
    let rotation = KeyRotation::between(NETWORK, &old.record(), &new.record()).expect("something new");
    let by_itself = rotation.clone().sign(&new.key).into_parts().1;
    let rotation = rotation.sign(&old.key).into_parts().1;
    let code = |outcome: Result<_, LedgerError>| outcome.map(|_| ()).map_err(|error| refusal(&error));
    let (own, other) = (network.admin("hospital-1"), network.admin("hospital-2"));
    assert_eq!(code(other.rotate_key(rotation.clone()).await), Err(Some(Code::NotOwner)));
    assert_eq!(code(own.rotate_key(by_itself).await), Err(Some(Code::BadSignature)));
    own.rotate_key(rotation.clone()).await.expect("rotated");
    let repeated = own.rotate_key(rotation.clone()).await;
    if network.ledger.takes_members_signatures().is_ok() {
        assert!(matches!(repeated, Err(LedgerError::Identity(_))), "{repeated:?}");
    } else {
        assert_eq!(code(repeated), Err(Some(Code::BadSignature)));
    }

    let signed_before = network.entry(network.request("hospital-1", "matcher-1", &case, 1));
    assert_eq!(network.record("matcher-1", signed_before).await, Err(Some(Code::BadSignature)));
    for party in &mut network.parties {
        if party.id == new.id {
            *party = new.clone();
        }
    }
    let again = LedgerClient::new(network.ledger.administrator(new.identity(Role::Admin)));
    assert_eq!(code(again.rotate_key(rotation).await), Err(Some(Code::BadSignature)));
    let signed_now = network.entry(network.request("hospital-1", "matcher-1", &case, 2));
    network.record("matcher-1", signed_now).await.expect("the new key");
    let rotations = network.client("hospital-2").rotations(&new.id).await.expect("answered");
    assert_eq!(rotations.iter().map(|rotation| rotation.previous).collect::<Vec<_>>(), [old.key.verifying_key()]);
    network.assert_sound().await;
    Ok(())
}
