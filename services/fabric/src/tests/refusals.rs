//! Peers and orderers that refuse, disagree or lie.

use tonic::Code;

use super::{CHAINCODE, World, call_error, said};
use crate::Stage;
use crate::testing::Fault;

#[tokio::test]
async fn one_endorser_that_fails_is_named() {
    let world = World::start();
    let details = vec![
        said("peer1:7051", "south", "connection refused"),
        said("peer2:7051", "west", "chaincode response 409, x: y"),
    ];
    world.peer.fault(Fault::Endorsers(details.clone()));
    let error = call_error(world.call("put", &["key", "value"]).submit().await.unwrap_err());
    assert_eq!((error.stage, error.code, &error.details), (Stage::Endorse, Code::Aborted, &details));
    assert_eq!(error.refusal().unwrap().status, 409);
    let text = error.to_string();
    assert!(text.contains("south (peer1:7051): connection refused") && text.contains(&error.transaction_id), "{text}");
    assert_eq!(world.peer.height(), 1);
}

#[tokio::test]
async fn what_a_lying_gateway_prepares_is_never_signed() {
    let world = World::start();
    let other = "another proposal";
    for (fault, said) in
        [(Fault::OtherTransaction, "of another transaction"), (Fault::OtherArguments, other), (Fault::Leak, other)]
    {
        world.peer.fault(fault);
        let proposal =
            world.network().contract(CHAINCODE).proposal("put").arguments([b"key".to_vec(), b"value".to_vec()]);
        let secret = [("secret".to_owned(), b"whispered".to_vec())].into();
        let error = call_error(proposal.transient(secret).build().unwrap().submit().await.unwrap_err());
        assert_eq!((error.stage, error.code), (Stage::Endorse, Code::DataLoss));
        assert!(error.to_string().contains(said) && !error.outcome_unknown(), "{error}");
    }
    assert_eq!(world.peer.height(), 1);
}

#[tokio::test]
async fn peers_that_come_to_different_results_are_told_from_peers_that_refuse() {
    let world = World::start();
    for (message, mismatch) in [("ProposalResponsePayloads do not match", true), ("access denied", false)] {
        world.peer.fault(Fault::Endorsers(vec![said("peer1:7051", "south", message)]));
        let error = call_error(world.call("put", &["key", "value"]).submit().await.unwrap_err());
        assert_eq!((error.stage, error.is_mismatch()), (Stage::Endorse, mismatch), "{error}");
        assert!(error.refusal().is_none() && !error.outcome_unknown() && !error.is_unavailable(), "{error}");
    }
    assert_eq!(world.peer.height(), 1);
}

/// What a gateway tells of an orderer that answered with this.
fn orderer(info: &str) -> crate::PeerDetail {
    said("orderer1:7050", "west", &format!("received unsuccessful response from orderer: {info}"))
}

#[tokio::test]
async fn a_transaction_that_orderers_have_already_is_submitted() {
    let world = World::start();
    for (known, block) in [("request already processed", 1), ("request already exists", 2)] {
        let known = format!("status=SERVICE_UNAVAILABLE, info=failed to submit request: {known}");
        let details = vec![said("orderer0:7050", "north", "connection refused"), orderer(&known)];
        world.peer.fault(Fault::Orderers(details));
        let submitted = world.call("put", &["key", "value"]).submit().await.unwrap();
        assert_eq!((submitted.block, submitted.result.as_slice()), (block, b"value".as_slice()));
    }
}

#[tokio::test]
async fn orderers_that_refuse_are_named_and_may_have_taken_it() {
    let world = World::start();
    let details = vec![orderer("status=SERVICE_UNAVAILABLE, info=no leader"), orderer("status=FORBIDDEN")];
    world.peer.fault(Fault::Orderers(details.clone()));
    let error = call_error(world.call("put", &["key", "value"]).submit().await.unwrap_err());
    assert_eq!((error.stage, error.code, &error.details), (Stage::Submit, Code::Unavailable, &details));
    assert!(error.outcome_unknown() && !error.is_known_to_orderers() && error.refusal().is_none(), "{error}");
}
