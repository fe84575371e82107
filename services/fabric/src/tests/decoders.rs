//! Properties of everything that reads bytes of others: it never panics, and what it takes is what was written.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::vectors::{BFT, RAFT};
use crate::block::{Block, Certificate, data_hash, header_bytes};
use crate::configuration::Configuration;
use crate::error::{DETAIL, PeerDetail};
use crate::policy::Rule;
use crate::proto::common::{self, BlockData, BlockHeader, BlockMetadata, SignaturePolicyEnvelope};
use crate::proto::gateway::ErrorDetail;
use crate::proto::google;
use crate::{Checkpoint, Checkpointer, FileCheckpointer};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

/// Looks at everything that a block offers.
fn judge(block: common::Block) {
    let Ok(block) = Block::read(block) else { return };
    let _ = RAFT.configuration().verify_block(&block);
    for transaction in &block.transactions {
        let _ = transaction.verify_creator();
        let _ = Configuration::read(&transaction.data);
        if let Ok(action) = transaction.action() {
            action.endorsements.iter().for_each(|endorsement| drop(endorsement.verify()));
        }
    }
}

/// Changes some bytes, and perhaps cuts the end off.
fn mutated(bytes: &[u8], changes: &[(prop::sample::Index, u8)], end: Option<prop::sample::Index>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (place, change) in changes {
        let place = place.index(bytes.len());
        bytes[place] ^= change;
    }
    if let Some(end) = end {
        bytes.truncate(end.index(bytes.len()));
    }
    bytes
}

proptest! {
    #[test]
    fn blocks_of_any_bytes_do_not_panic(
        number: u64,
        envelopes in vec(bytes(), 0..4),
        metadata in vec(bytes(), 0..6),
        previous_hash in bytes(),
    ) {
        let header = BlockHeader { number, previous_hash, data_hash: data_hash(&envelopes).to_vec() };
        let (data, metadata) = (BlockData { data: envelopes }, BlockMetadata { metadata });
        judge(common::Block { header: Some(header), data: Some(data), metadata: Some(metadata) });
    }

    #[test]
    fn bytes_that_are_no_block_do_not_panic(bytes in bytes()) {
        if let Ok(block) = common::Block::decode(bytes.as_slice()) {
            judge(block);
        }
        let _ = Certificate::from_pem(&bytes);
        if let Ok(policy) = SignaturePolicyEnvelope::decode(bytes.as_slice()) {
            let _ = Rule::read(&policy);
        }
        let _ = PeerDetail::read_all(&bytes);
    }

    #[test]
    fn real_blocks_that_were_changed_do_not_panic(
        which in 0..6_usize,
        changes in vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        end in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let block = [
            RAFT.configuration,
            RAFT.approval,
            BFT.configuration,
            BFT.approval,
            include_bytes!("../../tests/vectors/raft-block"),
            include_bytes!("../../tests/vectors/bft-block"),
        ][which];
        if let Ok(mut block) = common::Block::decode(mutated(block, &changes, end).as_slice()) {
            judge(block.clone());
            // As a liar would, so that what is behind the hash is read as well.
            if let (Some(header), Some(data)) = (&mut block.header, &block.data) {
                header.data_hash = data_hash(&data.data).to_vec();
            }
            judge(block);
        }
    }

    #[test]
    fn configurations_that_were_changed_do_not_panic(
        raft: bool,
        changes in vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        end in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
        junk in bytes(),
    ) {
        let _ = Configuration::read(&junk);
        let network = if raft { RAFT } else { BFT };
        if let Ok(configuration) = Configuration::read(&mutated(&network.data(), &changes, end)) {
            prop_assert!(configuration.members().is_sorted());
            let unsigned = Block { signatures: Vec::new(), ..Block::read(network.second()).unwrap() };
            prop_assert!(configuration.verify_block(&unsigned).is_err(), "nobody's signature is never enough");
        }
    }

    /// Different headers never have the same bytes: number, and both hashes with their lengths, are in them.
    #[test]
    fn headers_have_bytes_of_their_own(one: (u64, Vec<u8>, Vec<u8>), other: (u64, Vec<u8>, Vec<u8>)) {
        let written = |(number, previous_hash, data_hash): &(u64, Vec<u8>, Vec<u8>)| {
            let (previous_hash, data_hash) = (previous_hash.clone(), data_hash.clone());
            header_bytes(&BlockHeader { number: *number, previous_hash, data_hash }).unwrap()
        };
        prop_assert_eq!(written(&one) == written(&other), one == other);
    }

    #[test]
    fn details_read_back(details in vec((".{0,20}", ".{0,20}", ".{0,50}"), 0..5), noise in vec(bytes(), 0..3)) {
        let typed = details.iter().map(|(address, msp_id, message)| prost_types::Any {
            type_url: format!("type.googleapis.com/{DETAIL}"),
            value: ErrorDetail { address: address.clone(), msp_id: msp_id.clone(), message: message.clone() }.encode_to_vec(),
        });
        let others = noise.into_iter().map(|value| prost_types::Any { type_url: "x/other.Kind".into(), value });
        let status = google::rpc::Status { code: 10, message: "m".into(), details: others.chain(typed).collect() };
        let read = PeerDetail::read_all(&status.encode_to_vec());
        let read: Vec<_> = read.into_iter().map(|detail| (detail.address, detail.msp_id, detail.message)).collect();
        prop_assert_eq!(read, details);
    }

    #[test]
    fn checkpoints_read_back(block: u64, id in proptest::option::of("[0-9a-f]{1,64}"), junk in bytes()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let checkpoint = Checkpoint { block, transaction_id: id };
        FileCheckpointer::open(&path).unwrap().keep(checkpoint.clone()).unwrap();
        let reopened = FileCheckpointer::open(&path).unwrap();
        prop_assert_eq!(reopened.checkpoint(), Some(&checkpoint));
        std::fs::write(&path, &junk).unwrap();
        let _ = FileCheckpointer::open(&path);
    }
}
