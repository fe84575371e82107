//! A stop finishes what is under way, takes nothing new, and does not wait for a peer that is quiet.

use std::time::{Duration, Instant};

use semblance_chaincode::testing::{Behaviour, Dialing, FakePeer, Faults};
use semblance_fabric::proto::protos::chaincode_message::Type;

use crate::small::{call, peer, server, until};

/// Much shorter than a stop may take.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_under_way_and_takes_nothing_new() {
    let server = server().await;
    let address = server.address();
    let holds: Faults =
        Box::new(|request| if request.r#type() == Type::GetState { Behaviour::Hold } else { Behaviour::Answer });
    let peer = peer(&server, Some(holds)).await;
    let begun = call("copy", 1);
    let (ended, stopped) = tokio::join!(peer.invoke(&begun), async {
        until("the first question", || peer.held() == 1).await;
        let begun = Instant::now();
        let stopping = tokio::spawn(server.stop());
        // Once it takes no connections, it takes no transactions either.
        loop {
            if FakePeer::dial(address, Dialing::default()).await.is_err() {
                break;
            }
            assert!(begun.elapsed() < SOON, "it still takes connections");
        }
        let late = peer.invoke(&call("copy", 2)).await.unwrap();
        assert_eq!((late.0.r#type(), late.text().as_str()), (Type::Error, "this chaincode server is stopping"));
        peer.release().await;
        // The peer stays connected: the server ends by itself.
        let stopped = stopping.await.unwrap();
        (stopped, begun.elapsed())
    });
    assert_eq!(ended.unwrap().response().unwrap().payload, b"value");
    assert!(stopped.0 && stopped.1 < SOON, "{stopped:?}");
    assert_eq!(peer.state(|state| state.get("to").map(<[u8]>::to_vec)), Some(b"value".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_quiet_peer() {
    let server = server().await;
    let peer = peer(&server, None).await;
    assert!(peer.invoke(&call("copy", 1)).await.is_some());
    let begun = Instant::now();
    assert!(server.stop().await);
    assert!(begun.elapsed() < SOON);
}
