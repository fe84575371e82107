//! Runs one transaction: reads the call, runs the contract on a thread of its own, and makes the reply.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use prost::Message;
use semblance_contract::error::wire::{BROKEN, Refusal};
use semblance_contract::{Contract, ContractError};
use semblance_core::id::OrganisationId;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::{ChaincodeEvent, ChaincodeMessage, Response};

use crate::metrics::Outcome;
use crate::peer::Peer;
use crate::stub::PeerStub;
use crate::transaction::Call;

/// The status of a response that agrees.
const OK: i32 = 200;
/// What is to be sent back, and what it is to the metrics.
pub(crate) struct Reply {
    pub(crate) message: ChaincodeMessage,
    pub(crate) outcome: Outcome,
}

impl Reply {
    fn completed(
        txid: &str,
        channel: &str,
        response: &Response,
        event: Option<ChaincodeEvent>,
        outcome: Outcome,
    ) -> Self {
        let message = ChaincodeMessage {
            r#type: Type::Completed.into(),
            payload: response.encode_to_vec(),
            txid: txid.to_owned(),
            channel_id: channel.to_owned(),
            chaincode_event: event,
            ..ChaincodeMessage::default()
        };
        Self { message, outcome }
    }

    /// A refusal: its stable word comes first, because the client sees nothing but the text.
    pub(crate) fn refused(message: &ChaincodeMessage, refusal: &Refusal) -> Self {
        let status = refusal.status();
        let outcome = if status == BROKEN { Outcome::Broken } else { Outcome::Refused };
        let response = Response { status, message: refusal.to_string(), payload: Vec::new() };
        Self::completed(&message.txid, &message.channel_id, &response, None, outcome)
    }

    /// The contract did not come to an end.
    pub(crate) fn panicked(message: &ChaincodeMessage) -> Self {
        let text = "contract-failed: the contract failed on this peer; its log says where";
        let message = ChaincodeMessage {
            r#type: Type::Error.into(),
            payload: text.as_bytes().to_vec(),
            txid: message.txid.clone(),
            channel_id: message.channel_id.clone(),
            ..ChaincodeMessage::default()
        };
        Self { message, outcome: Outcome::Panicked }
    }
}

/// Runs the contract. Blocks until it is done.
pub(crate) fn run(
    message: &ChaincodeMessage,
    call: &Call,
    contract: &Arc<dyn Contract>,
    endorser: &OrganisationId,
    peer: Peer,
) -> Reply {
    // The contract has no state of its own that a panic could leave half-changed.
    let ran = catch_unwind(AssertUnwindSafe(|| execute(call, contract.as_ref(), endorser, peer)));
    match ran {
        Ok(Ok((payload, event))) => {
            let event = event.map(|(event_name, payload)| ChaincodeEvent {
                chaincode_id: call.chaincode.clone(),
                tx_id: message.txid.clone(),
                event_name,
                payload,
            });
            let response = Response { status: OK, message: String::new(), payload };
            Reply::completed(&message.txid, &message.channel_id, &response, event, Outcome::Succeeded)
        }
        Ok(Err(refusal)) => Reply::refused(message, &refusal),
        Err(_) => {
            tracing::error!(function = call.function, "the contract panicked");
            Reply::panicked(message)
        }
    }
}

type Done = (Vec<u8>, Option<(String, Vec<u8>)>);

fn execute(call: &Call, contract: &dyn Contract, endorser: &OrganisationId, peer: Peer) -> Result<Done, Refusal> {
    let mut stub = PeerStub::new(call, endorser, peer);
    let payload = contract.invoke(&mut stub, &call.function, &call.arguments)?;
    let event = stub.finish().map_err(ContractError::from)?;
    Ok((payload, event))
}
