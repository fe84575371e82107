//! Stories about reads, writes and conflicts.

use futures::future::join_all;

use super::scratch::call;
use super::{Factory, Network, Told};
use crate::{LedgerError, Validation};

/// A read sees what was committed before, never the transaction's own write.
pub async fn reads_do_not_see_own_writes(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    let first = node.submit(call("put_and_get", &["key", "one"])).await.expect("valid");
    assert_eq!(first.response, b"");
    let second = node.submit(call("put_and_get", &["key", "two"])).await.expect("valid");
    assert_eq!(second.response, b"one");
    assert!(second.block > first.block);
    assert_eq!(node.evaluate(call("get", &["key"])).await.expect("answered"), b"two");
    node.submit(call("delete", &["key"])).await.expect("valid");
    assert_eq!(node.evaluate(call("get", &["key"])).await.expect("answered"), b"");
    network.assert_sound().await;
    Ok(())
}

/// A refusal carries the contract's code and leaves nothing behind, no event either.
pub async fn nothing_of_a_refused_call_takes_effect(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    let refused = node.submit(call("put_and_fail", &["key", "one"])).await;
    assert_eq!(
        refused,
        Err(LedgerError::Refused { code: "slot-used".into(), message: "refused after writing".into() })
    );
    let unknown = node.submit(call("no_such_function", &[])).await;
    assert!(matches!(unknown, Err(LedgerError::Refused { code, .. }) if code == "unknown-function"));
    assert_eq!(node.evaluate(call("get", &["key"])).await.expect("answered"), b"");
    // The next block follows genesis: nothing was recorded.
    assert_eq!(node.submit(call("put", &["other", "x"])).await.expect("valid").block, network.founded + 1);
    assert_eq!(node.height().await.expect("answered"), network.founded + 2);
    Ok(())
}

/// A query that tries to write is refused.
pub async fn queries_write_nothing(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    assert!(node.evaluate(call("put", &["key", "one"])).await.is_err());
    assert_eq!(node.evaluate(call("get", &["key"])).await.expect("answered"), b"");
    assert_eq!(node.submit(call("put", &["key", "x"])).await.expect("valid").block, network.founded + 1);
    Ok(())
}

/// Many append to one key at once: whoever is told so is in the value exactly once, all others have a conflict.
pub async fn concurrent_writers_of_one_key_never_lose_a_write(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 2, 0).await;
    let nodes = ["hospital-1", "hospital-2"].map(|name| network.node(name));
    let calls = (0..40_usize).map(|number| {
        let node = nodes[number % 2].clone();
        async move { (number, node.submit(call("append", &["key", &format!("<{number}>")])).await) }
    });
    let mut written = Vec::new();
    for (number, outcome) in join_all(calls).await {
        match outcome {
            Ok(_) => written.push(format!("<{number}>")),
            Err(LedgerError::Invalid { validation: Validation::MvccConflict, .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let value = nodes[0].evaluate(call("get", &["key"])).await.expect("answered");
    let value = String::from_utf8(value).expect("text");
    assert!(!written.is_empty());
    assert_eq!(value.matches('<').count(), written.len());
    assert!(written.iter().all(|mark| value.contains(mark.as_str())));
    // Tried again, every one gets through.
    nodes[0].submit(call("append", &["key", "<last>"])).await.expect("no conflict any more");
    network.assert_sound().await;
    Ok(())
}

/// Many count a range and add to it at once: no two of those that are valid counted the same.
pub async fn a_range_that_changed_invalidates(factory: &dyn Factory) -> Told {
    let network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    let calls = (0..24).map(|number| {
        let node = node.clone();
        async move { node.submit(call("count_and_add", &["row", &format!("{number:03}")])).await }
    });
    let mut counts = Vec::new();
    for outcome in join_all(calls).await {
        match outcome {
            Ok(committed) => counts.push(String::from_utf8(committed.response).expect("text")),
            Err(LedgerError::Invalid { validation: Validation::PhantomConflict, .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let mut counts: Vec<usize> = counts.iter().map(|count| count.parse().expect("a number")).collect();
    counts.sort_unstable();
    assert_eq!(counts, (0..counts.len()).collect::<Vec<_>>());
    assert!(!counts.is_empty());
    // A delete inside of the range changes it too.
    let listed = node.evaluate(call("list", &["row/", "row0"])).await.expect("answered");
    let first = String::from_utf8(listed).expect("text").split(' ').next().expect("a row").to_owned();
    node.submit(call("delete", &[&first])).await.expect("valid");
    let next = node.submit(call("count_and_add", &["row", "last"])).await.expect("valid");
    assert_eq!(next.response, (counts.len() - 1).to_string().into_bytes());
    network.assert_sound().await;
    Ok(())
}

/// A restart changes nothing.
pub async fn what_was_acknowledged_survives_a_restart(factory: &dyn Factory) -> Told {
    let mut network = Network::scratch(factory, 1, 0).await;
    let node = network.node("hospital-1");
    for number in 0..20 {
        node.submit(call("put", &[&format!("key-{number}"), "kept"])).await.expect("valid");
    }
    drop(node);
    network.ledger.restart().await?;
    let node = network.node("hospital-1");
    for number in 0..20 {
        assert_eq!(node.evaluate(call("get", &[&format!("key-{number}")])).await.expect("answered"), b"kept");
    }
    assert_eq!(node.submit(call("put", &["after", "x"])).await.expect("valid").block, network.founded + 21);
    network.assert_sound().await;
    Ok(())
}

/// Many calls at once on different keys are all valid, and all are there after a restart.
pub async fn concurrent_calls_are_all_durable(factory: &dyn Factory) -> Told {
    let mut network = Network::scratch(factory, 2, 0).await;
    let nodes = ["hospital-1", "hospital-2"].map(|name| network.node(name));
    let calls = (0..200_usize).map(|number| {
        let node = nodes[number % 2].clone();
        async move { node.submit(call("put", &[&format!("key-{number}"), "kept"])).await }
    });
    for outcome in join_all(calls).await {
        outcome.expect("different keys do not conflict");
    }
    drop(nodes);
    network.restart_if_possible().await;
    let node = network.node("hospital-1");
    for number in 0..200 {
        assert_eq!(node.evaluate(call("get", &[&format!("key-{number}")])).await.expect("answered"), b"kept");
    }
    network.assert_sound().await;
    Ok(())
}
