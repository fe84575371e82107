//! Every step signed by somebody else than the process that speaks.

use std::sync::Arc;

use futures::StreamExt;

use super::{CHAINCODE, CHANNEL, World};
use crate::testing::counted;
use crate::{Checkpoint, Commit, Connection, Gateway, Sign, SignError};

/// A gateway that has no key, and the signer that it does not know.
fn keyless(world: &World) -> (Gateway, Sign) {
    let identity = world.organisation.identity("client");
    let connection = Connection::open(&world.peer.endpoint(), &identity.tls()).unwrap();
    let none: Sign = Arc::new(|_| Err(SignError("there is no key here".to_owned())));
    (Gateway::new(connection, identity.identity(), none, counted()), identity.signer())
}

#[tokio::test]
async fn a_transaction_is_signed_elsewhere_at_every_step() {
    let world = World::start();
    let (gateway, sign) = keyless(&world);
    let contract = gateway.network(CHANNEL).contract(CHAINCODE);
    let unsigned = contract.proposal("put").arguments([b"key".to_vec(), b"value".to_vec()]).unsigned();
    let (bytes, signature) = (unsigned.bytes().to_vec(), sign(&unsigned.digest()).unwrap());
    let proposal = gateway.signed_proposal(bytes, signature).unwrap();
    assert_eq!(proposal.transaction_id(), unsigned.transaction_id());
    assert_eq!(proposal.evaluate().await.unwrap(), b"value");
    let prepared = proposal.organisations(["north".to_owned()]).endorse().await.unwrap();
    let (bytes, signature) = (prepared.bytes().to_vec(), sign(&prepared.digest()).unwrap());
    let transaction = gateway.signed_transaction(bytes, signature).unwrap();
    assert_eq!((transaction.result(), transaction.endorsers()), (prepared.result(), prepared.endorsers()));
    let commit = transaction.submit().await.unwrap();
    let (bytes, signature) = (commit.bytes().to_vec(), sign(&commit.digest()).unwrap());
    let status = gateway.signed_commit(bytes, signature).unwrap().status().await.unwrap();
    assert_eq!((status.transaction_id.as_str(), status.code, status.block), (unsigned.transaction_id(), 0, 1));
    // What has no signature is refused at every step.
    assert!(unsigned.evaluate().await.is_err() && prepared.submit().await.is_err());
    assert!(Commit::new(&gateway.network(CHANNEL), unsigned.transaction_id()).status().await.is_err());
}

#[tokio::test]
async fn requests_for_events_and_blocks_are_signed_elsewhere() {
    let world = World::start();
    world.put(&["one"]).await;
    let (gateway, sign) = keyless(&world);
    let network = gateway.network(CHANNEL);
    let request = network.events_request(CHAINCODE, Some(&Checkpoint::default()));
    let signature = sign(&crate::identity::digest(&request)).unwrap();
    let mut events = network.chaincode_events_signed(request, Some(signature));
    assert_eq!(events.next().await.unwrap().unwrap().payload, b"one");
    let (request, digest) = network.blocks_request(0, Some(1));
    let blocks = network.blocks_signed(request, sign(&digest).unwrap()).await.unwrap();
    assert_eq!(blocks.filter(|block| futures::future::ready(block.is_ok())).count().await, 2);
    assert!(network.blocks(0, None).await.is_err(), "it cannot sign itself");
}

#[tokio::test]
async fn bytes_that_are_something_else_are_refused() {
    let world = World::start();
    for bytes in [b"".as_slice(), b"\xff\xff", b"\x0a\x02hi"] {
        let refused = world.gateway.signed_proposal(bytes.to_vec(), Vec::new()).err();
        assert!(refused.unwrap().to_string().starts_with("the bytes are no proposal: "), "{bytes:?}");
        assert!(world.gateway.signed_transaction(bytes.to_vec(), Vec::new()).is_err(), "{bytes:?}");
    }
    assert!(world.gateway.signed_commit(b"\xff".to_vec(), Vec::new()).is_err());
}
