//! `[ledger]`: held here, reached at another node, or several hospitals' own chain.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which ledger it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerKind {
    /// This node holds the embedded ledger and serves it to the others.
    Embedded,
    /// The node of another organisation holds it.
    Remote,
    /// A channel of Hyperledger Fabric, by way of this organisation's own peers.
    Fabric,
}

/// The ledger and where it is.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct LedgerSection {
    /// Which it is.
    pub kind: LedgerKind,
    /// The organisation whose node holds it.
    pub organisation: Option<String>,
    /// That node's address, `https://host:port`.
    pub address: Option<String>,
    /// The description of the Fabric network, or its folder.
    pub network: Option<PathBuf>,
}

impl LedgerSection {
    /// Whether this node holds the ledger.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.kind == LedgerKind::Embedded
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match (self.kind, &self.organisation, &self.address, &self.network) {
            (LedgerKind::Embedded, None, None, None) | (LedgerKind::Fabric, None, None, Some(_)) => Ok(()),
            (LedgerKind::Remote, Some(_), Some(address), None) => check_address(address),
            (LedgerKind::Embedded, ..) => Err("`kind = \"embedded\"` goes without further keys".to_owned()),
            (LedgerKind::Remote, ..) => {
                Err("`kind = \"remote\"` goes with `organisation` and `address`, and nothing else".to_owned())
            }
            (LedgerKind::Fabric, _, _, None) => {
                Err("`kind = \"fabric\"` needs `network`, the description of the Fabric network".to_owned())
            }
            (LedgerKind::Fabric, ..) => Err("`kind = \"fabric\"` goes with `network` alone".to_owned()),
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
