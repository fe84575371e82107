//! `[tls]` and `[admin]`: certificates of this organisation.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::secret::{Secret, SecretText};

/// A certificate issued by the organisation's own authority, and its private key; both PEM.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// File of the certificate.
    pub certificate_file: PathBuf,
    /// The private key.
    pub key: Option<SecretText>,
    /// File of the same.
    pub key_file: Option<PathBuf>,
}

/// A certificate and its key, read, both PEM.
#[derive(Clone)]
pub struct TlsFiles {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: Zeroizing<String>,
}

impl TlsSection {
    fn key(&self) -> Result<Secret, String> {
        Secret::one("key", self.key.as_ref(), self.key_file.as_ref())
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.key().map(|_| ())
    }

    /// Reads both; paths are taken from `folder`.
    ///
    /// # Errors
    /// A file cannot be read, or the key can be read by others.
    pub fn read(&self, folder: &Path) -> anyhow::Result<TlsFiles> {
        let path = folder.join(&self.certificate_file);
        let certificate = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the certificate {}", path.display()))?;
        let key = self.key().map_err(anyhow::Error::msg)?.read(folder)?;
        Ok(TlsFiles { certificate, key })
    }
}
