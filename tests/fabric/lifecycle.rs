//! A chaincode of a story's own: defined by our own client, approved by every member for itself.

use std::time::Duration;

use futures::future::try_join_all;
use prost::Message;
use semblance_contract::stub::fingerprint_collection;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{OrganisationKind, Role};
use semblance_fabric::policy::Rule;
use semblance_fabric::proto::common::msp_role::MspRoleType;
use semblance_fabric::proto::lifecycle::chaincode_source::{Local, Type as Source};
use semblance_fabric::proto::lifecycle::{
    ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource, CommitChaincodeDefinitionArgs,
};
use semblance_fabric::proto::protos::application_policy::Type as Policy;
use semblance_fabric::proto::protos::collection_config::Payload;
use semblance_fabric::proto::protos::collection_policy_config::Payload as Members;
use semblance_fabric::proto::protos::{
    ApplicationPolicy, CollectionConfig, CollectionConfigPackage, CollectionPolicyConfig, StaticCollectionConfig,
};
use semblance_fabric::{Network, Stage, SubmitError};
use semblance_ledger::fabric::FabricLedger;
use semblance_ledger::fabric::network_file::NetworkFile;
use semblance_ledger::suite::Party;

use crate::under_test::sources;

const LIFECYCLE: &str = "_lifecycle";
/// How often a commit is tried.
const COMMITS: u32 = 50;
/// How long in between.
const PAUSE: Duration = Duration::from_millis(200);

/// Defines a chaincode for the parties of a story alone: any two of them endorse; one collection a hospital.
pub(crate) async fn define(file: &NetworkFile, name: &str, parties: &[Party]) -> Result<(), SubmitError> {
    let members: Vec<&str> = parties.iter().map(|party| party.id.as_str()).collect();
    let policy = Rule::peers(members.len().min(2), members.iter().copied());
    let parameter = application(&policy).encode_to_vec();
    let commit = CommitChaincodeDefinitionArgs {
        sequence: 1,
        name: name.to_owned(),
        version: "1.0".into(),
        endorsement_plugin: "escc".into(),
        validation_plugin: "vscc".into(),
        validation_parameter: parameter,
        collections: Some(collections(parties)),
        init_required: false,
    };
    let everybody: Vec<String> = file.organisations.iter().map(|organisation| organisation.id.clone()).collect();
    let networks: Vec<(String, Network)> =
        everybody.iter().map(|id| (id.clone(), administrator(file, &OrganisationId::new(id).unwrap()))).collect();
    let approvals = networks.iter().map(|(id, network)| {
        let approval = approval(&commit, &file.package_id).encode_to_vec();
        let contract = network.contract(LIFECYCLE);
        let proposal = contract.proposal("ApproveChaincodeDefinitionForMyOrg").arguments([approval]);
        let proposal = proposal.organisations([id.clone()]).build().unwrap();
        async move { proposal.submit().await }
    });
    try_join_all(approvals).await?;
    let contract = networks[0].1.contract(LIFECYCLE);
    for _ in 0..COMMITS {
        let proposal = contract.proposal("CommitChaincodeDefinition").arguments([commit.encode_to_vec()]);
        match proposal.organisations(everybody.clone()).build().unwrap().submit().await {
            // Some peer does not know all approvals yet.
            Err(SubmitError::Call(error)) if error.stage == Stage::Endorse => tokio::time::sleep(PAUSE).await,
            outcome => return outcome.map(|_| ()),
        }
    }
    panic!("the peers do not agree on the approvals of {name}");
}

fn administrator(file: &NetworkFile, id: &OrganisationId) -> Network {
    let (clock, random) = sources();
    let settings = file.settings(id, Role::Admin, clock, random).unwrap();
    FabricLedger::open(settings).unwrap().networks().remove(0)
}

fn approval(commit: &CommitChaincodeDefinitionArgs, package: &str) -> ApproveChaincodeDefinitionForMyOrgArgs {
    let source = Source::LocalPackage(Local { package_id: package.to_owned() });
    let commit = commit.clone();
    ApproveChaincodeDefinitionForMyOrgArgs {
        sequence: commit.sequence,
        name: commit.name,
        version: commit.version,
        endorsement_plugin: commit.endorsement_plugin,
        validation_plugin: commit.validation_plugin,
        validation_parameter: commit.validation_parameter,
        collections: commit.collections,
        init_required: commit.init_required,
        source: Some(ChaincodeSource { r#type: Some(source) }),
    }
}

fn application(rule: &Rule) -> ApplicationPolicy {
    ApplicationPolicy { r#type: Some(Policy::SignaturePolicy(rule.envelope())) }
}

fn collections(parties: &[Party]) -> CollectionConfigPackage {
    let of = |kind| parties.iter().filter(move |party| party.kind == kind).map(|party| party.id.as_str());
    let matchers: Vec<&str> = of(OrganisationKind::Matcher).collect();
    if matchers.is_empty() {
        return CollectionConfigPackage::default();
    }
    let members = matchers.iter().map(|name| Rule::Signed((*name).to_owned(), MspRoleType::Member)).collect();
    let members = Rule::OutOf(1, members);
    let config = of(OrganisationKind::Hospital).map(|hospital| {
        let rule = Rule::OutOf(2, vec![Rule::peer(hospital), Rule::peers(1, matchers.iter().copied())]);
        let policy = CollectionPolicyConfig { payload: Some(Members::SignaturePolicy(members.envelope())) };
        CollectionConfig {
            payload: Some(Payload::StaticCollectionConfig(StaticCollectionConfig {
                name: fingerprint_collection(&OrganisationId::new(hospital).unwrap()),
                member_orgs_policy: Some(policy),
                required_peer_count: 0,
                maximum_peer_count: i32::from(matchers.len() > 1),
                block_to_live: 0,
                member_only_read: true,
                member_only_write: false,
                endorsement_policy: Some(application(&rule)),
            })),
        }
    });
    CollectionConfigPackage { config: config.collect() }
}
