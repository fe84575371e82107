//! Stories about look-ups and denials.

use semblance_contract::Code;
use semblance_contract::wire::PageRequest;
use semblance_core::denial::{Denial, DenialCode};
use semblance_core::id::{ClinicianPseudonym, DenialId};
use semblance_core::lookup::{LookupRequest, LookupSlot};
use semblance_core::signature::SignedBytes;
use semblance_core::time::{Day, Timestamp};

use super::clinic::only;
use super::{Factory, Network, Told, organisation};

/// Of two look-ups in the same slot at the same moment, at two matchers, exactly one is recorded.
pub async fn a_slot_is_taken_once_across_matchers(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 1, 2).await;
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    for slot in 0..8 {
        let requests = ["matcher-1", "matcher-2"].map(|matcher| network.request("hospital-1", matcher, &case, slot));
        let ids = [requests[0].request, requests[1].request];
        let [one, other] = requests.map(|request| network.entry(request));
        let (one, other) = futures::join!(network.record("matcher-1", one), network.record("matcher-2", other));
        assert!(matches!((one, other), (Ok(()), Err(Some(Code::SlotUsed))) | (Err(Some(Code::SlotUsed)), Ok(()))));
        let client = network.client("hospital-1");
        for (id, outcome) in ids.into_iter().zip([one, other]) {
            assert_eq!(client.lookup(id).await.expect("answered").is_some(), outcome.is_ok());
        }
    }
    let (hospital, today) = (organisation("hospital-1"), network.ledger.now().day());
    let rows = network.client("matcher-1").lookups_of_hospital(&hospital, today, PageRequest::first(50)).await;
    assert_eq!(rows.expect("answered").rows.len(), 8);
    network.assert_sound().await;
    Ok(())
}

/// A request is recorded once, whatever slot and answer it comes with; its entry stays as it was.
pub async fn a_request_is_recorded_once(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 1, 1).await;
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    let request = network.request("hospital-1", "matcher-1", &case, 1);
    let first = network.entry(request.clone());
    network.record("matcher-1", first.clone()).await.expect("recorded");
    let today = network.ledger.now().day();
    let moved = LookupRequest { slot: LookupSlot::new(today, 2).expect("a slot"), ..request.clone() };
    for again in [request.clone(), moved] {
        assert_eq!(network.record("matcher-1", network.entry(again)).await, Err(Some(Code::RequestUsed)));
    }
    let stored = network.client("hospital-1").lookup(request.request).await.expect("answered").expect("recorded");
    assert_eq!(stored.entry, first);
    network.assert_sound().await;
    Ok(())
}

/// A look-up is made from an own case that is published with live consent, and by its hospital alone.
pub async fn a_look_up_is_two_sided(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 2).await;
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    let unpublished = network.patients("hospital-1", 1, 1).await.remove(0);
    let request = |slot| network.request("hospital-1", "matcher-1", &case, slot);
    let refused = [
        (network.entry(network.request("hospital-1", "matcher-1", &unpublished, 1)), Code::CaseNotPublished),
        (network.entry(network.request("hospital-2", "matcher-1", &case, 1)), Code::CaseNotPublished),
        (network.entry(network.request("hospital-1", "matcher-2", &case, 1)), Code::WrongMatcher),
    ];
    for (entry, code) in refused {
        assert_eq!(network.record("matcher-1", entry).await, Err(Some(code)));
    }
    let mut forged = network.entry(request(1));
    let signature = network.party("hospital-2").key.sign(forged.request.bytes());
    forged.request = SignedBytes::new(forged.request.bytes().to_vec(), signature);
    assert_eq!(network.record("matcher-1", forged).await, Err(Some(Code::BadSignature)));
    assert!(network.client("hospital-1").record_lookups(vec![network.entry(request(1))]).await.is_err());

    network.record("matcher-1", network.entry(request(1))).await.expect("an own live case");
    network.client("hospital-2").withdraw_consent(case.withdrawal()).await.expect("withdrawn");
    assert_eq!(network.record("matcher-1", network.entry(request(2))).await, Err(Some(Code::ConsentWithdrawn)));
    network.assert_sound().await;
    Ok(())
}

/// A request has its time, and its slot is one of today.
pub async fn an_expired_request_is_refused(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 1, 1).await;
    let case = network.published("hospital-1", 0, 1).await.remove(0);
    let now = network.ledger.now();
    let request = network.request("hospital-1", "matcher-1", &case, 1);
    let expired = LookupRequest { expires: Timestamp::from_millis(now.millis() - 1), ..request.clone() };
    assert_eq!(network.record("matcher-1", network.entry(expired)).await, Err(Some(Code::RequestExpired)));
    let tomorrow = Day::from_number(now.day().number() + 1);
    let early = LookupRequest { slot: LookupSlot::new(tomorrow, 1).expect("a slot"), ..request.clone() };
    assert_eq!(network.record("matcher-1", network.entry(early)).await, Err(Some(Code::SlotDay)));
    network.record("matcher-1", network.entry(request)).await.expect("in time");
    network.assert_sound().await;
    Ok(())
}

/// Each organisation records its own denials; the same one again changes nothing, another one of its id is refused.
pub async fn denials_are_recorded_once_and_by_their_own(factory: &dyn Factory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let denial = |name: &str, number: u8| Denial {
        id: DenialId::from_bytes([number; 16]),
        organisation: organisation(name),
        code: DenialCode::SlotUsed,
        subject: ClinicianPseudonym::from_bytes([2; 32]),
        request: None,
        time: network.ledger.now(),
    };
    let record =
        async |by: &str, denial: Denial| only(&network.client(by).record_denials(vec![denial]).await.expect("valid"));
    let first = denial("matcher-1", 1);
    record("matcher-1", first.clone()).await.expect("recorded");
    record("matcher-1", first.clone()).await.expect("there already");
    let changed = Denial { code: DenialCode::Malformed, ..first.clone() };
    assert_eq!(record("matcher-1", changed).await, Err(Some(Code::DenialExists)));
    assert_eq!(record("hospital-1", denial("matcher-1", 2)).await, Err(Some(Code::NotOwner)));
    let (matcher, today) = (organisation("matcher-1"), first.time.day());
    let page = network.client("hospital-2").denials(&matcher, today, PageRequest::first(9)).await.expect("answered");
    assert_eq!(page.rows, [first]);
    network.assert_sound().await;
    Ok(())
}
