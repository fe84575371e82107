//! Judging blocks.

use prost::Message;

use super::following::collect;
use super::{CHAINCODE, CHANNEL, World};
use crate::block::{Block, BlockError, Certificate, SignatureError, Write, data_hash};
use crate::proto::common;
use crate::testing::TestOrganisation;

async fn all(world: &World) -> Vec<common::Block> {
    let stream = world.network().blocks(0, Some(world.peer.height() - 1)).await.unwrap();
    let (blocks, error) = collect(stream).await;
    assert_eq!(error, None);
    blocks
}

#[tokio::test]
async fn every_hash_and_signature_of_a_chain_is_checked() {
    let world = World::start();
    let submitted = world.put(&["one", "two", "three"]).await;
    let roots = [Certificate::from_pem(world.organisation.root().as_bytes()).unwrap()];
    let others = [Certificate::from_pem(TestOrganisation::new("north").root().as_bytes()).unwrap()];
    let mut previous = Vec::new();
    for (number, block) in all(&world).await.into_iter().enumerate() {
        let block = Block::read(block).unwrap();
        assert_eq!((block.number, &block.previous_hash), (number as u64, &previous));
        previous = block.hash.to_vec();
        let orderer = &block.signatures[0];
        orderer.signer.as_ref().unwrap().certificate().unwrap().verify(&orderer.bytes, &orderer.signature).unwrap();
        let transaction = &block.transactions[0];
        if number == 0 {
            assert!(transaction.is_configuration() && transaction.action().is_err());
            continue;
        }
        assert_eq!((&transaction.id, transaction.channel.as_str()), (&submitted[number - 1].transaction_id, CHANNEL));
        assert_eq!((transaction.code, transaction.millis), (0, 1_800_000_000_000));
        transaction.verify_creator().unwrap();
        let certificate = transaction.creator.certificate().unwrap();
        certificate.issued_by("north", &roots).unwrap();
        assert_eq!(certificate.issued_by("north", &others), Err(SignatureError::Issuer("north".into())));
        assert_eq!(certificate.units(), ["client"]);
        let action = transaction.action().unwrap();
        assert!(action.of_proposal && action.chaincode == CHAINCODE && action.status == 200);
        action.endorsements[0].verify().unwrap();
        let value = submitted[number - 1].result.clone();
        assert_eq!(action.arguments, [b"put".to_vec(), b"key".to_vec(), value.clone()]);
        assert_eq!(action.namespaces[0].writes, [("key".to_owned(), Write::Put(value))]);
    }
}

/// A block with one envelope changed, and the header's hash made to fit again, as a liar would.
fn changed(block: &common::Block, change: impl FnOnce(&mut common::Envelope)) -> common::Block {
    let mut block = block.clone();
    let data = block.data.as_mut().unwrap();
    let mut envelope = common::Envelope::decode(data.data[0].as_slice()).unwrap();
    change(&mut envelope);
    data.data[0] = envelope.encode_to_vec();
    block.header.as_mut().unwrap().data_hash = data_hash(&data.data).to_vec();
    block
}

#[tokio::test]
async fn one_flipped_bit_anywhere_in_a_transaction_is_found() {
    let world = World::start();
    world.put(&["one"]).await;
    let block = all(&world).await.remove(1);
    let envelope = common::Envelope::decode(block.data.as_ref().unwrap().data[0].as_slice()).unwrap();
    for place in (0..envelope.payload.len()).step_by(7) {
        let liar = changed(&block, |envelope| envelope.payload[place] ^= 1);
        let found = match Block::read(liar) {
            Err(error) => matches!(error, BlockError::Malformed(_)),
            Ok(read) => read.transactions[0].verify_creator().is_err(),
        };
        assert!(found, "byte {place}");
    }
    for place in 0..envelope.signature.len() {
        let liar = changed(&block, |envelope| envelope.signature[place] ^= 1);
        assert!(Block::read(liar).unwrap().transactions[0].verify_creator().is_err(), "byte {place} of the signature");
    }
}

#[tokio::test]
async fn the_other_signature_of_the_same_key_does_not_count() {
    let world = World::start();
    world.put(&["one"]).await;
    let block = changed(&all(&world).await[1], |envelope| {
        let signature = p256::ecdsa::Signature::from_der(&envelope.signature).unwrap();
        let (r, s) = signature.split_scalars();
        let other = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
        envelope.signature = other.to_der().as_bytes().to_vec();
    });
    let error = Block::read(block).unwrap().transactions[0].verify_creator();
    assert_eq!(error, Err(SignatureError::Signature));
}

#[tokio::test]
async fn a_transaction_cannot_be_hidden_in_front_of_another() {
    let world = World::start();
    world.put(&["one", "two"]).await;
    let blocks = all(&world).await;
    let envelopes: Vec<_> = blocks[1..].iter().map(|block| block.data.as_ref().unwrap().data[0].clone()).collect();
    let mut both = blocks[1].clone();
    let header = both.header.as_mut().unwrap();
    header.data_hash = data_hash(&envelopes).to_vec();
    let hidden = common::Block { data: Some(common::BlockData { data: vec![envelopes.concat()] }), ..both.clone() };
    assert_eq!(Block::read(hidden), Err(BlockError::Joined), "its bytes and their hash are those of both");
    both.data = Some(common::BlockData { data: envelopes });
    assert_eq!(Block::read(both.clone()), Err(BlockError::Malformed("list of validation codes")));
    both.metadata.as_mut().unwrap().metadata[2] = vec![0, 0];
    assert_eq!(Block::read(both).unwrap().transactions.len(), 2);
}

#[tokio::test]
async fn a_malformed_transaction_that_peers_skipped_halts_nobody() {
    let world = World::start();
    world.put(&["one"]).await;
    let mut block = changed(&all(&world).await[1], |envelope| envelope.payload = b"\xff\xff\xff".to_vec());
    assert_eq!(Block::read(block.clone()), Err(BlockError::Malformed("payload")), "if it took effect it is readable");
    block.metadata.as_mut().unwrap().metadata[2] = vec![2];
    let read = Block::read(block).unwrap();
    let transaction = &read.transactions[0];
    assert_eq!((transaction.code, transaction.kind, transaction.id.as_str()), (2, -1, ""));
    assert!(!transaction.is_call() && transaction.action().is_err());
    assert_eq!(transaction.verify_creator(), Err(SignatureError::Id));
}
