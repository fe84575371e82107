//! A device's folder: who it is, what it shows to its node, its keys and what was said to it.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use data_encoding::BASE64URL_NOPAD;
use semblance_channels::client::Client;
use semblance_channels::driver::Driver;
use semblance_channels::store::SqliteStore;
use semblance_core::id::NetworkId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::line::HttpLine;
use crate::failure::Failure;
use crate::folder;
use crate::system::System;

/// A device's client on its line.
pub(super) type Phone = Driver<SqliteStore, HttpLine>;

/// Bytes of a file of the folder.
const FILE_MAX: u64 = 64 << 10;

/// What the folder says about the device.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceFile {
    /// The hospital's node.
    pub(super) url: String,
    /// The network's id, hexadecimal.
    pub(super) network: String,
    /// How the person wishes to be called.
    pub(super) name: String,
    /// Whether `root.pem` holds the certificate that vouches for the node's.
    pub(super) own_root: bool,
}

/// A device that is open; no other program opens it at the same time.
pub(super) struct OpenDevice {
    pub(super) phone: Phone,
    pub(super) system: System,
    _lock: File,
}

/// Makes a device's folder.
///
/// # Errors
/// There is one already, or it cannot be written.
pub(super) fn make(folder: &Path, file: &DeviceFile, token: &[u8], root: Option<&Path>) -> anyhow::Result<()> {
    if folder.join("device.json").exists() {
        let what = format!("{} is a device already", folder.display());
        return Err(Failure::usage(what).hint("choose another folder with --out").into());
    }
    folder::make(folder)?;
    closed(folder)?;
    if let Some(root) = root {
        let pem = folder::read(root, FILE_MAX)?;
        write(&folder.join("root.pem"), &pem)?;
    }
    write(&folder.join("token"), BASE64URL_NOPAD.encode(token).as_bytes())?;
    // Last, because a folder with this file is a device.
    write(&folder.join("device.json"), serde_json::to_string_pretty(file)?.as_bytes())
}

/// Writes a new file that its owner alone reads.
///
/// # Errors
/// It is there already, or cannot be written.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let cannot = || format!("cannot write {}", path.display());
    let mut file = options.open(path).with_context(cannot)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(cannot)
}

/// Makes sure that nobody else on this machine can look into a folder: whoever can reads the channels and speaks in them.
///
/// # Errors
/// Others can.
fn closed(folder: &Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let shown = folder.display();
        let found = std::fs::metadata(folder).with_context(|| format!("cannot look at the folder {shown}"))?;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = format!("others on this machine can open the device's folder {shown} (mode {mode:04o})");
            let hint =
                format!("close it with `chmod 700 '{shown}'`; if somebody may have read it, register a new device");
            return Err(Failure::usage(what).hint(hint).into());
        }
    }
    Ok(())
}

impl OpenDevice {
    /// Opens a device's folder.
    ///
    /// # Errors
    /// It is none, or another program has it open.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| folder::read(&folder.join(name), FILE_MAX);
        let file = read("device.json").map_err(|error| {
            Failure::usage(format!("{} is no device: {error:#}", folder.display()))
                .hint("make one with `semblance channel register`, or name its folder with --device")
        })?;
        let file: DeviceFile = serde_json::from_slice(&file)
            .map_err(|error| Failure::usage(format!("{}/device.json: {error}", folder.display())))?;
        closed(folder)?;
        let network: NetworkId = file
            .network
            .parse()
            .map_err(|error| Failure::usage(format!("{}/device.json: network: {error}", folder.display())))?;
        let lock = File::create(folder.join("lock")).context("cannot make the device's lock")?;
        // Two programs that turn the same ratchets would each lose the other's messages.
        lock.try_lock().map_err(|_| {
            Failure::usage(format!("another program uses the device {}", folder.display()))
                .hint("end it first, for example a `semblance channel watch`")
        })?;
        let token = Zeroizing::new(read("token")?);
        let root = if file.own_root { Some(read("root.pem")?) } else { None };
        let system = System::default();
        let line = HttpLine::new(&file.url, &token, root.as_deref())?;
        let store = SqliteStore::open(&folder.join("client.sqlite"))?;
        let client = Client::new(store, network, system.random());
        Ok(Self { phone: Driver::new(client, line, network, file.name), system, _lock: lock })
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file() -> DeviceFile {
        let network = NetworkId::from_bytes([1; 16]).to_string();
        DeviceFile { url: "https://localhost:1".to_owned(), network, name: "Ann".to_owned(), own_root: false }
    }

    fn set(folder: &Path, mode: u32) {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_open_holds_no_device() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("device");
        std::fs::create_dir(&folder).unwrap();
        set(&folder, 0o755);
        assert!(make(&folder, &file(), &[1; 32], None).is_err());
        assert!(!folder.join("token").exists(), "refused before the token is written");
        set(&folder, 0o700);
        make(&folder, &file(), &[1; 32], None).unwrap();
        OpenDevice::open(&folder).map(drop).unwrap();
        for mode in [0o755, 0o750, 0o711, 0o701] {
            set(&folder, mode);
            let error = OpenDevice::open(&folder).map(drop).unwrap_err();
            let hint = Failure::of(&error).and_then(Failure::next_step).unwrap().to_owned();
            assert!(hint.contains("chmod 700"), "{error:#}: {hint}");
        }
    }
}
