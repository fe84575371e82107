//! The same calls through Fabric's own client.

use std::path::Path;
use std::sync::Arc;

use semblance_contract::Code;
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::suite::clinic::only;
use semblance_ledger::suite::official::{OfficialLedger, OfficialProgram};
use semblance_ledger::suite::{Network, Skipped, Told, organisation};

use crate::under_test::FabricFactory;

/// It publishes, reads, is refused with the contract's words, and our client sees what it wrote.
pub(super) async fn the_official_client_publishes_and_reads(factory: &'static FabricFactory) -> Told {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/fabric/official-client");
    let program = OfficialProgram::find(&folder).map_err(|missing| Skipped(missing.leak()))?;
    let network = Network::semblance(factory, 2, 1).await;
    let patients = network.patients("hospital-1", 1, 3).await;
    let (file, chaincode) = (factory.deployed().directory().join("network.json"), factory.newest_chaincode());
    let open = async |name| {
        let ledger = OfficialLedger::start(&program, &file, Some(&chaincode), &organisation(name), 4).await.unwrap();
        LedgerClient::new(Arc::new(ledger))
    };
    let (hospital, matcher) = (open("hospital-1").await, open("matcher-1").await);

    let cases = patients.iter().map(|patient| patient.publication()).collect();
    let published = hospital.publish_cases(&organisation("matcher-1"), cases).await.unwrap();
    assert!(published.response.all_succeeded(), "{:?}", published.response);
    let found = matcher.fingerprints(&[patients[0].handle]).await.unwrap();
    assert_eq!(found, [Some(patients[0].value.clone())]);
    let again = hospital.publish_cases(&organisation("matcher-1"), vec![patients[0].publication()]).await.unwrap();
    assert_eq!(only(&again), Err(Some(Code::HandleUsed)));
    let entry = network.entry(network.request("hospital-1", "matcher-1", &patients[0], 1));
    let refused = hospital.record_lookups(vec![entry]).await;
    assert!(matches!(&refused, Err(LedgerError::Refused { code, .. }) if code == "wrong-kind"), "{refused:?}");
    let read = network.client("hospital-2").case(patients[2].handle).await.unwrap();
    assert_eq!(read.map(|found| found.case.handle), Some(patients[2].handle));
    network.assert_sound().await;
    Ok(())
}
