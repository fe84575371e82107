//! Queries and submissions.

use std::time::{Duration, Instant};

use tonic::Code;

use super::{CHAINCODE, CHANNEL, PATIENCE, World, call_error};
use crate::proto::protos::TxValidationCode;
use crate::testing::Fault;
use crate::{CallError, Deadlines, Stage, SubmitError, Submitted};

#[tokio::test]
async fn a_call_is_endorsed_submitted_and_takes_effect() {
    let world = World::start();
    let proposal = world.call("put", &["key", "value"]);
    let id = proposal.transaction_id().to_owned();
    let mut transaction = proposal.endorse().await.unwrap();
    assert_eq!((transaction.result(), transaction.endorsers()), (b"value".as_slice(), &["north".to_owned()][..]));
    assert_eq!(world.peer.height(), 1, "an endorsement writes nothing");
    transaction.sign().unwrap();
    let status = transaction.submit().await.unwrap().status().await.unwrap();
    assert_eq!((status.transaction_id, status.code, status.block), (id, 0, 1));
    let submitted = world.call("put", &["key", "again"]).submit().await.unwrap();
    assert!(matches!(submitted, Submitted { block: 2, ref result, .. } if result == b"again"), "{submitted:?}");
}

#[tokio::test]
async fn a_query_returns_its_answer_and_private_input_reaches_the_chaincode() {
    let world = World::start();
    assert_eq!(world.call("put", &["key", "value"]).evaluate().await.unwrap(), b"value");
    let contract = world.network().contract(CHAINCODE);
    let transient = [("secret".to_owned(), b"whispered".to_vec())].into();
    let proposal = contract.proposal("secret").transient(transient).build().unwrap();
    assert_eq!(proposal.evaluate().await.unwrap(), b"whispered");
    // It is in the proposal, which only endorsers see, and not in the transaction, which everybody sees.
    let holds = |bytes: &[u8]| bytes.windows(9).any(|window| window == b"whispered");
    assert!(holds(proposal.bytes()));
    let proposal = contract.proposal("put").arguments([b"key".to_vec(), b"value".to_vec()]);
    let proposal = proposal.transient([("secret".to_owned(), b"whispered".to_vec())].into()).build().unwrap();
    assert!(holds(proposal.bytes()) && !holds(proposal.endorse().await.unwrap().bytes()));
    assert_eq!(world.peer.height(), 1);
}

#[tokio::test]
async fn the_members_that_are_to_endorse_or_to_run_a_query_are_named() {
    let world = World::start();
    let both = ["north", "south"].map(str::to_owned);
    let contract = world.network().contract(CHAINCODE);
    let proposal = contract.proposal("put").arguments([b"key".to_vec(), b"value".to_vec()]);
    let proposal = proposal.organisations(both.clone()).build().unwrap();
    proposal.evaluate().await.unwrap();
    assert_eq!(world.peer.named(), both);
    world.call("put", &["key", "value"]).evaluate().await.unwrap();
    assert!(world.peer.named().is_empty(), "the choice is the gateway's");
    drop(proposal.endorse().await.unwrap());
    assert_eq!(world.peer.named(), both);
    drop(world.call("put", &["key", "value"]).endorse().await.unwrap());
    assert!(world.peer.named().is_empty());
    let taken_up = world.gateway.signed_proposal(proposal.bytes().to_vec(), Vec::new()).unwrap();
    assert!(taken_up.organisations(both.clone()).endorse().await.is_err(), "it has no signature");
    assert_eq!(world.peer.named(), both, "they are named anew");
}

#[tokio::test]
async fn a_chaincodes_refusal_arrives_with_its_status_at_either_stage() {
    let world = World::start();
    let proposal = world.call("no-such-function", &[]);
    for error in [proposal.evaluate().await.err().unwrap(), proposal.endorse().await.err().unwrap()] {
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.status, refusal.message.as_str()), (404, "unknown-function: there is put, and secret"));
        assert_eq!((error.details[0].msp_id.as_str(), error.details.len()), ("north", 1));
        assert_eq!(error.transaction_id, proposal.transaction_id());
        assert!(!error.is_unavailable() && !error.outcome_unknown() && !error.never_sent, "{error}");
    }
}

#[tokio::test]
async fn a_conflict_tells_its_code_and_block() {
    let world = World::start();
    for (number, code) in [(1, TxValidationCode::MvccReadConflict as u8), (2, 77)] {
        world.peer.fault(Fault::Code(code));
        match world.call("put", &["key", "value"]).submit().await.unwrap_err() {
            SubmitError::Commit(error) => {
                assert_eq!((error.code, error.block), (i32::from(code), number));
                assert_eq!(error.validation().is_some(), code == 11, "a code of a newer peer is kept as a number");
                assert!(
                    error.to_string().contains(if code == 11 { "MVCC_READ_CONFLICT" } else { "code 77" }),
                    "{error}"
                );
            }
            SubmitError::Call(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn each_stage_has_its_own_deadline() {
    let world = World::start();
    let soon = Duration::from_millis(100);
    let late = Fault::Slow(PATIENCE);
    let deadlines = Deadlines { evaluate: soon, endorse: soon, submit: soon, commit: soon };
    let begun = Instant::now();
    let expired = |error: &CallError, stage| {
        assert!(error.is_unavailable() && error.code == Code::DeadlineExceeded, "{error}");
        assert_eq!(error.stage, stage);
    };
    let proposal = world.with(deadlines, "put", &["key", "value"]);
    world.peer.fault(late.clone());
    let error = proposal.evaluate().await.unwrap_err();
    expired(&error, Stage::Evaluate);
    assert!(!error.outcome_unknown());
    world.peer.fault(late.clone());
    expired(&proposal.endorse().await.err().unwrap(), Stage::Endorse);
    let mut transaction = proposal.endorse().await.unwrap();
    transaction.sign().unwrap();
    world.peer.fault(late);
    let error = transaction.submit().await.err().unwrap();
    expired(&error, Stage::Submit);
    assert!(error.outcome_unknown());
    // Nobody committed it: the question waits until its own deadline.
    let error = transaction.commit().status().await.unwrap_err();
    expired(&error, Stage::CommitStatus);
    assert!(error.outcome_unknown());
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_deadline_holds_for_the_whole_answer() {
    let world = World::start();
    let soon = Duration::from_millis(500);
    let deadlines = Deadlines { evaluate: soon, endorse: soon, submit: soon, commit: soon };
    let proposal = world.with(deadlines, "put", &["key", "value"]);
    let mut transaction = proposal.endorse().await.unwrap();
    transaction.sign().unwrap();
    for stage in [Stage::Evaluate, Stage::Endorse, Stage::Submit, Stage::CommitStatus] {
        world.peer.fault(Fault::Stall);
        let call = async {
            match stage {
                Stage::Evaluate => proposal.evaluate().await.err(),
                Stage::Endorse => proposal.endorse().await.err(),
                Stage::Submit => transaction.submit().await.err(),
                _ => transaction.commit().status().await.err(),
            }
        };
        let error = tokio::time::timeout(PATIENCE, call).await.expect("the deadline passes").unwrap();
        assert_eq!((error.stage, error.code), (stage, Code::DeadlineExceeded), "{error}");
        assert_eq!(error.outcome_unknown(), matches!(stage, Stage::Submit | Stage::CommitStatus));
    }
}

#[tokio::test]
async fn what_was_not_confirmed_can_be_asked_for() {
    let world = World::start();
    let transaction = world.endorsed().await;
    world.peer.fault(Fault::Unconfirmed);
    let error = transaction.submit().await.err().unwrap();
    assert!(error.is_unavailable() && error.outcome_unknown() && !error.never_sent, "{error}");
    let status = transaction.commit().status().await.unwrap();
    assert_eq!((status.code, status.block), (0, 1), "it took effect all the same");
}

#[tokio::test]
async fn a_peer_that_dies_under_a_call_is_unavailable() {
    let mut world = World::start();
    world.put(&["before"]).await;
    for _ in 0..5 {
        world.peer.fault(Fault::Slow(PATIENCE));
        let proposal = world.call("put", &["key", "value"]);
        let call = tokio::spawn(async move { proposal.evaluate().await });
        world.all_faults_taken().await;
        world.peer.stop();
        let error = call.await.unwrap().unwrap_err();
        assert!(error.is_unavailable() && !error.never_sent, "{error:?}");
        world.peer.start_again().await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_went_away_was_never_asked_and_is_found_again() {
    let mut world = World::start();
    world.put(&["before"]).await;
    world.peer.stop();
    // The first call may still notice that the connection broke; from then on there is none.
    let _ = world.call("put", &["key", "value"]).evaluate().await;
    let error = world.call("put", &["key", "value"]).evaluate().await.unwrap_err();
    assert!(error.never_sent && error.is_unavailable(), "{error:?}");
    let error = call_error(world.call("put", &["key", "value"]).submit().await.unwrap_err());
    assert!(error.never_sent && !error.outcome_unknown(), "{error:?}");
    world.peer.start_again().await.unwrap();
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            match world.call("put", &["key", "again"]).submit().await {
                Ok(submitted) => return submitted,
                Err(error) => assert!(!error.outcome_unknown(), "{error}"),
            }
        }
    });
    assert_eq!(found.await.unwrap().block, 2, "the same connection serves again");
}

#[tokio::test]
async fn a_signer_that_refuses_leaves_nothing_sent() {
    let world = World::start();
    let refusing: crate::Sign = std::sync::Arc::new(|_| Err(crate::SignError("the hsm is locked".to_owned())));
    let identity = world.organisation.identity("client");
    let connection = crate::Connection::open(&world.peer.endpoint(), &identity.tls()).unwrap();
    let gateway = crate::Gateway::new(connection, identity.identity(), refusing, crate::testing::counted());
    let contract = gateway.network(CHANNEL).contract(CHAINCODE);
    assert_eq!(contract.proposal("put").build().err().unwrap().to_string(), "cannot sign: the hsm is locked");
    let error = crate::Commit::new(&gateway.network(CHANNEL), "id").status().await.unwrap_err();
    assert!(error.never_sent && error.to_string().contains("the hsm is locked"), "{error}");
}
