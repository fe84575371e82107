//! The program's demo on the network, as a newcomer runs it, and what `doctor` and `audit` say afterwards.

use std::path::Path;
use std::sync::Arc;

use semblance_contract::SemblanceContract;
use semblance_core::id::OrganisationId;
use semblance_ledger::suite::Told;
use tokio::process::Command;

use crate::PROGRAM;
use crate::under_test::FabricFactory;

/// Look-up, receipt, withdrawal and verification on the chaincode that the scripts defined.
pub(super) async fn the_demo_runs_and_its_nodes_are_healthy(factory: &'static FabricFactory) -> Told {
    let file = &factory.deployed().file;
    for member in &file.organisations {
        let member = OrganisationId::new(&member.id).unwrap();
        factory.servers().registry(&member).set(&file.chaincode, Arc::new(SemblanceContract));
    }
    let directory = factory.deployed().directory();
    let network = directory.to_str().unwrap();
    let told = program(&["demo", "--once", "--ledger", "fabric", "--network", network]).await;
    for word in ["similar cases in other hospitals", "was found by", "withdrew", "every hash, link and signature holds"]
    {
        assert!(told.contains(word), "the demo does not say {word:?}: {told}");
    }
    assert!(told.contains("no plaintext symptom in them"), "{told}");
    for party in ["hospital-1", "matcher-1"] {
        let config = directory.join("demo").join(party).join("node.toml");
        let config = config.to_str().unwrap();
        let doctor = program(&["doctor", "--config", config]).await;
        assert!(!doctor.contains("WARNING") && !doctor.contains("WRONG"), "{doctor}");
        let verified = program(&["audit", "verify", "--config", config]).await;
        assert!(verified.contains("every hash, link, signature and rule holds"), "{verified}");
    }
    Ok(())
}

/// Runs `semblance`, which is a part of this very program, and gives what it said.
async fn program(arguments: &[&str]) -> String {
    let this: &Path = &std::env::current_exe().unwrap();
    let output = Command::new(this).arg(PROGRAM).args(arguments).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} ended with {}: {said}{errors}", output.status);
    said
}
