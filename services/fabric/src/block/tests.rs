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
