//! The gateway of a test's peer.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use prost::Message;
use tonic::{Code, Request, Response, Status};

use super::events::Events;
use super::organisation::signed;
use super::{Fault, Invocation, Outcome, State};
use crate::block::{Block, proposal_hash};
use crate::error::{DETAIL, PeerDetail};
use crate::proto::common::{ChannelHeader, Envelope, Header, Payload, SignatureHeader};
use crate::proto::gateway::gateway_server::Gateway;
use crate::proto::gateway::{
    ChaincodeEventsRequest, ChaincodeEventsResponse, CommitStatusRequest, CommitStatusResponse, EndorseRequest,
    EndorseResponse, ErrorDetail, EvaluateRequest, EvaluateResponse, SignedChaincodeEventsRequest,
    SignedCommitStatusRequest, SubmitRequest, SubmitResponse,
};
use crate::proto::google;
use crate::proto::kvrwset::{KvWrite, KvrwSet};
use crate::proto::orderer::seek_position::Type as Position;
use crate::proto::protos::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ChaincodeEvent, ChaincodeId,
    ChaincodeInvocationSpec, ChaincodeProposalPayload, Endorsement, Proposal, ProposalResponsePayload,
    Response as ChaincodeResponse, SignedProposal, Transaction, TransactionAction,
};
use crate::proto::rwset::{NsReadWriteSet, TxReadWriteSet};
use crate::{MESSAGE_BYTES_MAX, transaction_id};

pub(super) struct Service(pub(super) Arc<State>);

/// A proposal that was looked at.
struct Asked {
    header: Header,
    channel: ChannelHeader,
    payload: ChaincodeProposalPayload,
    invocation: Invocation,
}

impl Service {
    /// Reads a proposal; its creator must have signed it.
    fn asked(&self, proposal: Option<SignedProposal>) -> Result<Asked, Status> {
        let malformed = |error: prost::DecodeError| Status::invalid_argument(error.to_string());
        let signed_proposal = proposal.ok_or_else(|| Status::invalid_argument("a signed proposal is required"))?;
        let proposal = Proposal::decode(signed_proposal.proposal_bytes.as_slice()).map_err(malformed)?;
        let header = Header::decode(proposal.header.as_slice()).map_err(malformed)?;
        let channel = ChannelHeader::decode(header.channel_header.as_slice()).map_err(malformed)?;
        let creator = SignatureHeader::decode(header.signature_header.as_slice()).map_err(malformed)?;
        if !signed(&creator.creator, &signed_proposal.proposal_bytes, &signed_proposal.signature) {
            return Err(Status::permission_denied("access denied: the signature is not the creator's"));
        }
        if channel.tx_id != transaction_id(&creator.nonce, &creator.creator) || channel.channel_id != self.0.channel {
            return Err(Status::invalid_argument("the transaction id or the channel is wrong"));
        }
        let payload = ChaincodeProposalPayload::decode(proposal.payload.as_slice()).map_err(malformed)?;
        let spec = ChaincodeInvocationSpec::decode(payload.input.as_slice()).map_err(malformed)?;
        let spec = spec.chaincode_spec.unwrap_or_default();
        let invocation = Invocation {
            chaincode: spec.chaincode_id.unwrap_or_default().name,
            arguments: spec.input.unwrap_or_default().args,
            transient: payload.transient_map.clone().into_iter().collect(),
        };
        Ok(Asked { header, channel, payload, invocation })
    }

    /// Runs the chaincode; a refusal is told as Fabric's gateway does.
    fn run(&self, invocation: &Invocation, code: Code, text: &str) -> Result<Outcome, Status> {
        (self.0.chaincode)(invocation).map_err(|refusal| {
            let message = format!("chaincode response {}, {}", refusal.status, refusal.message);
            let (address, msp_id) = ("peer0:7051".to_owned(), self.0.peer.identity().msp_id().to_owned());
            failed(code, text, &[PeerDetail { address, msp_id, message }])
        })
    }

    fn envelope(&self, asked: &Asked, outcome: Outcome) -> Envelope {
        let mut payload = asked.payload.clone();
        if !self.0.has(&Fault::Leak) {
            payload.transient_map.clear();
        }
        let chaincode_proposal_payload = payload.encode_to_vec();
        let Header { channel_header, signature_header } = &asked.header;
        let response = ProposalResponsePayload {
            proposal_hash: proposal_hash(channel_header, signature_header, &chaincode_proposal_payload).to_vec(),
            extension: action(asked, outcome).encode_to_vec(),
        };
        let proposal_response_payload = response.encode_to_vec();
        let endorser = self.0.peer.identity().bytes().to_vec();
        let signature = self.0.peer.sign(&[proposal_response_payload.as_slice(), &endorser].concat());
        let endorsements = vec![Endorsement { endorser, signature }];
        let action = Some(ChaincodeEndorsedAction { proposal_response_payload, endorsements });
        let payload = ChaincodeActionPayload { chaincode_proposal_payload, action }.encode_to_vec();
        let action = TransactionAction { header: signature_header.clone(), payload };
        let data = Transaction { actions: vec![action] }.encode_to_vec();
        let payload = Payload { header: Some(asked.header.clone()), data };
        Envelope { payload: payload.encode_to_vec(), signature: Vec::new() }
    }

    /// Makes another proposal of one, as a lying gateway would.
    fn altered(&self, mut asked: Asked) -> Asked {
        if self.0.has(&Fault::OtherTransaction) {
            asked.channel.tx_id = transaction_id(b"another nonce", b"");
            asked.header.channel_header = asked.channel.encode_to_vec();
        }
        if self.0.has(&Fault::OtherArguments) {
            let mut spec = ChaincodeInvocationSpec::decode(asked.payload.input.as_slice()).unwrap();
            let input = spec.chaincode_spec.as_mut().and_then(|spec| spec.input.as_mut()).unwrap();
            input.args.push(b"another argument".to_vec());
            asked.payload.input = spec.encode_to_vec();
        }
        asked
    }
}

fn action(asked: &Asked, outcome: Outcome) -> ChaincodeAction {
    let name = asked.invocation.chaincode.clone();
    let writes = outcome.writes.into_iter().map(|(key, value)| KvWrite { key, value, is_delete: false });
    let rwset = KvrwSet { writes: writes.collect(), ..KvrwSet::default() }.encode_to_vec();
    let rwset = NsReadWriteSet { namespace: name.clone(), rwset, ..NsReadWriteSet::default() };
    let events = outcome.event.map(|(event_name, payload)| {
        let (chaincode_id, tx_id) = (name.clone(), asked.channel.tx_id.clone());
        ChaincodeEvent { chaincode_id, tx_id, event_name, payload }.encode_to_vec()
    });
    ChaincodeAction {
        results: TxReadWriteSet { ns_rwset: vec![rwset], ..TxReadWriteSet::default() }.encode_to_vec(),
        events: events.unwrap_or_default(),
        response: Some(ChaincodeResponse { status: 200, message: String::new(), payload: outcome.response }),
        chaincode_id: Some(ChaincodeId { name, ..ChaincodeId::default() }),
    }
}

fn failed(code: Code, text: &str, details: &[PeerDetail]) -> Status {
    let details = details.iter().cloned().map(|PeerDetail { address, msp_id, message }| prost_types::Any {
        type_url: format!("type.googleapis.com/{DETAIL}"),
        value: ErrorDetail { address, msp_id, message }.encode_to_vec(),
    });
    let status = google::rpc::Status { code: code.into(), message: text.to_owned(), details: details.collect() };
    Status::with_details(code, text, status.encode_to_vec().into())
}

#[tonic::async_trait]
impl Gateway for Service {
    async fn endorse(&self, request: Request<EndorseRequest>) -> Result<Response<EndorseResponse>, Status> {
        self.0.delay().await;
        let text = "failed to endorse transaction, see attached details for more info";
        let refused = |fault: &Fault| if let Fault::Endorsers(details) = fault { Some(details.clone()) } else { None };
        if let Some(details) = self.0.fault(refused) {
            return Err(failed(Code::Aborted, text, &details));
        }
        let EndorseRequest { proposed_transaction, endorsing_organizations, .. } = request.into_inner();
        *self.0.named.lock().unwrap() = endorsing_organizations;
        let asked = self.asked(proposed_transaction)?;
        let outcome = self.run(&asked.invocation, Code::Aborted, text)?;
        let envelope = self.envelope(&self.altered(asked), outcome);
        Ok(Response::new(EndorseResponse { prepared_transaction: Some(envelope) }))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        self.0.delay().await;
        let envelope = request.into_inner().prepared_transaction.unwrap_or_default();
        let payload = Payload::decode(envelope.payload.as_slice()).unwrap_or_default();
        let header = payload.header.unwrap_or_default();
        let creator = SignatureHeader::decode(header.signature_header.as_slice()).unwrap_or_default();
        if !signed(&creator.creator, &envelope.payload, &envelope.signature) {
            return Err(Status::aborted("received unsuccessful response from orderer: status=FORBIDDEN"));
        }
        if self.0.has(&Fault::Lost) {
            return Ok(Response::new(SubmitResponse {}));
        }
        let code = self.0.fault(|fault| if let Fault::Code(code) = fault { Some(*code) } else { None });
        let together = self.0.has(&Fault::Together);
        self.0.chain.order(&envelope, code.unwrap_or_default(), together);
        if self.0.has(&Fault::Unanswered) {
            std::future::pending::<()>().await;
        }
        let against = |fault: &Fault| match fault {
            Fault::Unconfirmed => Some(Vec::new()),
            Fault::Orderers(details) => Some(details.clone()),
            _ => None,
        };
        match self.0.fault(against) {
            Some(details) => {
                Err(failed(Code::Unavailable, "no orderers could successfully process transaction", &details))
            }
            None => Ok(Response::new(SubmitResponse {})),
        }
    }

    async fn commit_status(
        &self,
        request: Request<SignedCommitStatusRequest>,
    ) -> Result<Response<CommitStatusResponse>, Status> {
        self.0.delay().await;
        let SignedCommitStatusRequest { request, signature } = request.into_inner();
        let asked = CommitStatusRequest::decode(request.as_slice()).unwrap_or_default();
        if !signed(&asked.identity, &request, &signature) {
            return Err(Status::permission_denied("access denied: the signature is not the creator's"));
        }
        let mut number = 0;
        loop {
            let block = Block::read(self.0.chain.block(number).await).unwrap();
            if let Some(found) = block.transactions.iter().find(|transaction| transaction.id == asked.transaction_id) {
                return Ok(Response::new(CommitStatusResponse { result: found.code, block_number: number }));
            }
            number += 1;
        }
    }

    async fn evaluate(&self, request: Request<EvaluateRequest>) -> Result<Response<EvaluateResponse>, Status> {
        self.0.delay().await;
        let EvaluateRequest { proposed_transaction, target_organizations, .. } = request.into_inner();
        *self.0.named.lock().unwrap() = target_organizations;
        let asked = self.asked(proposed_transaction)?;
        let text = "evaluate call to endorser returned error";
        let mut payload = self.run(&asked.invocation, Code::Unknown, text)?.response;
        if self.0.has(&Fault::Oversized) {
            payload.resize(MESSAGE_BYTES_MAX + 1, 0);
        }
        let result = Some(ChaincodeResponse { status: 200, message: String::new(), payload });
        Ok(Response::new(EvaluateResponse { result }))
    }

    type ChaincodeEventsStream = Pin<Box<dyn Stream<Item = Result<ChaincodeEventsResponse, Status>> + Send>>;

    async fn chaincode_events(
        &self,
        request: Request<SignedChaincodeEventsRequest>,
    ) -> Result<Response<Self::ChaincodeEventsStream>, Status> {
        let SignedChaincodeEventsRequest { request, signature } = request.into_inner();
        let asked = ChaincodeEventsRequest::decode(request.as_slice()).unwrap_or_default();
        if !signed(&asked.identity, &request, &signature) {
            return Err(Status::permission_denied("access denied: the signature is not the creator's"));
        }
        let start = match asked.start_position.and_then(|position| position.r#type) {
            Some(Position::Specified(specified)) => specified.number,
            _ => self.0.chain.height(),
        };
        let events = Events::new(&self.0, asked.chaincode_id, start, asked.after_transaction_id);
        let answers = futures::stream::unfold(events, |mut events| async { Some((Ok(events.next().await), events)) });
        Ok(Response::new(super::deliver::faulty(&self.0, Box::pin(answers))))
    }
}
