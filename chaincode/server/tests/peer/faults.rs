//! What a misbehaving peer can spoil: one transaction, and no more.

use std::time::Instant;

use semblance_chaincode::testing::{Behaviour, FakePeer, Faults, message};
use semblance_fabric::proto::protos::chaincode_message::Type;

use crate::small::{PATIENCE, call, call_with, peer, server, until};

/// Misbehaves at the first request of one kind, and never again.
fn once(at: Type, behaviour: Behaviour) -> Option<Faults> {
    let mut left = Some(behaviour);
    Some(Box::new(
        move |request| {
            if request.r#type() == at { left.take().unwrap_or(Behaviour::Answer) } else { Behaviour::Answer }
        },
    ))
}

async fn works(peer: &FakePeer) {
    let ended = peer.invoke(&call("copy", 99)).await.unwrap();
    assert_eq!(ended.response().unwrap().payload, b"value", "{}", ended.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_ends_one_transaction_and_commits_nothing() {
    let server = server().await;
    for (at, behaviour, why) in [
        (Type::GetState, Behaviour::Fail("the disk is full".into()), "the disk is full"),
        (Type::GetState, Behaviour::Silent, "did not answer in time"),
        (Type::GetState, Behaviour::Slow(PATIENCE * 2), "did not answer in time"),
        (Type::GetState, Behaviour::Kind(Type::Error), "ledger-state: "),
        (Type::WriteBatchState, Behaviour::Fail("no such collection".into()), "no such collection"),
        (Type::WriteBatchState, Behaviour::Silent, "did not answer in time"),
    ] {
        let peer = peer(&server, once(at, behaviour.clone())).await;
        let response = peer.invoke(&call("copy", 1)).await.unwrap().response().unwrap();
        assert_eq!(response.status, 500, "{behaviour:?}");
        assert!(response.message.starts_with("ledger-state: ") && response.message.contains(why), "{behaviour:?}");
        assert_eq!(peer.state(|state| state.get("to").map(<[u8]>::to_vec)), None, "{behaviour:?}");
        works(&peer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_an_answer_is_refused() {
    let server = server().await;
    for (function, at) in [("range", Type::GetStateByRange), ("read_many", Type::GetStateMultiple)] {
        for garbage in [b"\xff\xff\xff".to_vec(), b"\x0a\x02\x0a".to_vec()] {
            let peer = peer(&server, once(at, Behaviour::Bytes(garbage))).await;
            let response = peer.invoke(&call_with(function, 5)).await.unwrap().response().unwrap();
            assert!(response.status == 500 && response.message.starts_with("ledger-state: "), "{}", response.message);
            works(&peer).await;
        }
    }
    // Fewer values than keys were asked for.
    let peer = peer(&server, once(Type::GetStateMultiple, Behaviour::Bytes(Vec::new()))).await;
    assert!(peer.invoke(&call_with("read_many", 5)).await.unwrap().text().contains("for every key"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_no_kind_ends_the_connection_with_its_transaction() {
    let server = server().await;
    let peer = peer(&server, once(Type::GetState, Behaviour::Kind(Type::Completed))).await;
    let begun = Instant::now();
    assert!(peer.invoke(&call("copy", 1)).await.is_none_or(|ended| ended.response().unwrap().status == 500));
    assert!(begun.elapsed() < PATIENCE, "nobody waits for a peer that has gone");
    works(&crate::small::peer(&server, None).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_twice_harms_nobody() {
    let server = server().await;
    let twice: Faults = Box::new(|_| Behaviour::Twice);
    let peer = peer(&server, Some(twice)).await;
    for number in 0..50 {
        let ended = peer.invoke(&call("look_once", number)).await.unwrap();
        assert_eq!(ended.response().unwrap().payload, b"value", "{}", ended.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_nobodys() {
    let server = server().await;
    let peer = peer(&server, once(Type::GetState, Behaviour::Slow(PATIENCE * 3 / 2))).await;
    // A contract that goes on after a failure hears no more.
    let response = peer.invoke(&call("go_on_after_a_failure", 1)).await.unwrap().response().unwrap();
    assert_eq!(response.payload, [1, 1]);
    peer.send(message(Type::Response, b"late".to_vec(), &call("copy", 1).transaction)).await;
    peer.send(message(Type::Error, b"late".to_vec(), "no transaction at all")).await;
    works(&peer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_find_their_transactions_in_any_order() {
    let server = server().await;
    let holds: Faults =
        Box::new(|request| if request.r#type() == Type::GetState { Behaviour::Hold } else { Behaviour::Answer });
    let peer = peer(&server, Some(holds)).await;
    let (first, second) = (call("copy", 1), call("copy", 2));
    let release = async {
        until("both questions", || peer.held() == 2).await;
        peer.release().await;
    };
    let (first, second, ()) = tokio::join!(peer.invoke(&first), peer.invoke(&second), release);
    for ended in [first.unwrap(), second.unwrap()] {
        assert_eq!(ended.response().unwrap().payload, b"value");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_comes_twice_runs_once() {
    let server = server().await;
    let peer = peer(&server, once(Type::GetState, Behaviour::Hold)).await;
    let invocation = call("copy", 1);
    let again = async {
        until("its question", || peer.held() == 1).await;
        peer.send(invocation.message()).await;
        peer.release().await;
    };
    let (ended, ()) = tokio::join!(peer.invoke(&invocation), again);
    assert_eq!(ended.unwrap().response().unwrap().status, 200);
    works(&peer).await;
    assert_eq!(server.metrics().arrived(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_hangs_up_in_the_middle_is_taken_back() {
    let server = server().await;
    let peer = peer(&server, once(Type::GetState, Behaviour::HangUp)).await;
    assert!(peer.invoke(&call("copy", 1)).await.is_none());
    drop(peer);
    until("the end of the connection", || !server.metrics().ready()).await;
    works(&crate::small::peer(&server, None).await).await;
    assert!(server.stop().await, "nothing of the broken connection is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_that_panics_harms_one_transaction() {
    let server = server().await;
    let peer = peer(&server, None).await;
    let ended = peer.invoke(&call("break_down", 1)).await.unwrap();
    assert_eq!(ended.0.r#type(), Type::Error);
    assert!(ended.text().starts_with("contract-failed: ") && !ended.text().contains("broken contract"));
    works(&peer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_transaction_are_refused() {
    let server = server().await;
    let peer = peer(&server, None).await;
    let mut garbage = call("copy", 1).message();
    garbage.payload = b"\xff\xff".to_vec();
    peer.send(garbage).await;
    until("the refusal", || peer.received() == [Type::Completed]).await;
    let mut empty = call("copy", 2).message();
    empty.proposal = None;
    peer.send(empty).await;
    until("the refusal", || peer.received() == [Type::Completed; 2]).await;
    works(&peer).await;
}
