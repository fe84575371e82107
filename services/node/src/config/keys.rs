//! `[keys]`: the organisation's own keys.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::secret::{Secret, SecretText};

/// The organisation's signing and sealing keys, each 32 bytes as 64 hexadecimal digits, inline or in a file.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct KeysSection {
    /// Ed25519 seed of the node's signing key.
    pub signing: Option<SecretText>,
    /// File of the same.
    pub signing_file: Option<PathBuf>,
    /// X25519 private key to which receipts and epoch keys are sealed.
    pub sealing: Option<SecretText>,
    /// File of the same.
    pub sealing_file: Option<PathBuf>,
    /// Files of earlier sealing keys: what was sealed to them still opens.
    #[serde(default)]
    pub earlier_sealing_files: Vec<PathBuf>,
}

/// The keys, read.
pub struct OrganisationKeys {
    /// Ed25519 seed.
    pub signing: Zeroizing<[u8; 32]>,
    /// X25519 private keys, the present one first.
    pub sealing: Vec<Zeroizing<[u8; 32]>>,
}

impl KeysSection {
    fn signing(&self) -> Result<Secret, String> {
        Secret::one("signing", self.signing.as_ref(), self.signing_file.as_ref())
    }

    fn sealing(&self) -> Result<Secret, String> {
        Secret::one("sealing", self.sealing.as_ref(), self.sealing_file.as_ref())
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.signing()?;
        self.sealing().map(|_| ())
    }

    /// Reads them; paths are taken from `folder`.
    ///
    /// # Errors
    /// A file cannot be read, can be read by others, or holds something else.
    pub fn read(&self, folder: &Path) -> anyhow::Result<OrganisationKeys> {
        let signing = self.signing().map_err(anyhow::Error::msg)?.read_bytes(folder, "keys.signing")?;
        let mut sealing = vec![self.sealing().map_err(anyhow::Error::msg)?.read_bytes(folder, "keys.sealing")?];
        for file in &self.earlier_sealing_files {
            sealing.push(Secret::File(file.clone()).read_bytes(folder, "a key of keys.earlier_sealing_files")?);
        }
        Ok(OrganisationKeys { signing, sealing })
    }
}
