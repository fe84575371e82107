//! A party's own folders and files: closed to all others where they hold secrets, never overwritten, read in bounds.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context;

use crate::failure::Failure;

/// Bytes of a file with one signed statement, its approvals included, that are read at most.
pub(crate) const STATEMENT_MAX: u64 = 64 << 10;
/// Bytes of a file with a network's members that are read at most: far more than the largest network has.
pub(crate) const MEMBERS_MAX: u64 = 1 << 20;

/// Makes a folder and those above it, unless they are there; new ones are their owner's alone.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make(path: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

/// Reads a file of at most so many bytes.
///
/// # Errors
/// It cannot be read or is larger.
pub(crate) fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let cannot_read = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(cannot_read)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).with_context(cannot_read)?;
    if bytes.len() as u64 > limit {
        let what = format!("{} has more than {limit} bytes", path.display());
        return Err(Failure::usage(what).hint("check that it is the file you meant").into());
    }
    Ok(bytes)
}

/// Writes a new file that others may read.
///
/// # Errors
/// It is there already, or cannot be written.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_new(path, content, 0o644)
}

/// Writes a new file that is its owner's alone.
///
/// # Errors
/// As [`write_public`].
pub(crate) fn write_secret(path: &Path, content: &str) -> anyhow::Result<()> {
    write_new(path, content.as_bytes(), 0o600)
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(content).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))
}
