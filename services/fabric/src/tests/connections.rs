//! Who may connect to whom, and how much may be said.

use futures::StreamExt;
use tonic::Code;

use super::{CHAINCODE, CHANNEL, World, call_error};
use crate::testing::{Fault, TestIdentity, TestOrganisation, counted};
use crate::{
    CallError, Checkpoint, ClientTls, Connection, ConnectionError, DeliverError, Gateway, Network, PeerEndpoint,
};

fn through(peer: &PeerEndpoint, identity: &TestIdentity) -> Network {
    let connection = Connection::open(peer, &identity.tls()).unwrap();
    Gateway::new(connection, identity.identity(), identity.signer(), counted()).network(CHANNEL)
}

async fn query(network: &Network) -> Result<Vec<u8>, CallError> {
    let arguments = [b"key".to_vec(), b"value".to_vec()];
    network.contract(CHAINCODE).proposal("put").arguments(arguments).build().unwrap().evaluate().await
}

#[tokio::test]
async fn a_server_with_a_wrong_certificate_is_told_nothing() {
    let world = World::start();
    let (right, client) = (world.peer.endpoint(), world.organisation.identity("client"));
    // An authority that calls itself the same is another one all the same.
    let impostor = PeerEndpoint { tls_root: TestOrganisation::new("north").root(), ..right.clone() };
    let misnamed = PeerEndpoint { server_name: "peer0.example.org".to_owned(), ..right.clone() };
    for wrong in [impostor, misnamed] {
        let network = through(&wrong, &client);
        let error = query(&network).await.unwrap_err();
        assert!(error.never_sent && error.is_unavailable(), "{error:?}");
        let proposal = network.contract(CHAINCODE).proposal("put").build().unwrap();
        assert!(call_error(proposal.submit().await.unwrap_err()).never_sent);
        let broken = network.blocks(0, Some(0)).await.err();
        assert!(matches!(broken, Some(DeliverError::Broken { code: Code::Unavailable, .. })), "{broken:?}");
    }
    assert_eq!(query(&through(&right, &client)).await.unwrap(), b"value", "its own root and name");
}

#[tokio::test]
async fn strangers_cannot_connect() {
    let world = World::start();
    let endpoint = world.peer.endpoint();
    let stranger = through(&endpoint, &TestOrganisation::new("north").identity("client"));
    let error = query(&stranger).await.unwrap_err();
    assert!(error.is_unavailable() && error.details.is_empty(), "mutual TLS refuses its certificate: {error}");
    let events = stranger.chaincode_events(CHAINCODE, Some(&Checkpoint::default())).next().await;
    assert!(events.unwrap().unwrap_err().is_unavailable());
    let blocks = match stranger.blocks(0, Some(0)).await {
        Ok(mut blocks) => blocks.next().await.unwrap().unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(blocks, DeliverError::Broken { code: Code::Unavailable, .. }), "{blocks:?}");
}

#[tokio::test]
async fn others_signatures_do_not_count() {
    let world = World::start();
    let proposal = world.call("put", &["key", "value"]);
    let other = world.organisation.identity("client").signer();
    let error = proposal.clone().signed_by(other(&proposal.digest()).unwrap()).evaluate().await.unwrap_err();
    assert_eq!(error.code, Code::PermissionDenied, "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused() {
    let world = World::start();
    world.peer.fault(Fault::Oversized);
    let error = world.call("put", &["key", "value"]).evaluate().await.unwrap_err();
    assert_eq!(error.code, Code::OutOfRange, "{error}");
    assert_eq!(world.call("put", &["key", "value"]).evaluate().await.unwrap(), b"value");
}

#[tokio::test]
async fn a_question_that_is_too_large_is_not_asked() {
    let world = World::start();
    let large = "x".repeat(crate::MESSAGE_BYTES_MAX);
    let error = world.call("put", &["key", &large]).endorse().await.err().unwrap();
    assert!(error.code == Code::OutOfRange && error.never_sent && !error.is_unavailable(), "{error}");
    assert_eq!(world.call("put", &["key", "value"]).evaluate().await.unwrap(), b"value");
}

#[tokio::test]
async fn what_is_larger_than_grpc_allows_by_default_goes_every_way() {
    let world = World::start();
    let large = "x".repeat(5 << 20);
    let submitted = world.call("put", &["key", &large]).submit().await.unwrap();
    assert_eq!(submitted.result.len(), large.len());
    let mut events = world.network().chaincode_events(CHAINCODE, Some(&Checkpoint::default()));
    assert_eq!(events.next().await.unwrap().unwrap().payload.len(), large.len());
    let mut blocks = world.network().blocks(1, Some(1)).await.unwrap();
    assert!(blocks.next().await.unwrap().is_ok());
}

#[test]
fn a_connection_that_can_never_be_is_refused_at_once() {
    let organisation = TestOrganisation::new("north");
    let tls = organisation.identity("client").tls();
    let peer = |address: &str| PeerEndpoint {
        address: address.to_owned(),
        server_name: "localhost".to_owned(),
        tls_root: organisation.root(),
    };
    let refused = |peer, tls: &ClientTls| Connection::open(&peer, tls).err().unwrap();
    let error = refused(peer("no address"), &tls);
    assert!(matches!(&error, ConnectionError::Address { address, .. } if address == "no address"), "{error}");
    let secret = ClientTls {
        key: "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----".to_owned().into(),
        ..tls.clone()
    };
    let without = ClientTls { certificate: "no certificate".to_owned(), ..tls };
    for tls in [&secret, &without] {
        let error = refused(peer("localhost:7051"), tls);
        assert!(matches!(error, ConnectionError::Tls { .. }), "{error}");
        assert!(!format!("{error} {error:?} {tls:?}").contains("c2Vj"), "the key is told to nobody");
    }
}
