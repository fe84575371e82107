//! The contract as a chaincode of Hyperledger Fabric, run as a service: a peer dials, we answer.
//!
//! A [`Server`] speaks the chaincode protocol (`chaincode_shim.proto` of fabric-protos) with its own organisation's
//! peer. Each transaction runs the same contract library as the embedded ledger, on a thread of its own, against the
//! state that the peer serves.
//!
//! What it must never know: other organisations' peers, orderers, any key that signs. It logs no argument and no value.

mod caller;
pub mod health;
mod metrics;
mod peer;
mod run;
mod server;
pub mod settings;
mod stream;
mod stub;
pub mod system;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transaction;
mod under_way;
mod writes;

pub use metrics::Metrics;
pub use server::{Contracts, OneContract, Running, Server, ServerError, ServerTls};
