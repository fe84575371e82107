//! `[listen]`: where the node can be reached.

use std::net::SocketAddr;

use serde::Deserialize;

/// Where the node listens for gRPC with mutual TLS.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct ListenSection {
    /// Address and port; port 0 takes a free one, which the ready line tells.
    pub address: SocketAddr,
    /// Where commands on this machine reach the node, when that differs from `address`.
    pub admin_address: Option<String>,
}
