//! HTTP for the devices of a hospital's people: today the calls of channel clients.
//!
//! axum is used in this crate and for health and metrics alone. What it must never know: openmls, tantivy, a ledger.
//! Neither URL nor log holds a symptom, a name or a token.

pub mod channels;
mod listen;

pub use listen::{ListenError, Tls, serve};
