//! The server as a peer sees it: a peer in this process dials, serves state and counts messages.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use semblance_chaincode::{OneContract, Running, Server};
use semblance_contract::stub::Stub;
use semblance_contract::{Code, Contract, ContractError};
use semblance_core::id::OrganisationId;
use semblance_core::time::{ManualClock, Timestamp};
use semblance_fabric::proto::common::{ChannelHeader, Header, SignatureHeader};
use semblance_fabric::proto::msp::SerializedIdentity;
use semblance_fabric::proto::protos::chaincode_client::ChaincodeClient;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::{
    ChaincodeAdditionalParams, ChaincodeHeaderExtension, ChaincodeId, ChaincodeInput, ChaincodeMessage,
    ChaincodeProposalPayload, GetState, Proposal, PutState, Response, SignedProposal, WriteBatchState,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Copies a key, refuses, or panics.
struct Small;

impl Contract for Small {
    fn invoke(&self, stub: &mut dyn Stub, function: &str, _: &[Vec<u8>]) -> Result<Vec<u8>, ContractError> {
        match function {
            "copy" => {
                let value = stub.get("from")?.unwrap_or_default();
                stub.put("to", value.clone())?;
                stub.set_event("copied", value.clone())?;
                Ok(value)
            }
            "refuse" => {
                stub.put("to", b"never".to_vec())?;
                Err(ContractError::new(Code::SlotUsed, "after writing"))
            }
            _ => panic!("as a broken contract would"),
        }
    }
}

struct Peer {
    outgoing: mpsc::Sender<ChaincodeMessage>,
    incoming: Streaming<ChaincodeMessage>,
    creator: Vec<u8>,
    state: HashMap<String, Vec<u8>>,
    kinds: Vec<Type>,
}

async fn server() -> Running {
    let clock = Arc::new(ManualClock::at(NOW));
    let endorser = OrganisationId::new("hospital-1").unwrap();
    let server = Server::new("package:1", endorser, Arc::new(OneContract(Arc::new(Small))), clock, None);
    server.with_patience(Duration::from_millis(500)).start("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

impl Peer {
    async fn dial(server: &Running, offers: ChaincodeAdditionalParams) -> Self {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
        let mut client = ChaincodeClient::new(channel.connect().await.unwrap());
        let (outgoing, messages) = mpsc::channel(256);
        let mut incoming = client.connect(ReceiverStream::new(messages)).await.unwrap().into_inner();
        let register = incoming.message().await.unwrap().unwrap();
        assert_eq!(register.r#type(), Type::Register);
        assert_eq!(ChaincodeId::decode(register.payload.as_slice()).unwrap().name, "package:1");
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "client");
        let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        let creator = SerializedIdentity { mspid: "hospital-1".into(), id_bytes: pem.into_bytes() }.encode_to_vec();
        let peer = Self { outgoing, incoming, creator, state: HashMap::new(), kinds: Vec::new() };
        peer.send(Type::Registered, Vec::new(), "").await;
        peer.send(Type::Ready, offers.encode_to_vec(), "").await;
        peer
    }

    async fn send(&self, kind: Type, payload: Vec<u8>, txid: &str) {
        let (txid, channel_id) = (txid.to_owned(), "channel".to_owned());
        let message = ChaincodeMessage { r#type: kind.into(), payload, txid, channel_id, ..Default::default() };
        self.outgoing.send(message).await.unwrap();
    }

    async fn begin(&self, function: &str, txid: &str) {
        let chaincode_id = Some(ChaincodeId { name: "small".into(), ..ChaincodeId::default() });
        let seconds = i64::try_from(NOW.millis() / 1000).unwrap();
        let channel_header = ChannelHeader {
            channel_id: "channel".into(),
            tx_id: txid.to_owned(),
            timestamp: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            extension: ChaincodeHeaderExtension { chaincode_id }.encode_to_vec(),
            ..ChannelHeader::default()
        };
        let signature_header = SignatureHeader { creator: self.creator.clone(), nonce: vec![1; 24] };
        let (channel_header, signature_header) = (channel_header.encode_to_vec(), signature_header.encode_to_vec());
        let header = Header { channel_header, signature_header }.encode_to_vec();
        let payload = ChaincodeProposalPayload::default().encode_to_vec();
        let proposal_bytes = Proposal { header, payload, extension: Vec::new() }.encode_to_vec();
        let args = vec![function.as_bytes().to_vec()];
        let message = ChaincodeMessage {
            r#type: Type::Transaction.into(),
            payload: ChaincodeInput { args, ..ChaincodeInput::default() }.encode_to_vec(),
            txid: txid.to_owned(),
            channel_id: "channel".into(),
            proposal: Some(SignedProposal { proposal_bytes, signature: Vec::new() }),
            ..ChaincodeMessage::default()
        };
        self.outgoing.send(message).await.unwrap();
    }

    /// Serves what is asked until a transaction ends.
    async fn until_done(&mut self) -> ChaincodeMessage {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.incoming.message()).await;
            let message = next.unwrap().unwrap().unwrap();
            let kind = message.r#type();
            self.kinds.push(kind);
            let answer = match kind {
                Type::Completed | Type::Error => return message,
                Type::GetState => {
                    let key = GetState::decode(message.payload.as_slice()).unwrap().key;
                    self.state.get(&key).cloned().unwrap_or_default()
                }
                Type::PutState => {
                    let put = PutState::decode(message.payload.as_slice()).unwrap();
                    self.state.insert(put.key, put.value);
                    Vec::new()
                }
                Type::WriteBatchState => {
                    for record in WriteBatchState::decode(message.payload.as_slice()).unwrap().rec {
                        self.state.insert(record.key, record.value);
                    }
                    Vec::new()
                }
                other => panic!("unexpected {other:?}"),
            };
            self.send(Type::Response, answer, &message.txid).await;
        }
    }
}

fn offers(batches: bool) -> ChaincodeAdditionalParams {
    ChaincodeAdditionalParams { use_write_batch: batches, max_size_write_batch: 10, ..Default::default() }
}

fn id(number: u8) -> String {
    hex::encode([number; 32])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_reads_writes_and_tells_whatever_the_peer_offers() {
    let server = server().await;
    for batches in [true, false] {
        let mut peer = Peer::dial(&server, offers(batches)).await;
        peer.state.insert("from".into(), b"value".to_vec());
        peer.begin("copy", &id(1)).await;
        let done = peer.until_done().await;
        assert_eq!(done.r#type(), Type::Completed);
        let response = Response::decode(done.payload.as_slice()).unwrap();
        assert_eq!((response.status, response.payload.as_slice()), (200, b"value".as_slice()));
        assert_eq!(done.chaincode_event.unwrap().event_name, "copied");
        assert_eq!(peer.state["to"], b"value");
        let write = if batches { Type::WriteBatchState } else { Type::PutState };
        assert_eq!(peer.kinds, [Type::GetState, write, Type::Completed]);
    }
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_writes_nothing_and_names_its_code() {
    let server = server().await;
    let mut peer = Peer::dial(&server, offers(true)).await;
    peer.begin("refuse", &id(1)).await;
    let response = Response::decode(peer.until_done().await.payload.as_slice()).unwrap();
    assert_eq!((response.status, response.message.as_str()), (409, "slot-used: after writing"));
    assert_eq!(peer.kinds, [Type::Completed], "no write was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_a_silent_peer_and_garbage_harm_one_transaction_alone() {
    let server = server().await;
    let mut peer = Peer::dial(&server, offers(true)).await;
    peer.begin("break_down", &id(1)).await;
    assert_eq!(peer.until_done().await.r#type(), Type::Error);
    // A read that the peer does not answer.
    peer.begin("copy", &id(2)).await;
    let asked = peer.incoming.message().await.unwrap().unwrap();
    assert_eq!(asked.r#type(), Type::GetState);
    let response = Response::decode(peer.until_done().await.payload.as_slice()).unwrap();
    assert!(response.message.starts_with("ledger-state: "), "{}", response.message);
    // Bytes that are no input, and an answer that nobody waits for.
    peer.send(Type::Response, b"late".to_vec(), &id(9)).await;
    peer.send(Type::Transaction, b"\xff\xff".to_vec(), &id(3)).await;
    let response = Response::decode(peer.until_done().await.payload.as_slice()).unwrap();
    assert!(response.message.starts_with("invalid-proposal: "), "{}", response.message);
    peer.state.insert("from".into(), b"still here".to_vec());
    peer.begin("copy", &id(4)).await;
    assert_eq!(peer.until_done().await.r#type(), Type::Completed);
    assert_eq!(peer.state["to"], b"still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_transactions_run_side_by_side_and_a_stop_finishes_them() {
    let server = server().await;
    let mut peer = Peer::dial(&server, offers(true)).await;
    peer.state.insert("from".into(), b"value".to_vec());
    for number in 0..200 {
        peer.begin("copy", &id(number)).await;
    }
    for _ in 0..200 {
        assert_eq!(peer.until_done().await.r#type(), Type::Completed);
    }
    let metrics = server.metrics();
    assert!(metrics.ready() && metrics.arrived() == 200);
    assert!(metrics.text().unwrap().contains("semblance_chaincode_transactions_total"));
    // One that waits for the peer while the server is told to stop.
    peer.begin("copy", &id(201)).await;
    let asked = peer.incoming.message().await.unwrap().unwrap();
    let stopping = tokio::spawn(server.stop());
    peer.send(Type::Response, b"value".to_vec(), &asked.txid).await;
    assert_eq!(peer.until_done().await.r#type(), Type::Completed);
    drop(peer);
    assert!(stopping.await.unwrap());
}
