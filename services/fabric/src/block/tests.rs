use super::*;
use crate::proto::common::{BlockData, BlockHeader, BlockMetadata};

fn block(number: u64) -> common::Block {
    let payload = Payload { header: Some(common::Header::default()), data: b"data".to_vec() }.encode_to_vec();
    let data = vec![Envelope { payload, signature: b"signature".to_vec() }.encode_to_vec()];
    common::Block {
        header: Some(BlockHeader { number, previous_hash: vec![7; 32], data_hash: data_hash(&data).to_vec() }),
        data: Some(BlockData { data }),
        metadata: Some(BlockMetadata { metadata: vec![Vec::new(), Vec::new(), vec![11]] }),
    }
}

#[test]
fn a_block_is_read_with_its_hash() {
    let read = Block::read(block(300)).unwrap();
    assert_eq!((read.number, read.transactions[0].code), (300, 11));
    // SEQUENCE { INTEGER 300, OCTET STRING (32), OCTET STRING (32) }
    let mut header = vec![0x30, 0x48, 0x02, 0x02, 0x01, 0x2c, 0x04, 0x20];
    header.extend([7; 32]);
    header.extend([0x04, 0x20]);
    header.extend(&block(300).header.unwrap().data_hash);
    assert_eq!(read.hash, <[u8; 32]>::from(Sha256::digest(&header)));
    assert!(read.transactions[0].action().is_err() && read.transactions[0].verify_creator().is_err());
}

#[test]
fn changed_data_and_missing_parts_are_found() {
    let mut changed = block(3);
    changed.data.as_mut().unwrap().data[0].push(0);
    assert_eq!(Block::read(changed), Err(BlockError::DataHash));
    assert_eq!(Block::read(common::Block::default()), Err(BlockError::Missing("header")));
    let without = common::Block { metadata: None, ..block(3) };
    assert_eq!(Block::read(without), Err(BlockError::Missing("metadata")));
}

/// Blocks of real networks, written by peers of Fabric 3.1.5; each hash is what the block after it names.
#[test]
fn blocks_of_real_networks_are_read_as_they_were_written() {
    let raft = include_bytes!("../../tests/vectors/raft-block").as_slice();
    let bft = include_bytes!("../../tests/vectors/bft-block").as_slice();
    let raft = Block::read(common::Block::decode(raft).unwrap()).unwrap();
    assert_eq!(hex::encode(raft.hash), "116cfdbf8c997276d14072e7836906519ae835c6815255eb1ade14999192a526");
    let codes: Vec<_> = raft.transactions.iter().map(|transaction| transaction.code).collect();
    assert_eq!((raft.number, codes), (6, vec![0, 11]), "two writers of one key");
    for transaction in &raft.transactions {
        transaction.verify_creator().unwrap();
        let action = transaction.action().unwrap();
        assert!(action.of_proposal && action.endorsements.len() == 2);
        assert_eq!((action.chaincode.as_str(), action.arguments[0].as_slice()), ("semblance", b"put".as_slice()));
        assert_eq!(action.event.unwrap().name, "written");
        let namespace = action.namespaces.iter().find(|namespace| namespace.name == "semblance").unwrap();
        assert_eq!((namespace.reads[0].0.as_str(), namespace.reads[0].1.map(|version| version.block)), ("a", Some(5)));
        assert_eq!(namespace.writes[0].0, "a");
        action.endorsements.iter().for_each(|endorsement| endorsement.verify().unwrap());
    }
    let signature = &raft.signatures[0];
    let orderer = signature.signer.as_ref().unwrap().certificate().unwrap();
    orderer.verify(&signature.bytes, &signature.signature).unwrap();
    let bft = Block::read(common::Block::decode(bft).unwrap()).unwrap();
    assert_eq!(hex::encode(bft.hash), "6d6d902d3d635eb6af885308a09b85fd6f0f3695ee46674c4ac0f53c2ac8df08");
    let action = bft.transactions[0].action().unwrap();
    assert_eq!((action.chaincode.as_str(), bft.transactions[0].code), ("_lifecycle", 0));
    assert_eq!(bft.signatures.len(), 3, "a quorum of four");
    assert!(bft.signatures.iter().all(|signature| signature.signer.is_err()), "they give their numbers only");
}
