//! `[roles]`: what the node does.

use serde::Deserialize;

/// What the node does, beside a ledger it may hold (`ledger.kind`).
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct RolesSection {
    /// It holds a hospital's own cases and asks for others.
    #[serde(default)]
    pub hospital: bool,
    /// It holds all hospitals' fingerprints and answers searches.
    #[serde(default)]
    pub matcher: bool,
}
