//! `[channels]` and `[[hospitals]]`: people's devices, and the other hospitals' nodes.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// Where people's devices reach the node over HTTP.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct ChannelsSection {
    /// Address and port; port 0 takes a free one, which the ready line tells.
    pub address: SocketAddr,
    /// The certificate that browsers believe, PEM; without it only this machine is let in.
    pub certificate_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
}

impl ChannelsSection {
    /// What the file alone can say.
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.certificate_file, &self.key_file) {
            (Some(_), Some(_)) => Ok(()),
            (None, None) if self.address.ip().is_loopback() => Ok(()),
            (None, None) => Err("other machines can reach this address: name certificate_file and key_file, or \
                                 listen at 127.0.0.1 behind a proxy that encrypts"
                .to_owned()),
            _ => Err("certificate_file and key_file go together".to_owned()),
        }
    }
}

/// The node of another hospital.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct HospitalAddress {
    /// Its organisation.
    pub organisation: String,
    /// Where it is: https://host:port.
    pub address: String,
}
