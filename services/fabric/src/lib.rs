//! A client of Hyperledger Fabric 3's gateway, in the shape of the official clients.
//!
//! A [`Gateway`] is one peer and one identity; a [`Network`] is a channel there, a [`Contract`] a chaincode. A call is a
//! [`Proposal`], which peers endorse into a [`Transaction`], which is submitted and becomes a [`Commit`] whose
//! [`Status`] says in which block it stands and whether it took effect. Every one of these is signed over a digest, by a
//! function that may be an HSM's ([`Sign`]), or elsewhere: each gives out its bytes and takes a signature.
//!
//! What it must never know: our domain, or which chaincode it calls. It logs nothing.
//!
//! ```no_run
//! use semblance_fabric::{ClientTls, Connection, Gateway, Identity, PeerEndpoint, Sources, signer_from_pem};
//!
//! # async fn example(root: String, tls: ClientTls, certificate: String, key: String, sources: Sources) -> Result<(), Box<dyn std::error::Error>> {
//! let peer = PeerEndpoint { address: "peer0.example.org:7051".into(), server_name: "peer0.example.org".into(), tls_root: root };
//! let connection = Connection::open(&peer, &tls)?;
//! let identity = Identity::new("hospital-1", &certificate);
//! let gateway = Gateway::new(connection, identity, signer_from_pem(&key)?, sources);
//! let contract = gateway.network("channel").contract("chaincode");
//! let committed = contract.proposal("put").arguments([b"key".to_vec(), b"value".to_vec()]).build()?.submit().await?;
//! println!("block {}", committed.block);
//! # Ok(())
//! # }
//! ```
//!
//! Source: the Fabric Gateway client API (hyperledger/fabric-gateway) and fabric-protos.

pub mod block;
mod checkpoint;
mod commit;
pub mod configuration;
mod connection;
mod deliver;
mod error;
mod events;
mod gateway;
mod identity;
mod offline;
pub mod policy;
mod proposal;
pub mod proto;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod transaction;

pub use checkpoint::{Checkpoint, Checkpointer, FileCheckpointer, MemoryCheckpointer};
pub use commit::{Commit, Status};
pub use connection::{ClientTls, Connection, ConnectionError, MESSAGE_BYTES_MAX, PeerEndpoint};
pub use deliver::{BlockStream, DeliverError};
pub use error::{CallError, ChaincodeRefusal, CommitError, PeerDetail, Stage, SubmitError};
pub use events::{ChaincodeEvent, ChaincodeEvents};
pub use gateway::{Contract, Deadlines, Gateway, Network, Sources};
pub use identity::{Identity, Sign, SignError, signer_from_pem};
pub use offline::OfflineError;
pub use proposal::{Proposal, ProposalBuilder, Submitted, transaction_id};
pub use transaction::Transaction;
