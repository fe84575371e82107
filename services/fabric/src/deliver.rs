//! Whole blocks, old ones first, then each new one as it is committed.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use prost::Message;
use prost_types::Timestamp;
use tonic::Streaming;

use crate::connection::MESSAGE_BYTES_MAX;
use crate::error::code;
use crate::gateway::Network;
use crate::identity::{SignError, digest};
use crate::proposal::transaction_id;
use crate::proto::common::{Block, ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader, Status};
use crate::proto::orderer::seek_position::Type as Position;
use crate::proto::orderer::{SeekInfo, SeekPosition, SeekSpecified};
use crate::proto::protos::deliver_client::DeliverClient;
use crate::proto::protos::deliver_response::Type as Response;
use crate::proto::protos::{BlockAndPrivateData, DeliverResponse};

/// Blocks in order; it ends after the last one asked for, or with an error.
pub type BlockStream<T> = Pin<Box<dyn Stream<Item = Result<T, DeliverError>> + Send>>;

/// Why there are no blocks, or no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// The request could not be signed.
    #[error(transparent)]
    Unsigned(#[from] SignError),
    /// The peer cannot be reached, or the connection broke.
    #[error("the stream of blocks broke ({code:?}): {message}")]
    Broken {
        /// What gRPC calls it.
        code: tonic::Code,
        /// What was said.
        message: String,
    },
    /// The peer refused: 403 no reader of the channel, 404 no such channel or block.
    #[error("the peer refuses to deliver blocks: status {status}")]
    Refused {
        /// The status, as HTTP has them.
        status: i32,
    },
    /// The peer sent what was not asked for.
    #[error("the peer sent something else than the next block")]
    Malformed,
}

impl From<tonic::Status> for DeliverError {
    fn from(status: tonic::Status) -> Self {
        Self::Broken { code: code(&status), message: status.message().to_owned() }
    }
}

impl Network {
    /// Follows the channel's blocks from a number on; up to a last one, or without end.
    ///
    /// # Errors
    /// The peer cannot be reached or refuses.
    pub async fn blocks(&self, from: u64, to: Option<u64>) -> Result<BlockStream<Block>, DeliverError> {
        let (payload, _) = self.blocks_request(from, to);
        let signature = self.gateway.sign(&payload)?;
        self.blocks_signed(payload, signature).await
    }

    /// The same with the private data of those collections that the identity may read.
    ///
    /// # Errors
    /// The peer cannot be reached or refuses.
    pub async fn blocks_with_private_data(
        &self,
        from: u64,
        to: Option<u64>,
    ) -> Result<BlockStream<BlockAndPrivateData>, DeliverError> {
        let (payload, _) = self.blocks_request(from, to);
        let signature = self.gateway.sign(&payload)?;
        let opened = self.deliver().deliver_with_private_data(asked(payload, signature)).await?;
        Ok(answers(opened.into_inner(), Expected { next: from, to }, |answer| match answer {
            Response::BlockAndPrivateData(block) => Some((number(block.block.as_ref())?, block)),
            _ => None,
        }))
    }

    /// A request for blocks to sign elsewhere, and what is signed of it. It is bound to the connection's certificate.
    #[must_use]
    pub fn blocks_request(&self, from: u64, to: Option<u64>) -> (Vec<u8>, [u8; 32]) {
        let payload = self.seek(from, to);
        let digest = digest(&payload);
        (payload, digest)
    }

    /// Follows blocks with a request that was signed elsewhere.
    ///
    /// # Errors
    /// The peer cannot be reached or refuses.
    pub async fn blocks_signed(
        &self,
        payload: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<BlockStream<Block>, DeliverError> {
        let expected = expected(&payload).ok_or(DeliverError::Malformed)?;
        let opened = self.deliver().deliver(asked(payload, signature)).await?;
        Ok(answers(opened.into_inner(), expected, |answer| match answer {
            Response::Block(block) => Some((number(Some(&block))?, block)),
            _ => None,
        }))
    }

    fn deliver(&self) -> DeliverClient<tonic::transport::Channel> {
        DeliverClient::new(self.gateway.inner.connection.channel()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn seek(&self, from: u64, to: Option<u64>) -> Vec<u8> {
        let inner = &self.gateway.inner;
        let (nonce, creator) = ((inner.sources.nonce)(), inner.identity.bytes());
        let channel_header = ChannelHeader {
            r#type: HeaderType::DeliverSeekInfo.into(),
            timestamp: Some(Timestamp::from((inner.sources.now)())),
            channel_id: self.channel.to_string(),
            tx_id: transaction_id(&nonce, creator),
            tls_cert_hash: inner.connection.certificate_digest().to_vec(),
            ..ChannelHeader::default()
        };
        let signature_header = SignatureHeader { creator: creator.to_vec(), nonce: nonce.to_vec() };
        let header = Header {
            channel_header: channel_header.encode_to_vec(),
            signature_header: signature_header.encode_to_vec(),
        };
        let position = |number| Some(SeekPosition { r#type: Some(Position::Specified(SeekSpecified { number })) });
        let seek = SeekInfo { start: position(from), stop: position(to.unwrap_or(u64::MAX)), behavior: 0 };
        Payload { header: Some(header), data: seek.encode_to_vec() }.encode_to_vec()
    }
}

/// One question on a stream that stays open: a peer ends its answers with the questions.
fn asked(payload: Vec<u8>, signature: Vec<u8>) -> impl Stream<Item = Envelope> + Send {
    futures::stream::once(futures::future::ready(Envelope { payload, signature })).chain(futures::stream::pending())
}

/// Which blocks are still to come.
#[derive(Clone, Copy)]
struct Expected {
    next: u64,
    to: Option<u64>,
}

/// What a request asks for.
fn expected(payload: &[u8]) -> Option<Expected> {
    let seek = SeekInfo::decode(Payload::decode(payload).ok()?.data.as_slice()).ok()?;
    let specified = |position: Option<SeekPosition>| match position?.r#type? {
        Position::Specified(SeekSpecified { number }) => Some(number),
        _ => None,
    };
    Some(Expected { next: specified(seek.start)?, to: specified(seek.stop).filter(|last| *last != u64::MAX) })
}

fn number(block: Option<&Block>) -> Option<u64> {
    Some(block?.header.as_ref()?.number)
}

/// The answers of the wanted kind, one block after the other. It ends with success after the last one, or with an error:
/// a peer that hangs up early has not told everything.
fn answers<T: Send + 'static>(
    stream: Streaming<DeliverResponse>,
    expected: Expected,
    wanted: fn(Response) -> Option<(u64, T)>,
) -> BlockStream<T> {
    let state = (Some(stream), expected, wanted);
    let answers = futures::stream::unfold(state, |(stream, expected, wanted)| async move {
        let mut stream = stream?;
        match next(&mut stream, expected, wanted).await {
            Ok(Some(block)) => {
                let expected = Expected { next: expected.next.saturating_add(1), ..expected };
                Some((Ok(block), (Some(stream), expected, wanted)))
            }
            Ok(None) => None,
            Err(error) => Some((Err(error), (None, expected, wanted))),
        }
    });
    Box::pin(answers)
}

async fn next<T>(
    stream: &mut Streaming<DeliverResponse>,
    expected: Expected,
    wanted: fn(Response) -> Option<(u64, T)>,
) -> Result<Option<T>, DeliverError> {
    let ended = || DeliverError::Broken { code: tonic::Code::Unavailable, message: "the peer hung up".to_owned() };
    match stream.message().await?.ok_or_else(ended)?.r#type {
        Some(Response::Status(status)) if status == Status::Success as i32 => {
            let complete = expected.to.is_some_and(|last| expected.next > last);
            if complete { Ok(None) } else { Err(ended()) }
        }
        Some(Response::Status(status)) => Err(DeliverError::Refused { status }),
        answer => match answer.and_then(wanted) {
            Some((number, block)) if number == expected.next && expected.to.is_none_or(|last| number <= last) => {
                Ok(Some(block))
            }
            _ => Err(DeliverError::Malformed),
        },
    }
}
