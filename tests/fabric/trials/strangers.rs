//! Who is let in.

use semblance_core::id::CaseHandle;
use semblance_core::organisation::Role;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::fabric::FabricLedger;
use semblance_ledger::suite::{Network, Told, organisation};
use semblance_ledger::{Call, Ledger, LedgerError};

use crate::endorsed::Endorsed;
use crate::under_test::FabricFactory;

/// Somebody else's certificate opens no connection, and behind a good connection it signs no proposal.
pub(super) async fn strangers_are_refused(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let hospital = organisation("hospital-1");
    let (certificate, key) = self_signed();

    let mut forged = factory.settings(&hospital, Role::Node);
    forged.identity.certificate.clone_from(&certificate);
    forged.identity.key = zeroize::Zeroizing::new(key.clone());
    let forged = FabricLedger::open(forged).unwrap();
    let read = LedgerClient::new(std::sync::Arc::new(forged.clone())).network().await;
    assert!(matches!(read, Err(LedgerError::Identity(_))), "{read:?}");
    let withdraw = Call { function: "expire".into(), arguments: vec![vec![0]], ..Call::default() };
    let written = forged.submit(withdraw).await;
    assert!(matches!(written, Err(LedgerError::Identity(_) | LedgerError::Unavailable(_))), "{written:?}");

    let mut unconnected = factory.settings(&hospital, Role::Node);
    unconnected.identity.tls.certificate = certificate;
    unconnected.identity.tls.key = zeroize::Zeroizing::new(key);
    let unconnected = FabricLedger::open(unconnected).unwrap();
    let read = LedgerClient::new(std::sync::Arc::new(unconnected)).network().await;
    assert!(matches!(read, Err(LedgerError::Unavailable(_))), "{read:?}");
    network.assert_sound().await;
    Ok(())
}

/// The channel knows it, the network does not.
pub(super) async fn a_member_of_the_channel_alone_is_refused(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let read = Endorsed::by(factory.node("hospital-3"), &["hospital-1"]).network().await;
    assert!(matches!(&read, Err(LedgerError::Refused { code, .. }) if code == "not-member"), "{read:?}");
    let outsider = Endorsed::by(factory.node("hospital-3"), &["hospital-1", "hospital-2"]);
    let written = outsider.expire(vec![CaseHandle::from_bytes([1; 16])]).await;
    assert!(matches!(&written, Err(LedgerError::Refused { code, .. }) if code == "not-member"), "{written:?}");
    network.assert_sound().await;
    Ok(())
}

/// A certificate with a P-256 key that no member's authority issued, and its key.
fn self_signed() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["hospital-1".into()]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "client");
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}
