//! The client on a real Fabric network, which this program brings up and takes down.
//!
//! It needs Fabric's programs: `FABRIC_BIN` and `FABRIC_CFG`, as `deploy/fabric` does; `SEMBLANCE_CONSENSUS` is `raft`
//! (unless it is said otherwise) or `bft`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod chain;
mod chaincode;
mod deployed;
mod lifecycle;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use semblance_fabric::proto::protos::TxValidationCode;
use semblance_fabric::{
    CallError, Checkpoint, Commit, Deadlines, Network, Proposal, Sign, SignError, Stage, SubmitError, Submitted,
};

use deployed::{BOTH, Deployed, HOSPITAL};

/// How long one thing may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_client_does_its_whole_job_on_a_real_network() {
    if std::env::var_os("FABRIC_BIN").is_none() {
        let text = "SKIPPED the client on Fabric: set FABRIC_BIN and FABRIC_CFG to Fabric's programs and configuration";
        let _ = writeln!(std::io::stderr().lock(), "{text}");
        return;
    }
    let deployed = Deployed::up();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for peer in deployed.chaincodes() {
            chaincode::serve(peer).await;
        }
        let network = deployed.network(HOSPITAL, "node");
        chaincode_is_reached(&network).await;
        chain::heights_agree(&network).await;
        calls_take_effect(&network).await;
        refusals_and_conflicts_are_told(&network).await;
        events_resume(&network).await;
        signatures_come_from_elsewhere(&deployed).await;
        lifecycle::approval_is_a_transaction(&deployed).await;
        strangers_and_wrong_questions_are_refused(&deployed).await;
        chain::every_block_verifies(&deployed, &network).await;
        a_killed_peer_is_found_again(&deployed, &network).await;
    });
}

fn call(network: &Network, function: &str, arguments: &[&str]) -> Proposal {
    let arguments = arguments.iter().map(|argument| argument.as_bytes().to_vec());
    let contract = network.contract(deployed::CHAINCODE);
    contract.proposal(function).arguments(arguments).organisations(BOTH.map(str::to_owned)).build().unwrap()
}

/// Peers dial their chaincode when they are first asked for it.
async fn chaincode_is_reached(network: &Network) {
    let ready = async {
        while let Err(error) = call(network, "get", &["nothing"]).endorse().await {
            assert!(error.refusal().is_none(), "{error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.unwrap();
}

async fn calls_take_effect(network: &Network) {
    let mut transaction = call(network, "put", &["a", "one"]).endorse().await.unwrap();
    let mut endorsers = transaction.endorsers().to_vec();
    endorsers.sort();
    assert_eq!((transaction.result(), endorsers), (b"one".as_slice(), BOTH.map(str::to_owned).to_vec()));
    transaction.sign().unwrap();
    let commit = transaction.submit().await.unwrap();
    let status = commit.status().await.unwrap();
    assert_eq!((status.code, &status.transaction_id[..]), (0, transaction.transaction_id()));
    assert_eq!(Commit::new(network, transaction.transaction_id()).status().await.unwrap(), status);
    assert_eq!(call(network, "get", &["a"]).evaluate().await.unwrap(), b"one");
    let Submitted { block, .. } = call(network, "put", &["a", "two"]).submit().await.unwrap();
    assert!(block > status.block);
    let unknown = network.contract("no-such-chaincode").proposal("get").build().unwrap().evaluate().await.unwrap_err();
    assert!(unknown.refusal().is_none() && !unknown.outcome_unknown(), "{unknown}");
}

async fn refusals_and_conflicts_are_told(network: &Network) {
    let refused = call(network, "refuse", &[]);
    for error in [refused.evaluate().await.unwrap_err(), refused.endorse().await.err().unwrap()] {
        let refusal = error.refusal().unwrap_or_else(|| panic!("no refusal in {error:?}"));
        assert_eq!((refusal.status, refusal.message.as_str()), (409, "slot-used: the slot, 7, is used"));
        assert!(!error.is_unavailable(), "{error}");
    }
    // Both read the same version of the key, and only one of them can have written the next.
    let (mut first, mut second) = (
        call(network, "put", &["a", "first"]).endorse().await.unwrap(),
        call(network, "put", &["a", "second"]).endorse().await.unwrap(),
    );
    first.sign().unwrap();
    second.sign().unwrap();
    let (first, second) = (first.submit().await.unwrap(), second.submit().await.unwrap());
    let codes = [first.status().await.unwrap().code, second.status().await.unwrap().code];
    assert_eq!(codes, [0, TxValidationCode::MvccReadConflict as i32]);
    // Nobody ever sees a transaction of this id: the question ends with its own deadline.
    let gateway_of = |commit| Deadlines { commit, ..Deadlines::default() };
    let impatient = deployed::with_deadlines(network, gateway_of(Duration::from_secs(1)));
    let error = Commit::new(&impatient, &"0".repeat(64)).status().await.unwrap_err();
    assert!(error.outcome_unknown() && error.is_unavailable() && error.stage == Stage::CommitStatus, "{error:?}");
}

async fn events_resume(network: &Network) {
    let next = async |events: &mut semblance_fabric::ChaincodeEvents| {
        tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap()
    };
    let mut events = network.chaincode_events(deployed::CHAINCODE, Some(&Checkpoint::default()));
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(next(&mut events).await);
    }
    let payloads: Vec<_> = told.iter().map(|event| event.payload.as_slice()).collect();
    assert_eq!(payloads, [b"one".as_slice(), b"two", b"first"], "none of the transaction in conflict");
    assert!(told.iter().all(|event| event.name == "written"));
    let mut resumed = network.chaincode_events(deployed::CHAINCODE, Some(&told[0].checkpoint()));
    assert_eq!([next(&mut resumed).await, next(&mut resumed).await], told[1..]);
    // A new one arrives at whoever follows, and at whoever asks for new ones only.
    let submitted = call(network, "put", &["b", "three"]).submit().await.unwrap();
    assert_eq!(next(&mut resumed).await.transaction_id, submitted.transaction_id);
}

async fn signatures_come_from_elsewhere(deployed: &Deployed) {
    let none: Sign = Arc::new(|_| Err(SignError("there is no key here".to_owned())));
    let gateway = deployed.gateway(HOSPITAL, "node", Some(none));
    let sign = deployed.signer(HOSPITAL, "node");
    let contract = gateway.network(deployed::CHANNEL).contract(deployed::CHAINCODE);
    let proposal = contract.proposal("put").arguments([b"c".to_vec(), b"four".to_vec()]).unsigned();
    let signature = sign(&proposal.digest()).unwrap();
    let proposal = gateway.signed_proposal(proposal.bytes().to_vec(), signature).unwrap();
    let prepared = proposal.organisations(BOTH.map(str::to_owned)).endorse().await.unwrap();
    let signature = sign(&prepared.digest()).unwrap();
    let transaction = gateway.signed_transaction(prepared.bytes().to_vec(), signature).unwrap();
    let commit = transaction.submit().await.unwrap();
    let signature = sign(&commit.digest()).unwrap();
    let status = gateway.signed_commit(commit.bytes().to_vec(), signature).unwrap().status().await.unwrap();
    assert_eq!(status.code, 0);
    let network = gateway.network(deployed::CHANNEL);
    let request = network.events_request(deployed::CHAINCODE, Some(&Checkpoint::default()));
    let signature = sign(&sha256(&request)).unwrap();
    let mut events = network.chaincode_events_signed(request, Some(signature));
    assert_eq!(events.next().await.unwrap().unwrap().payload, b"one");
    let (request, digest) = network.blocks_request(0, Some(0));
    let mut blocks = network.blocks_signed(request, sign(&digest).unwrap()).await.unwrap();
    assert_eq!(blocks.next().await.unwrap().unwrap().header.unwrap().number, 0);
    assert!(blocks.next().await.is_none(), "the last one that was asked for");
}

async fn strangers_and_wrong_questions_are_refused(deployed: &Deployed) {
    let refused = |network: Network, signature: Option<Vec<u8>>| async move {
        let mut blocks = match signature {
            None => network.blocks(0, Some(0)).await.unwrap(),
            Some(signature) => {
                let (request, _) = network.blocks_request(0, Some(0));
                network.blocks_signed(request, signature).await.unwrap()
            }
        };
        blocks.next().await.unwrap().unwrap_err().to_string()
    };
    let gateway = deployed.gateway(HOSPITAL, "node", None);
    assert!(refused(gateway.network("nowhere"), None).await.ends_with("status 404"));
    assert!(refused(gateway.network(deployed::CHANNEL), Some(vec![1])).await.ends_with("status 403"));
    // One member's certificate under another member's name.
    let impostor = deployed.impostor().network(deployed::CHANNEL);
    let error: CallError = call(&impostor, "get", &["a"]).evaluate().await.unwrap_err();
    assert!(error.refusal().is_none() && !error.never_sent, "{error}");
    match call(&impostor, "put", &["a", "forged"]).submit().await.unwrap_err() {
        SubmitError::Call(error) => assert!(error.stage == Stage::Endorse && !error.outcome_unknown(), "{error}"),
        SubmitError::Commit(error) => panic!("{error}"),
    }
}

async fn a_killed_peer_is_found_again(deployed: &Deployed, network: &Network) {
    let peer = deployed.peer_name(HOSPITAL);
    let mut blocks = network.blocks(0, None).await.unwrap();
    blocks.next().await.unwrap().unwrap();
    deployed.run("process", &["kill", &peer]);
    let broken = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(error) = blocks.next().await.unwrap() {
                return error;
            }
        }
    });
    let broken = broken.await.unwrap().to_string();
    assert!(broken.contains("broke"), "{broken}");
    let error = call(network, "get", &["a"]).evaluate().await.unwrap_err();
    assert!(error.never_sent && error.is_unavailable(), "{error:?}");
    deployed.run("process", &["start", &peer]);
    let submitted = tokio::time::timeout(PATIENCE, async {
        loop {
            match call(network, "put", &["a", "after"]).submit().await {
                Ok(submitted) => return submitted,
                Err(error) => assert!(!error.outcome_unknown(), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    assert_eq!(submitted.await.unwrap().result, b"after");
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}
