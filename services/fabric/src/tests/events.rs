//! Following a chaincode's events.

use futures::StreamExt;

use super::{CHAINCODE, PATIENCE, World};
use crate::testing::Fault;
use crate::{ChaincodeEvent, ChaincodeEvents, Checkpoint, Checkpointer, FileCheckpointer, Stage};

async fn next(events: &mut ChaincodeEvents) -> ChaincodeEvent {
    tokio::time::timeout(PATIENCE, events.next()).await.expect("no event came").unwrap().unwrap()
}

async fn payloads(events: &mut ChaincodeEvents, count: usize) -> Vec<String> {
    let mut payloads = Vec::new();
    for _ in 0..count {
        payloads.push(String::from_utf8(next(events).await.payload).unwrap());
    }
    payloads
}

#[tokio::test]
async fn events_come_from_a_checkpoint_on_and_of_valid_transactions_alone() {
    let world = World::start();
    let submitted = world.put(&["one", "two"]).await;
    world.peer.fault(Fault::Code(11));
    world.call("put", &["key", "conflict"]).submit().await.unwrap_err();
    let mut events = world.network().chaincode_events(CHAINCODE, Some(&Checkpoint::default()));
    let first = next(&mut events).await;
    assert_eq!((first.block, &first.transaction_id, first.name.as_str()), (1, &submitted[0].transaction_id, "written"));
    assert_eq!(payloads(&mut events, 1).await, ["two"]);
    world.put(&["three"]).await;
    assert_eq!(payloads(&mut events, 1).await, ["three"]);
    let mut resumed = world.network().chaincode_events(CHAINCODE, Some(&first.checkpoint()));
    assert_eq!(payloads(&mut resumed, 2).await, ["two", "three"]);
}

#[tokio::test]
async fn without_a_checkpoint_there_are_those_to_come() {
    let world = World::start();
    world.put(&["before"]).await;
    let mut events = world.network().chaincode_events(CHAINCODE, None);
    // The stream connects when it is first read: until the peer has the question, transactions go by unheard.
    let writing = async {
        loop {
            world.put(&["after"]).await;
        }
    };
    let event = tokio::select! {
        event = next(&mut events) => event,
        () = writing => unreachable!(),
    };
    assert_eq!(event.payload, b"after");
}

#[tokio::test]
async fn what_a_peer_repeats_is_left_out() {
    let world = World::start();
    let submitted = world.put(&["one", "two", "three"]).await;
    let handled = Checkpoint { block: 2, transaction_id: Some(submitted[1].transaction_id.clone()) };
    for (checkpoint, expected) in [(Checkpoint::default(), vec!["one", "two", "three"]), (handled, vec!["three"])] {
        world.peer.fault(Fault::Replay);
        let mut events = world.network().chaincode_events(CHAINCODE, Some(&checkpoint));
        assert_eq!(payloads(&mut events, expected.len()).await, expected);
    }
}

#[tokio::test]
async fn a_follower_resumes_after_a_broken_stream_and_after_a_restart_of_both_sides() {
    let mut world = World::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    world.put(&["one", "two"]).await;
    world.peer.fault(Fault::Break(1));
    let mut kept = FileCheckpointer::open(&path).unwrap();
    kept.keep(Checkpoint::default()).unwrap();
    let mut events = world.network().chaincode_events(CHAINCODE, kept.checkpoint());
    kept.keep(next(&mut events).await.checkpoint()).unwrap();
    let error = events.next().await.unwrap().unwrap_err();
    assert!(error.stage == Stage::Events && error.is_unavailable() && !error.outcome_unknown(), "{error}");
    assert!(error.to_string().starts_with("following events of chaincode chaincode failed"), "{error}");
    assert!(events.next().await.is_none(), "an error is the last word");
    world.peer.stop();
    world.peer.start_again().await.unwrap();
    world.gateway = world.peer.gateway(&world.organisation.identity("client"));
    let kept = FileCheckpointer::open(&path).unwrap();
    let mut events = world.network().chaincode_events(CHAINCODE, kept.checkpoint());
    assert_eq!(payloads(&mut events, 1).await, ["two"], "neither twice nor never");
}

/// Has two transactions ordered into one block.
async fn together(world: &World, payloads: [&str; 2]) {
    world.peer.fault(Fault::Together);
    let mut first = world.call("put", &["key", payloads[0]]).endorse().await.unwrap();
    first.sign().unwrap();
    drop(first.submit().await.unwrap());
    world.put(&payloads[1..]).await;
}

#[tokio::test]
async fn a_follower_resumes_within_a_block() {
    let world = World::start();
    together(&world, ["one", "two"]).await;
    world.put(&["three"]).await;
    let mut events = world.network().chaincode_events(CHAINCODE, Some(&Checkpoint::default()));
    let (one, two) = (next(&mut events).await, next(&mut events).await);
    assert_eq!((one.block, two.block), (1, 1));
    let mut resumed = world.network().chaincode_events(CHAINCODE, Some(&one.checkpoint()));
    assert_eq!(payloads(&mut resumed, 2).await, ["two", "three"]);
    let mut resumed = world.network().chaincode_events(CHAINCODE, Some(&two.checkpoint()));
    assert_eq!(payloads(&mut resumed, 1).await, ["three"]);
}

#[tokio::test]
async fn what_a_peer_repeats_of_the_block_of_the_checkpoint_is_left_out() {
    let world = World::start();
    together(&world, ["one", "two"]).await;
    together(&world, ["three", "four"]).await;
    let mut events = world.network().chaincode_events(CHAINCODE, Some(&Checkpoint::default()));
    for expected in [vec!["two", "three", "four"], vec!["three", "four"], vec!["four"]] {
        let handled = next(&mut events).await.checkpoint();
        world.peer.fault(Fault::Replay);
        let mut resumed = world.network().chaincode_events(CHAINCODE, Some(&handled));
        assert_eq!(payloads(&mut resumed, expected.len()).await, expected);
    }
}

#[tokio::test]
async fn an_event_of_another_chaincode_ends_a_stream() {
    let world = World::start();
    world.put(&["one"]).await;
    world.peer.fault(Fault::OtherChaincode);
    let mut events = world.network().chaincode_events(CHAINCODE, Some(&Checkpoint::default()));
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!((error.stage, error.code), (Stage::Events, tonic::Code::DataLoss), "{error}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_follower_that_waits_is_told_of_the_end_of_its_peer() {
    let mut world = World::start();
    world.put(&["one"]).await;
    let mut events = world.network().chaincode_events(CHAINCODE, Some(&Checkpoint::default()));
    assert_eq!(payloads(&mut events, 1).await, ["one"]);
    world.peer.stop();
    let error = tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap_err();
    assert!(error.is_unavailable() && error.stage == Stage::Events, "{error:?}");
    let mut none = world.network().chaincode_events(CHAINCODE, Some(&Checkpoint::default()));
    let error = none.next().await.unwrap().unwrap_err();
    assert!(error.never_sent, "there is no peer: {error:?}");
}
