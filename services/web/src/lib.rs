//! HTTP for the devices of a hospital's people: today the calls of channel clients.
//!
//! axum is used in this crate and for health and metrics alone. What it must never know: openmls, tantivy, what stands on
//! a ledger; of the ledger's crate it takes the handshakes that all of a node's listeners share. Neither URL nor log
//! holds a symptom, a name or a token. To bound something else that a client could take too much of: `bounds.rs`.

mod bounds;
pub mod channels;
mod connections;
mod listen;
#[cfg(test)]
mod tests;

pub use listen::{ListenError, Tls, serve};
