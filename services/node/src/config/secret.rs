//! Secrets: inline or in a file, never both.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Text that wipes itself and is not shown.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(from = "String")]
#[cfg_attr(test, serde(into = "String"))]
pub struct SecretText(Zeroizing<String>);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

#[cfg(test)]
impl From<SecretText> for String {
    fn from(secret: SecretText) -> Self {
        secret.0.to_string()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretText(..)")
    }
}

/// Where a secret stands.
#[derive(Debug, Clone)]
pub enum Secret {
    /// In the configuration itself.
    Inline(SecretText),
    /// In a file of its own.
    File(PathBuf),
}

impl Secret {
    /// Takes one of the two places.
    ///
    /// # Errors
    /// Both or neither are given.
    pub fn one(key: &str, inline: Option<&SecretText>, file: Option<&PathBuf>) -> Result<Self, String> {
        match (inline, file) {
            (Some(text), None) => Ok(Self::Inline(text.clone())),
            (None, Some(path)) => Ok(Self::File(path.clone())),
            (Some(_), Some(_)) => Err(format!("`{key}` and `{key}_file` are both set: keep one")),
            (None, None) => Err(format!("`{key}_file` (or `{key}`) is missing")),
        }
    }

    /// Reads it; a file's path is taken from `folder`.
    ///
    /// # Errors
    /// The file cannot be read, or others than its owner can read it.
    pub fn read(&self, folder: &Path) -> anyhow::Result<Zeroizing<String>> {
        match self {
            Self::Inline(text) => Ok(text.0.clone()),
            Self::File(path) => read_file(&folder.join(path)),
        }
    }

    /// Reads 32 bytes written as 64 hexadecimal digits.
    ///
    /// # Errors
    /// As [`Secret::read`], or other text.
    pub fn read_bytes(&self, folder: &Path, what: &str) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        let text = self.read(folder)?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut *bytes)
            .map_err(|_| Failure::usage(format!("{what} must be 64 hexadecimal digits")))?;
        Ok(bytes)
    }
}

fn read_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    refuse_open_permissions(path)?;
    std::fs::read_to_string(path).map(Zeroizing::new).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(unix)]
fn refuse_open_permissions(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        let failure = Failure::usage(format!("{} can be read by others (mode {:03o})", path.display(), mode & 0o777));
        return Err(failure.hint(format!("chmod 600 {}", path.display())).into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_permissions(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}
