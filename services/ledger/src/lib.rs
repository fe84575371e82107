//! Ledgers: the trait every ledger satisfies, the embedded ledger for one machine, and the suite both must pass.
//!
//! What it must never know: terms, matching, people. To add a ledger: implement [`Ledger`] and run [`suite`] on it.

pub mod client;
pub mod embedded;
pub mod fabric;
mod follow;
pub mod identity;
pub mod ledger;
pub mod listen;
pub mod members;
pub mod private_file;
pub mod suite;
pub mod tls;

pub use ledger::{BlockEvents, Call, Committed, EventStream, Ledger, LedgerError, TransactionOutcome, Validation};
