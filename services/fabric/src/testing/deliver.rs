//! The blocks of a test's peer.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status, Streaming};

use super::organisation::signed;
use super::{Fault, State};
use crate::proto::common::{Block, ChannelHeader, Envelope, Payload, SignatureHeader, Status as Said};
use crate::proto::orderer::seek_position::Type as Position;
use crate::proto::orderer::{SeekInfo, SeekPosition, SeekSpecified};
use crate::proto::protos::deliver_response::Type;
use crate::proto::protos::deliver_server::Deliver;
use crate::proto::protos::{BlockAndPrivateData, DeliverResponse};

pub(super) struct Service(pub(super) Arc<State>);

type Answers = Pin<Box<dyn Stream<Item = Result<DeliverResponse, Status>> + Send>>;

/// Lets a stream break or end early, if a fault says so.
pub(super) fn faulty<T: Send + 'static>(
    state: &State,
    answers: Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>,
) -> Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>> {
    let ends = |fault: &Fault| match fault {
        Fault::Break(count) => Some((*count, true)),
        Fault::HangUp(count) => Some((*count, false)),
        _ => None,
    };
    match state.fault(ends) {
        Some((count, broken)) => {
            let end = broken.then(|| Err(Status::unavailable("the stream was terminated")));
            Box::pin(answers.take(count).chain(futures::stream::iter(end)))
        }
        None => answers,
    }
}

fn specified(position: Option<SeekPosition>) -> Option<u64> {
    match position?.r#type? {
        Position::Specified(SeekSpecified { number }) => Some(number),
        _ => None,
    }
}

impl Service {
    /// Reads the question: from which block to which; or what is wrong with it.
    fn asked(&self, envelope: &Envelope, certificate: Option<[u8; 32]>) -> Result<(u64, u64), Said> {
        let payload = Payload::decode(envelope.payload.as_slice()).map_err(|_| Said::BadRequest)?;
        let header = payload.header.ok_or(Said::BadRequest)?;
        let channel = ChannelHeader::decode(header.channel_header.as_slice()).map_err(|_| Said::BadRequest)?;
        let creator = SignatureHeader::decode(header.signature_header.as_slice()).map_err(|_| Said::BadRequest)?;
        // Under mutual TLS a question is bound to the connection it comes on.
        if certificate.is_none_or(|certificate| channel.tls_cert_hash != certificate) {
            return Err(Said::BadRequest);
        }
        if channel.channel_id != self.0.channel {
            return Err(Said::NotFound);
        }
        if !signed(&creator.creator, &envelope.payload, &envelope.signature) {
            return Err(Said::Forbidden);
        }
        let seek = SeekInfo::decode(payload.data.as_slice()).map_err(|_| Said::BadRequest)?;
        specified(seek.start).zip(specified(seek.stop)).ok_or(Said::BadRequest)
    }

    async fn answer(
        &self,
        request: Request<Streaming<Envelope>>,
        wrap: fn(Block) -> Type,
    ) -> Result<Response<Answers>, Status> {
        let shown = request.peer_certs().and_then(|certificates| certificates.first().cloned());
        let shown = shown.map(|certificate| Sha256::digest(&certificate).into());
        let envelope = request.into_inner().message().await?.unwrap_or_default();
        let status = |status: Said| Ok(DeliverResponse { r#type: Some(Type::Status(status.into())) });
        let (from, to) = match self.asked(&envelope, shown) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Response::new(Box::pin(futures::stream::iter([status(refusal)])))),
        };
        let left_out = self.0.fault(|fault| if let Fault::LeaveOut(number) = fault { Some(*number) } else { None });
        let repeated = self.0.fault(|fault| if let Fault::Repeat(number) = fault { Some(*number) } else { None });
        let state = self.0.clone();
        let numbers = (from..=to).flat_map(move |number| {
            let times = if Some(number) == left_out { 0 } else { 1 + usize::from(Some(number) == repeated) };
            std::iter::repeat_n(number, times)
        });
        let blocks = futures::stream::iter(numbers).then(move |number| {
            let state = state.clone();
            async move { Ok(DeliverResponse { r#type: Some(wrap(state.chain.block(number).await)) }) }
        });
        let answers: Answers = Box::pin(blocks.chain(futures::stream::iter([status(Said::Success)])));
        Ok(Response::new(faulty(&self.0, answers)))
    }
}

#[tonic::async_trait]
impl Deliver for Service {
    type DeliverStream = Answers;
    type DeliverFilteredStream = Answers;
    type DeliverWithPrivateDataStream = Answers;

    async fn deliver(&self, request: Request<Streaming<Envelope>>) -> Result<Response<Answers>, Status> {
        self.answer(request, Type::Block).await
    }

    async fn deliver_filtered(&self, _: Request<Streaming<Envelope>>) -> Result<Response<Answers>, Status> {
        Err(Status::unimplemented("nobody asks for filtered blocks here"))
    }

    async fn deliver_with_private_data(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Answers>, Status> {
        let wrap = |block| {
            let block = BlockAndPrivateData { block: Some(block), ..BlockAndPrivateData::default() };
            Type::BlockAndPrivateData(block)
        };
        self.answer(request, wrap).await
    }
}
