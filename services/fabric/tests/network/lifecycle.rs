//! Lifecycle calls, which are transactions like all others.

use prost::Message;
use semblance_fabric::policy::Rule;
use semblance_fabric::proto::lifecycle::chaincode_source::{Local, Type as Source};
use semblance_fabric::proto::lifecycle::{ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource};
use semblance_fabric::proto::protos::ApplicationPolicy;
use semblance_fabric::proto::protos::application_policy::Type as Policy;
use semblance_fabric::{Proposal, Stage, SubmitError};

use crate::deployed::{BOTH, Deployed, HOSPITAL};

fn approval(deployed: &Deployed, who: &str) -> Proposal {
    let policy = Policy::SignaturePolicy(Rule::peers(2, BOTH).envelope());
    let source = Source::LocalPackage(Local { package_id: deployed.package_id() });
    let arguments = ApproveChaincodeDefinitionForMyOrgArgs {
        sequence: 1,
        name: "another".into(),
        version: "1.0".into(),
        endorsement_plugin: "escc".into(),
        validation_plugin: "vscc".into(),
        validation_parameter: ApplicationPolicy { r#type: Some(policy) }.encode_to_vec(),
        source: Some(ChaincodeSource { r#type: Some(source) }),
        ..ApproveChaincodeDefinitionForMyOrgArgs::default()
    };
    let contract = deployed.network(HOSPITAL, who).contract("_lifecycle");
    let proposal = contract.proposal("ApproveChaincodeDefinitionForMyOrg").arguments([arguments.encode_to_vec()]);
    proposal.organisations([HOSPITAL.to_owned()]).build().unwrap()
}

pub(crate) async fn approval_is_a_transaction(deployed: &Deployed) {
    // Only an administrator may.
    match approval(deployed, "node").submit().await.unwrap_err() {
        SubmitError::Call(error) => {
            assert!(error.stage == Stage::Endorse && !error.details.is_empty(), "{error:?}");
            assert!(!error.outcome_unknown() && error.details[0].msp_id == HOSPITAL, "{error:?}");
        }
        SubmitError::Commit(error) => panic!("{error}"),
    }
    let mut transaction = approval(deployed, "admin").endorse().await.unwrap();
    assert_eq!(transaction.endorsers(), [HOSPITAL.to_owned()]);
    transaction.sign().unwrap();
    let status = transaction.submit().await.unwrap().status().await.unwrap();
    assert_eq!(status.code, 0);
    // The same again is refused, by the chaincode itself.
    let error = approval(deployed, "admin").endorse().await.err().unwrap();
    assert!(error.text().contains("unchanged content"), "{error:?}");
}
