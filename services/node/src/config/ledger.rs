//! `[ledger]`: held here, or reached elsewhere.

use serde::Deserialize;

/// The ledger: embedded in this node, or that of another organisation's node.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct LedgerSection {
    /// This node holds the embedded ledger and serves it to the others.
    #[serde(default)]
    pub embedded: bool,
    /// The organisation whose node holds the ledger.
    pub organisation: Option<String>,
    /// That node's address, `https://host:port`.
    pub address: Option<String>,
}

impl LedgerSection {
    pub(super) fn check(&self) -> Result<(), String> {
        match (self.embedded, &self.organisation, &self.address) {
            (true, None, None) => Ok(()),
            (false, Some(_), Some(address)) => check_address(address),
            (true, _, _) => Err("set either `embedded = true` or `organisation` and `address`, not both".to_owned()),
            (false, _, _) => Err("set `embedded = true`, or both `organisation` and `address`".to_owned()),
        }
    }
}

/// An address of another node is `https://host:port`: nothing between parties travels without TLS.
pub(crate) fn check_address(address: &str) -> Result<(), String> {
    let rest =
        address.strip_prefix("https://").ok_or_else(|| format!("address `{address}` must start with https://"))?;
    let port = rest.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok()));
    port.flatten()
        .map(|_| ())
        .ok_or_else(|| format!("address `{address}` needs a host and a port, as in https://host:7001"))
}
