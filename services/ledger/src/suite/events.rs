//! Stories about followers.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;

use semblance_core::time::Timestamp;

use super::scratch::call;
use super::{Factory, Network, Told};
use crate::{BlockEvents, EventStream, LedgerError, Validation};

async fn next(stream: &mut EventStream) -> BlockEvents {
    let next = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
    next.expect("a block in time").expect("the stream goes on").expect("a block")
}

/// Reads up to the block that holds this many valid events, and checks that no number is missing or twice.
async fn valid_events(stream: &mut EventStream, from: u64, wanted: usize) -> Vec<Vec<u8>> {
    let (mut expected, mut events) = (from, Vec::new());
    while events.len() < wanted {
        let block = next(stream).await;
        assert_eq!(block.number, expected);
        expected += 1;
        for transaction in block.transactions {
            if transaction.validation == Validation::Valid {
                events.extend(transaction.event.map(|(_, payload)| payload));
            }
        }
    }
    events
}

/// A follower sees old and new blocks, each once, and of conflicting transactions the events of the valid ones.
pub async fn followers_see_every_block_once(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    for number in 0..5 {
        node.submit(call("append", &[&format!("early-{number}"), "early"])).await.expect("valid");
    }
    let mut stream = node.blocks(network.founded).await.expect("a stream");
    let calls = (0..30).map(|number| {
        let node = node.clone();
        async move { node.submit(call("append", &["contested", &format!("<{number}>")])).await }
    });
    let outcomes = join_all(calls).await;
    let valid = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let events = valid_events(&mut stream, network.founded, 5 + valid).await;
    let value = node.evaluate(call("get", &["contested"])).await.expect("answered");
    assert_eq!(events.get(5..).expect("late events").concat(), value, "events of valid transactions, in their order");
    Ok(())
}

/// A follower that stopped goes on where it was, in the past, at the end, or ahead of it.
pub async fn a_follower_resumes_anywhere(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    for number in 0..40 {
        node.submit(call("append", &[&format!("key-{number}"), &number.to_string()])).await.expect("valid");
    }
    for from in [1, 7, 39, 40] {
        let mut stream = node.blocks(network.founded + from).await.expect("a stream");
        let events =
            valid_events(&mut stream, network.founded + from, usize::try_from(41 - from).expect("small")).await;
        assert_eq!(events.first().expect("an event"), &(from - 1).to_string().into_bytes());
    }
    let mut ahead = node.blocks(network.founded + 42).await.expect("a stream");
    for number in 0..2 {
        node.submit(call("append", &["late", &number.to_string()])).await.expect("valid");
    }
    assert_eq!(next(&mut ahead).await.number, network.founded + 42);
    Ok(())
}

/// A follower that does not read holds neither the writer nor the others up, and misses nothing.
pub async fn a_slow_follower_holds_nobody_up(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    let mut slow = node.blocks(network.founded).await.expect("a stream");
    let mut quick = node.blocks(network.founded).await.expect("a stream");
    for number in 0..100 {
        node.submit(call("append", &[&format!("key-{number}"), "x"])).await.expect("valid");
    }
    assert_eq!(valid_events(&mut quick, network.founded, 100).await.len(), 100);
    assert_eq!(valid_events(&mut slow, network.founded, 100).await.len(), 100);
    Ok(())
}

/// A second event ends the transaction.
pub async fn there_is_one_event(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    assert!(matches!(node.submit(call("two_events", &[])).await, Err(LedgerError::Refused { .. })));
    let committed = node.submit(call("event", &["hello"])).await.expect("valid");
    let mut stream = node.blocks(committed.block).await.expect("a stream");
    let block = next(&mut stream).await;
    let outcome = block.transactions.first().expect("a transaction");
    assert_eq!(outcome.transaction, committed.transaction);
    assert_eq!(outcome.event, Some(("hello".to_owned(), b"payload".to_vec())));
    Ok(())
}

/// The contract sees the proposal's time; the blocks' time only moves on.
pub async fn block_time_never_goes_back(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    let mut stream = node.blocks(network.founded).await.expect("a stream");
    let (begun, mut last) = (network.ledger.now(), Timestamp::default());
    for _ in 0..5 {
        network.ledger.advance(1000)?;
        let committed = node.submit(call("time", &[])).await.expect("valid");
        let said: u64 = String::from_utf8(committed.response).expect("text").parse().expect("a number");
        assert!(said > begun.millis());
        let block = next(&mut stream).await;
        assert!(block.timestamp >= last);
        last = block.timestamp;
    }
    Ok(())
}

/// A stream that a restart breaks ends with an error or goes on by itself, without a gap.
pub async fn followers_survive_a_restart(factory: &dyn Factory) -> Told {
    let mut network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    let mut stream = node.blocks(network.founded).await.expect("a stream");
    node.submit(call("append", &["a", "1"])).await.expect("valid");
    assert_eq!(valid_events(&mut stream, network.founded, 1).await, [b"1".to_vec()]);
    drop(node);
    network.ledger.restart().await?;
    let node = network.node("hospital-1");
    node.submit(call("append", &["b", "2"])).await.expect("valid");
    let after = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("an end or a block");
    match after.expect("an end with an error, or a block") {
        Ok(block) => assert_eq!(block.number, network.founded + 2),
        Err(error) => {
            assert!(matches!(error, LedgerError::Unavailable(_)), "{error}");
            let mut stream = node.blocks(network.founded + 2).await.expect("a stream");
            assert_eq!(valid_events(&mut stream, network.founded + 2, 1).await, [b"2".to_vec()]);
        }
    }
    Ok(())
}
