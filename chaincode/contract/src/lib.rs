//! The smart contract of Semblance: synchronous, deterministic, the same library inside the chaincode server for
//! Hyperledger Fabric and inside the embedded ledger.
//!
//! What it must never know: which ledger runs it, a clock, a random source, a plaintext term.
//!
//! To add a transaction: its argument in [`wire`], its keys in [`key`], its file in `tx`, a line in `dispatch.rs`.

mod access;
mod call;
mod check;
mod dispatch;
pub mod error;
pub mod event;
pub mod key;
mod query;
pub mod state;
pub mod stub;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod tx;
pub mod wire;

pub use access::Access;
pub use dispatch::{FUNCTIONS, SemblanceContract};
pub use error::{Code, ContractError};

use stub::Stub;

/// The contract's release. Peers of one channel run the same one: others may come to other results.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a ledger runs. Every peer that endorses a transaction runs it on its own copy of the state and must come to
/// the same writes and the same response.
pub trait Contract: Send + Sync {
    /// Runs one function. Writes made before an error are to be dropped by the ledger.
    ///
    /// # Errors
    /// The contract refuses; nothing of the transaction takes effect.
    fn invoke(&self, stub: &mut dyn Stub, function: &str, arguments: &[Vec<u8>]) -> Result<Vec<u8>, ContractError>;
}
