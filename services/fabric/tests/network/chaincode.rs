//! A chaincode of the test's own, as a service: `put key value` reads, writes, and makes an event; `get key` reads;
//! `refuse` refuses.

use std::collections::HashMap;
use std::pin::Pin;

use futures::{Stream, StreamExt};
use prost::Message;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::chaincode_server::{Chaincode, ChaincodeServer as Service};
use semblance_fabric::proto::protos::{
    ChaincodeEvent, ChaincodeId, ChaincodeInput, ChaincodeMessage, GetState, PutState, Response as Returned,
};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::deployed::ChaincodeServer;

pub(crate) async fn serve(server: ChaincodeServer) {
    let listener = TcpListener::bind(&server.address).await.unwrap();
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(&server.certificate, &server.key))
        .client_ca_root(Certificate::from_pem(&server.client_root));
    let service = Service::new(Small { package_id: server.package_id });
    let router = Server::builder().tls_config(tls).unwrap().add_service(service);
    tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
}

struct Small {
    package_id: String,
}

/// What a transaction waits for.
enum Step {
    /// The key's value, to return it.
    Get,
    /// The key's value, before it is overwritten.
    Before(String, Vec<u8>),
    /// The write.
    Written(Vec<u8>),
}

type Steps = HashMap<(String, String), Step>;

#[tonic::async_trait]
impl Chaincode for Small {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<ChaincodeMessage, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let name = ChaincodeId { name: self.package_id.clone(), ..ChaincodeId::default() };
        let register = message(Type::Register, name.encode_to_vec(), &ChaincodeMessage::default());
        let answers = request.into_inner().scan(Steps::new(), |steps, asked| {
            let answer = asked.map(|asked| answer(steps, &asked)).transpose();
            futures::future::ready(Some(answer))
        });
        let answers = futures::stream::iter([Ok(register)]).chain(answers.filter_map(futures::future::ready));
        Ok(Response::new(Box::pin(answers)))
    }
}

fn answer(steps: &mut Steps, asked: &ChaincodeMessage) -> Option<ChaincodeMessage> {
    let id = (asked.channel_id.clone(), asked.txid.clone());
    let (step, message) = match Type::try_from(asked.r#type).unwrap() {
        Type::Transaction => begin(asked),
        Type::Response => match steps.remove(&id).unwrap() {
            Step::Get => (None, completed(200, "", &asked.payload, None, asked)),
            Step::Before(key, value) => {
                let put = PutState { key, value: value.clone(), ..PutState::default() };
                (Some(Step::Written(value)), message(Type::PutState, put.encode_to_vec(), asked))
            }
            Step::Written(value) => (None, completed(200, "", &value, Some(&value), asked)),
        },
        Type::Keepalive => (None, asked.clone()),
        _ => return None,
    };
    if let Some(step) = step {
        steps.insert(id, step);
    }
    Some(message)
}

fn begin(asked: &ChaincodeMessage) -> (Option<Step>, ChaincodeMessage) {
    let arguments = ChaincodeInput::decode(asked.payload.as_slice()).unwrap().args;
    let arguments: Vec<String> = arguments.into_iter().map(|argument| String::from_utf8(argument).unwrap()).collect();
    let get = |key: &str| {
        let get = GetState { key: key.to_owned(), ..GetState::default() };
        message(Type::GetState, get.encode_to_vec(), asked)
    };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["get", key] => (Some(Step::Get), get(key)),
        ["put", key, value] => (Some(Step::Before((*key).to_owned(), value.as_bytes().to_vec())), get(key)),
        _ => (None, completed(409, "slot-used: the slot, 7, is used", &[], None, asked)),
    }
}

fn message(kind: Type, payload: Vec<u8>, of: &ChaincodeMessage) -> ChaincodeMessage {
    let (txid, channel_id) = (of.txid.clone(), of.channel_id.clone());
    ChaincodeMessage { r#type: kind.into(), payload, txid, channel_id, ..ChaincodeMessage::default() }
}

fn completed(
    status: i32,
    text: &str,
    payload: &[u8],
    event: Option<&Vec<u8>>,
    of: &ChaincodeMessage,
) -> ChaincodeMessage {
    let returned = Returned { status, message: text.to_owned(), payload: payload.to_vec() };
    let chaincode_event = event.map(|payload| ChaincodeEvent {
        event_name: "written".to_owned(),
        payload: payload.clone(),
        tx_id: of.txid.clone(),
        ..ChaincodeEvent::default()
    });
    ChaincodeMessage { chaincode_event, ..message(Type::Completed, returned.encode_to_vec(), of) }
}
