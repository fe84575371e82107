//! Files of databases, closed to all others on the machine.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes a file that its owner alone may read (mode 0600), unless it is there. To be called before SQLite sees the path:
/// it would make the file readable for all, and what it lays beside the file takes the file's rights.
///
/// # Errors
/// The file cannot be made.
pub fn make(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
