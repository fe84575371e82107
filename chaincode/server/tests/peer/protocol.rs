//! What a well-behaved peer sees, whatever it offers.

use futures::future::join_all;
use semblance_chaincode::testing::{Dialing, FakePeer, Invocation, message};
use semblance_contract::stub::QUERY;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::write_record::Type as Kind;
use semblance_fabric::proto::protos::{ChaincodeMessage, WriteBatchState};

use crate::small::{COLLECTION, call, call_with, peer, server, until};

/// Peers that offer everything, a little, and nothing.
const OFFERS: [Option<u32>; 3] = [Some(10), Some(1), None];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_reads_writes_and_tells_whatever_the_peer_offers() {
    let server = server().await;
    for write_batch in OFFERS {
        let dialing = Dialing { write_batch, ..Dialing::default() };
        let peer = FakePeer::dial(server.address(), dialing).await.unwrap();
        assert_eq!(peer.package(), "package:1");
        peer.state(|state| state.put("from", b"value"));
        let ended = peer.invoke(&call("copy", 1)).await.unwrap();
        let response = ended.response().unwrap();
        assert_eq!((response.status, response.payload.as_slice()), (200, b"value".as_slice()));
        let event = ended.0.chaincode_event.unwrap();
        assert_eq!((event.event_name.as_str(), event.payload.as_slice()), ("copied", b"value".as_slice()));
        assert_eq!((event.chaincode_id.as_str(), event.tx_id), ("semblance", call("copy", 1).transaction));
        assert_eq!(peer.state(|state| state.get("to").map(<[u8]>::to_vec)), Some(b"value".to_vec()));
        let write = if write_batch.is_some() { Type::WriteBatchState } else { Type::PutState };
        assert_eq!(peer.received(), [Type::GetState, write, Type::Completed]);
    }
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_write_arrives() {
    let server = server().await;
    let mut policies = Vec::new();
    for write_batch in OFFERS {
        let peer = FakePeer::dial(server.address(), Dialing { write_batch, ..Dialing::default() }).await.unwrap();
        let private = |key: &str| (COLLECTION.to_owned(), key.to_owned());
        peer.state(|state| {
            state.put("old", b"value");
            state.values.insert(private("purged"), b"value".to_vec());
        });
        assert_eq!(peer.invoke(&call("write_all_kinds", 1)).await.unwrap().response().unwrap().status, 200);
        peer.state(|state| {
            assert_eq!((state.get("public"), state.get("old")), (Some(b"value".as_slice()), None));
            assert_eq!(state.values.get(&private("private")).map(Vec::as_slice), Some(b"secret".as_slice()));
            assert_eq!(state.values.get(&private("purged")), None);
            policies.push(state.metadata[&("public".to_owned(), "VALIDATION_PARAMETER".to_owned())].clone());
        });
    }
    assert!(!policies[0].is_empty() && policies.iter().all(|policy| *policy == policies[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_as_large_as_the_peer_takes() {
    let server = server().await;
    let peer = peer(&server, None).await;
    assert!(peer.invoke(&call_with("write_many", 25)).await.unwrap().response().is_some());
    let sizes =
        peer.messages().into_iter().filter(|message| message.r#type() == Type::WriteBatchState).map(|message| {
            let records = <WriteBatchState as prost::Message>::decode(message.payload.as_slice()).unwrap().rec;
            assert!(records.iter().all(|record| record.r#type() == Kind::PutState));
            records.len()
        });
    assert_eq!(sizes.collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(peer.invoke(&call_with("read_many", 25)).await.unwrap().response().unwrap().payload, [25]);
    let reads = peer.received().into_iter().filter(|kind| *kind == Type::GetStateMultiple).count();
    assert_eq!((reads, peer.received().contains(&Type::GetState)), (3, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_read_to_its_limit_and_closed() {
    let server = server().await;
    let peer = peer(&server, None).await;
    peer.state(|state| (0..8).for_each(|n| state.put(&format!("key-{n}"), b"value")));
    for limit in [0, 1, 3, 4, 8, 9] {
        let rows = peer.invoke(&call_with("range", limit)).await.unwrap().response().unwrap().payload;
        let expected: Vec<_> = (0..limit.min(8)).map(|n| format!("key-{n}")).collect();
        assert_eq!(String::from_utf8(rows).unwrap(), expected.join(" "));
        assert_eq!(peer.state(|state| state.open_ranges()), 0, "limit {limit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_see_what_is_committed_alone() {
    let server = server().await;
    let peer = peer(&server, None).await;
    for seen in [b"value".as_slice(), b"changed"] {
        assert_eq!(peer.invoke(&call("read_own_write", 1)).await.unwrap().response().unwrap().payload, seen);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_data_are_read_by_queries_alone_and_queries_write_nothing() {
    let server = server().await;
    let peer = peer(&server, None).await;
    peer.state(|state| state.values.insert((COLLECTION.into(), "private".into()), b"secret".to_vec()));
    let query = |function: &str| {
        let mut invocation = call(function, 1);
        invocation.transient.insert(QUERY.to_owned(), Vec::new());
        invocation
    };
    assert_eq!(peer.invoke(&query("look")).await.unwrap().response().unwrap().payload, b"secret");
    assert_eq!(peer.invoke(&call("hash", 1)).await.unwrap().response().unwrap().payload.len(), 32);
    for (invocation, word) in [(call("look", 1), "a block would show"), (query("copy"), "a query writes nothing")] {
        let text = peer.invoke(&invocation).await.unwrap().text();
        assert!(text.starts_with("ledger-state: ") && text.contains(word), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_writes_nothing_and_names_its_code() {
    let server = server().await;
    let peer = peer(&server, None).await;
    let response = peer.invoke(&call("refuse", 1)).await.unwrap().response().unwrap();
    assert_eq!((response.status, response.message.as_str()), (409, "slot-used: after writing"));
    for (function, why) in [
        ("write_too_much", "1048576 are allowed"),
        ("write_nothing", "at least one byte"),
        ("write_private_in_public", "a private collection has a name"),
        ("two_events", "one event"),
    ] {
        let response = peer.invoke(&call(function, 1)).await.unwrap().response().unwrap();
        assert_eq!(response.status, 500);
        assert!(
            response.message.starts_with("ledger-state: ") && response.message.contains(why),
            "{}",
            response.message
        );
    }
    let skewed = Invocation { time: crate::small::NOW.plus(300_001), ..call("copy", 1) };
    assert!(peer.invoke(&skewed).await.unwrap().text().starts_with("clock-skew: 300001 300000: "));
    assert_eq!(peer.received(), [Type::Completed; 6], "nothing was asked or written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_transactions_run_side_by_side_and_are_counted() {
    let server = server().await;
    let peer = peer(&server, None).await;
    let calls: Vec<_> = (0..200).map(|number| call("copy", number)).collect();
    let ends = join_all(calls.iter().map(|call| peer.invoke(call))).await;
    assert!(ends.iter().all(|ended| ended.as_ref().unwrap().response().unwrap().status == 200));
    let metrics = server.metrics();
    assert!(metrics.ready() && metrics.arrived() == 200);
    let text = metrics.text().unwrap();
    assert!(text.contains("semblance_chaincode_transactions_in_flight 0"), "{text}");
    assert!(text.contains("semblance_chaincode_transactions_total"), "{text}");
    assert!(!text.contains("copy"), "a function that the contract does not have is no label");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keepalive_comes_back_and_what_no_peer_sends_ends_the_connection() {
    let server = server().await;
    let peer = peer(&server, None).await;
    peer.send(message(Type::Keepalive, Vec::new(), "")).await;
    until("the echo", || peer.received() == [Type::Keepalive]).await;
    peer.send(ChaincodeMessage { r#type: Type::Register.into(), ..ChaincodeMessage::default() }).await;
    until("the end", || !server.metrics().ready()).await;
}
