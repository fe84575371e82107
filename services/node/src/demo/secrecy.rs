//! Looks through a party's files for plaintext symptoms: the ledger and the matcher must hold none.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// How every plaintext symptom begins, before a digit.
const MARK: &[u8] = b"HP:";

/// What was looked through.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Search {
    /// Files read to their end.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Files that hold `HP:` and a digit.
    pub(crate) found: Vec<PathBuf>,
}

/// Reads every file below a folder.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn search(folder: &Path) -> anyhow::Result<Search> {
    let mut search = Search::default();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot look into {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                // An index may merge its files away while they are looked at: nothing is left to find in those.
                let Ok(file) = File::open(&path) else { continue };
                let (bytes, found) = read(file).with_context(|| format!("cannot read {}", path.display()))?;
                search.files += 1;
                search.bytes += bytes;
                search.found.extend(found.then_some(path));
            }
        }
    }
    search.found.sort();
    Ok(search)
}

/// The bytes of a file, and whether the mark with a digit after it is among them.
fn read(file: File) -> std::io::Result<(u64, bool)> {
    let (mut bytes, mut found, mut window) = (0, false, [0; 4]);
    for byte in BufReader::with_capacity(1 << 16, file).bytes() {
        window = [window[1], window[2], window[3], byte?];
        bytes += 1;
        found |= window.starts_with(MARK) && window[3].is_ascii_digit();
    }
    Ok((bytes, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symptom_is_found_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("clean"), b"HP: is a mark, HP:x none").unwrap();
        assert!(search(folder.path()).unwrap().found.is_empty());
        let path = folder.path().join("deep/file");
        std::fs::write(&path, [&[0; 65_535][..], b"HP:0001250"].concat()).unwrap();
        let search = search(folder.path()).unwrap();
        assert_eq!((search.found, search.files), (vec![path], 2));
    }
}
