//! The chain of a test's peer: real blocks, each signed by an orderer.

use std::sync::Mutex;

use prost::Message;
use tokio::sync::watch;

use super::TestIdentity;
use crate::block::{data_hash, header_bytes};
use crate::identity::digest;
use crate::proto::common::{
    Block, BlockData, BlockHeader, BlockMetadata, ChannelHeader, Envelope, Header, HeaderType, Metadata,
    MetadataSignature, Payload, SignatureHeader,
};

pub(super) struct Chain {
    blocks: Mutex<Vec<Block>>,
    /// Transactions with their codes, for the next block.
    waiting: Mutex<Vec<(Vec<u8>, u8)>>,
    orderer: TestIdentity,
    height: watch::Sender<u64>,
}

impl Chain {
    /// Begins with a block that configures the channel.
    pub(super) fn new(channel: &str, orderer: TestIdentity) -> Self {
        let channel_header = ChannelHeader {
            r#type: HeaderType::Config.into(),
            channel_id: channel.to_owned(),
            ..ChannelHeader::default()
        };
        let signature_header = SignatureHeader { creator: orderer.identity().bytes().to_vec(), nonce: vec![0; 24] };
        let header = Header {
            channel_header: channel_header.encode_to_vec(),
            signature_header: signature_header.encode_to_vec(),
        };
        let payload = Payload { header: Some(header), data: b"configuration".to_vec() }.encode_to_vec();
        let signature = orderer.sign(&payload);
        let chain =
            Self { blocks: Mutex::default(), waiting: Mutex::default(), orderer, height: watch::Sender::new(0) };
        chain.order(&Envelope { payload, signature }, 0, false);
        chain
    }

    /// Puts a transaction into the next block, and makes the block unless another one is to come into it.
    pub(super) fn order(&self, transaction: &Envelope, code: u8, together: bool) {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.push((transaction.encode_to_vec(), code));
        if !together {
            let (data, codes) = waiting.drain(..).unzip();
            self.append(data, codes);
        }
    }

    fn append(&self, data: Vec<Vec<u8>>, codes: Vec<u8>) {
        let mut blocks = self.blocks.lock().unwrap();
        let previous = blocks.last().and_then(|block| block.header.as_ref());
        let previous_hash = previous.map(|header| digest(&header_bytes(header).unwrap()).to_vec()).unwrap_or_default();
        let number = u64::try_from(blocks.len()).unwrap();
        let header = BlockHeader { number, previous_hash, data_hash: data_hash(&data).to_vec() };
        let metadata = vec![self.signature(&header), Vec::new(), codes, Vec::new(), Vec::new()];
        let (data, metadata) = (Some(BlockData { data }), Some(BlockMetadata { metadata }));
        blocks.push(Block { header: Some(header), data, metadata });
        self.height.send_replace(number + 1);
    }

    fn signature(&self, header: &BlockHeader) -> Vec<u8> {
        let creator = self.orderer.identity().bytes().to_vec();
        let signature_header = SignatureHeader { creator, nonce: vec![1; 24] }.encode_to_vec();
        let signature = self.orderer.sign(&[signature_header.as_slice(), &header_bytes(header).unwrap()].concat());
        let signature = MetadataSignature { signature_header, signature, identifier_header: Vec::new() };
        Metadata { value: Vec::new(), signatures: vec![signature] }.encode_to_vec()
    }

    pub(super) fn height(&self) -> u64 {
        *self.height.borrow()
    }

    /// A block, as soon as there is one of this number.
    pub(super) async fn block(&self, number: u64) -> Block {
        self.height.subscribe().wait_for(|height| *height > number).await.unwrap();
        self.blocks.lock().unwrap().get(usize::try_from(number).unwrap()).unwrap().clone()
    }
}
