//! Channels between hospitals' nodes over gRPC with mutual TLS.

mod admin;
mod client;
mod server;

pub use admin::ChannelAdminService;
pub use client::{Connections, RelayClient};
pub use server::RelayService;
