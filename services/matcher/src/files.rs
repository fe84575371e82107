//! Files and folders of the matcher, closed to all others on the machine.

use std::io;
use std::path::Path;

/// Makes a folder and those above it, unless they are there; new ones are their owner's alone.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a file that only its owner may read, unless it is there; what SQLite lays beside it takes the same rights.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

/// Puts a whole file in place of whatever was there; it survives a crash when this returns.
///
/// # Errors
/// It cannot be written.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    make_private(&new)?;
    std::fs::write(&new, content)?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(&new, path)?;
    sync_folder(path)
}

/// Makes the names in the folder around a path survive a crash.
///
/// # Errors
/// The folder cannot be opened or synced.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_made_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a").join("b");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        let file = deep.join("file");
        make_private(&file).unwrap();
        let other = deep.join("other");
        replace(&other, b"first").unwrap();
        replace(&other, b"second").unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"second");
        for (path, mode) in [(deep.parent().unwrap(), 0o700), (&deep, 0o700), (&file, 0o600), (&other, 0o600)] {
            let found = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 2, "nothing half-written is left");
    }
}
