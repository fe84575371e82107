//! `[channels]` and `[[hospitals]]`: people's devices, and the other hospitals' nodes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::secret::Secret;

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

/// A certificate that browsers believe and its key, both PEM.
pub struct WebFiles {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: Zeroizing<String>,
}

impl ChannelsSection {
    /// Reads certificate and key, where they are named; paths are taken from `folder`.
    ///
    /// # Errors
    /// A file cannot be read, or the key can be read by others.
    pub fn read(&self, folder: &Path) -> anyhow::Result<Option<WebFiles>> {
        let (Some(certificate), Some(_)) = (&self.certificate_file, &self.key_file) else { return Ok(None) };
        let path = folder.join(certificate);
        let certificate = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the certificate {}", path.display()))?;
        let key = Secret::one("key", None, self.key_file.as_ref()).map_err(anyhow::Error::msg)?.read(folder)?;
        Ok(Some(WebFiles { certificate, key }))
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
