//! Decoders of what Fabric's peers send.

use prost::Message;
use semblance_fabric::PeerDetail;
use semblance_fabric::block::{Block, Creator, Transaction};
use semblance_fabric::configuration::Configuration;
use semblance_fabric::proto::common;
use semblance_fabric::proto::google::rpc::Status;
use sha2::{Digest, Sha256};

/// A block. Its hash is made to fit, as a liar would, so that what is behind it is read as well.
pub fn fabric_block(bytes: &[u8]) {
    let Ok(mut block) = common::Block::decode(bytes) else { return };
    if let (Some(header), Some(data)) = (&mut block.header, &block.data) {
        header.data_hash = Sha256::digest(data.data.concat()).to_vec();
    }
    let number = block.header.as_ref().map(|header| header.number);
    let Ok(block) = Block::read(block) else { return };
    assert_eq!(Some(block.number), number);
    block.transactions.iter().for_each(transaction);
    for signature in &block.signatures {
        if let Ok(Ok(certificate)) = signature.signer.as_ref().map(Creator::certificate) {
            let _ = certificate.verify(&signature.bytes, &signature.signature);
        }
    }
}

fn transaction(transaction: &Transaction) {
    let _ = transaction.verify_creator();
    let Ok(action) = transaction.action() else { return };
    for endorsement in &action.endorsements {
        let _ = endorsement.verify();
    }
    if let Ok(certificate) = transaction.creator.certificate() {
        let _ = certificate.issued_by("north", std::slice::from_ref(&certificate));
    }
}

/// What a configuration transaction holds. Whatever it is, a block that nobody signed does not verify.
pub fn fabric_configuration(bytes: &[u8]) {
    let Ok(configuration) = Configuration::read(bytes) else { return };
    assert!(configuration.members().is_sorted());
    let (previous_hash, transactions, signatures) = (Vec::new(), Vec::new(), Vec::new());
    let unsigned = Block { number: 1, previous_hash, hash: [0; 32], transactions, signatures };
    assert!(configuration.verify_block(&unsigned).is_err());
}

/// What comes with a failed call.
pub fn fabric_error(bytes: &[u8]) {
    let details = PeerDetail::read_all(bytes);
    let told = Status::decode(bytes).map_or(0, |status| status.details.len());
    assert!(details.len() <= told.min(256));
}
