//! Channels between hospitals' nodes over gRPC with mutual TLS.

mod client;
mod server;

pub use client::{Connections, RelayClient};
pub use server::RelayService;
