//! `[[matchers]]`: whom a hospital asks.

use serde::Deserialize;

/// A matcher and where it is.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct MatcherAddress {
    /// Its organisation.
    pub organisation: String,
    /// Its address, `https://host:port`.
    pub address: String,
}
