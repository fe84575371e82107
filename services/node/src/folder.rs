//! Folders of a party's own files, closed to all others on the machine.

use std::path::Path;

use anyhow::Context;

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
