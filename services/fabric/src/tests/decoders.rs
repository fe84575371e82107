//! Properties of everything that reads bytes of others: it never panics, and what it takes is what was written.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::block::{Block, Certificate, data_hash, header_bytes};
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
    for transaction in &block.transactions {
        let _ = transaction.verify_creator();
        if let Ok(action) = transaction.action() {
            action.endorsements.iter().for_each(|endorsement| drop(endorsement.verify()));
        }
    }
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
