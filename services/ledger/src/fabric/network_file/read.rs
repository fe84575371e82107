//! The files of a network's description, read with bounds and with care for keys.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use semblance_core::id::OrganisationId;
use zeroize::Zeroizing;

/// The version that is read.
pub(super) const VERSION: u32 = 1;
/// Bytes of a description, a certificate or a key that are read at most.
pub(super) const FILE_MAX: u64 = 1 << 20;

/// Why the description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFileError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is larger than any such file.
    #[error("{0} has more than {FILE_MAX} bytes: it is something else")]
    TooLarge(PathBuf),
    /// Others than its owner can read a key.
    #[error("{path} can be read by others (mode {mode:03o}): chmod 600 {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Who may do what with it.
        mode: u32,
    },
    /// It is no description.
    #[error("{path} describes no network: {source}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is of another version.
    #[error(
        "{path} is of version {found}, this program reads version {VERSION}: make it with the scripts of this release"
    )]
    Version {
        /// Which.
        path: PathBuf,
        /// What it is.
        found: u32,
    },
    /// It does not name this organisation.
    #[error("{0} is not in this network")]
    Stranger(OrganisationId),
    /// An organisation has a name that is none to us.
    #[error("the network's organisation {0:?} cannot be a member: its name must have letters a-z, digits and '-'")]
    Name(String),
}

pub(super) fn text(path: &Path) -> Result<String, NetworkFileError> {
    let failed = |source| NetworkFileError::Read { path: path.to_path_buf(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_MAX {
        return Err(NetworkFileError::TooLarge(path.to_path_buf()));
    }
    Ok(text)
}

/// Reads a key, which nobody but its owner may be able to read.
pub(super) fn secret(path: &Path) -> Result<Zeroizing<String>, NetworkFileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let failed = |source| NetworkFileError::Read { path: path.to_path_buf(), source };
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(NetworkFileError::Open { path: path.to_path_buf(), mode: mode & 0o777 });
        }
    }
    text(path).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        std::fs::write(&path, "key").unwrap();
        for (mode, read) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret(&path).is_ok(), read, "{mode:o}");
        }
    }
}
