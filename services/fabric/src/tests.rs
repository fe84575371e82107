//! The client against a peer in this process, over mutual TLS, with everything that can go wrong.

mod blocks;
mod broken;
mod configuration;
mod connections;
mod decoders;
mod events;
mod following;
mod offline;
mod refusals;
mod submission;
mod vectors;

use std::sync::Arc;
use std::time::Duration;

use crate::testing::{Invocation, Outcome, TestChaincode, TestOrganisation, TestPeer};
use crate::{CallError, ChaincodeRefusal, Deadlines, Gateway, Network, PeerDetail, Proposal, SubmitError, Transaction};

const CHANNEL: &str = "channel";
const CHAINCODE: &str = "chaincode";
/// How long one thing may take in a test before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A peer, its organisation, and a client of it.
struct World {
    organisation: TestOrganisation,
    peer: TestPeer,
    gateway: Gateway,
}

impl World {
    fn start() -> Self {
        let organisation = TestOrganisation::new("north");
        let peer = TestPeer::start(&organisation, CHANNEL, chaincode());
        let gateway = peer.gateway(&organisation.identity("client"));
        Self { organisation, peer, gateway }
    }

    fn network(&self) -> Network {
        self.gateway.network(CHANNEL)
    }

    fn call(&self, function: &str, arguments: &[&str]) -> Proposal {
        self.with(Deadlines::default(), function, arguments)
    }

    fn with(&self, deadlines: Deadlines, function: &str, arguments: &[&str]) -> Proposal {
        let contract = self.gateway.with_deadlines(deadlines).network(CHANNEL).contract(CHAINCODE);
        let arguments = arguments.iter().map(|argument| argument.as_bytes().to_vec());
        contract.proposal(function).arguments(arguments).build().unwrap()
    }

    /// An endorsed call, signed.
    async fn endorsed(&self) -> Transaction {
        let mut transaction = self.call("put", &["key", "value"]).endorse().await.unwrap();
        transaction.sign().unwrap();
        transaction
    }

    /// Waits until everything that was to go wrong has begun to.
    async fn all_faults_taken(&self) {
        let taken = async {
            while self.peer.faults() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, taken).await.expect("nothing went wrong");
    }

    /// Adds blocks, each with one event of this payload.
    async fn put(&self, payloads: &[&str]) -> Vec<crate::Submitted> {
        let mut submitted = Vec::new();
        for payload in payloads {
            submitted.push(self.call("put", &["key", payload]).submit().await.unwrap());
        }
        submitted
    }
}

/// `put key value` writes, returns the value and makes an event of it; `secret` returns its private input; anything else
/// is refused.
fn chaincode() -> TestChaincode {
    Arc::new(|invocation: &Invocation| {
        let arguments: Vec<&str> =
            invocation.arguments.iter().map(|argument| std::str::from_utf8(argument).unwrap()).collect();
        match arguments.as_slice() {
            ["put", key, value, ..] => {
                let bytes = value.as_bytes().to_vec();
                let writes = [((*key).to_owned(), bytes.clone())].into();
                Ok(Outcome { response: bytes.clone(), event: Some(("written".to_owned(), bytes)), writes })
            }
            ["secret"] => Ok(Outcome { response: invocation.transient["secret"].clone(), ..Outcome::default() }),
            _ => {
                Err(ChaincodeRefusal { status: 404, message: "unknown-function: there is put, and secret".to_owned() })
            }
        }
    })
}

/// What a peer or an orderer said.
fn said(address: &str, msp_id: &str, message: &str) -> PeerDetail {
    PeerDetail { address: address.to_owned(), msp_id: msp_id.to_owned(), message: message.to_owned() }
}

/// The stage at which a submission failed.
fn call_error(error: SubmitError) -> CallError {
    match error {
        SubmitError::Call(error) => error,
        SubmitError::Commit(error) => panic!("{error}"),
    }
}
