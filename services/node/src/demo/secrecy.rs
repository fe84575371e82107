//! Looks through parties' files for plaintext: the ledger and the matcher must hold no symptom and no case's local name,
//! hubs nothing that was said.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;

use super::patients::Patient;

/// How HPO ids begin, in data and in links, before their digits.
const MARKS: [&[u8]; 2] = [b"HP:", b"HP_"];
/// Digits of an HPO id: fewer would stand among ciphertexts by chance.
const DIGITS: usize = 7;
/// Shorter words stand in other bytes by chance.
const WORD_MIN: usize = 8;
/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// What was looked through.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Search {
    /// Files read to their end.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Words searched for, beside HPO ids.
    pub(crate) words: usize,
    /// Files that hold an HPO id or one of the words.
    pub(crate) found: Vec<PathBuf>,
}

impl Search {
    /// Adds another search, for some of the same words.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.words = self.words.max(other.words);
        self.found.extend(other.found);
    }
}

/// What these patients' hospitals must keep to themselves: the cases' local names and the labels of their symptoms.
pub(crate) fn words<'a>(patients: impl Iterator<Item = &'a Patient>, vocabulary: &Vocabulary) -> Vec<String> {
    let mut words = Vec::new();
    for patient in patients {
        words.push(patient.case_id.clone());
        let labels = patient.observed.iter().filter_map(|id| vocabulary.label(id.parse::<TermId>().ok()?));
        words.extend(labels.map(str::to_owned));
    }
    telling(words)
}

/// Each of some words once, without those that are too short to tell anything.
pub(crate) fn telling(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let words: BTreeSet<String> = words.into_iter().filter(|word| word.len() >= WORD_MIN).collect();
    words.into_iter().collect()
}

/// Reads every file below some folders.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn search(folders: &[PathBuf], words: &[String]) -> anyhow::Result<Search> {
    let (mut folders, mut files) = (folders.to_vec(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    search_files(files, words)
}

/// The files of a folder whose names begin like this: a database with what belongs to it.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn beginning_with(folder: &Path, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in entries(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(name) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn entries(folder: &Path) -> anyhow::Result<std::fs::ReadDir> {
    std::fs::read_dir(folder).with_context(|| format!("cannot look into {}", folder.display()))
}

/// Reads some files.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn search_files(files: Vec<PathBuf>, words: &[String]) -> anyhow::Result<Search> {
    let mut search = Search { words: words.len(), ..Search::default() };
    for path in files {
        let file = match File::open(&path) {
            // An index merges files away while they are looked at: nothing is left to find in those.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let (bytes, found) = read(file, words).with_context(|| format!("cannot read {}", path.display()))?;
        search.files += 1;
        search.bytes += bytes;
        search.found.extend(found.then_some(path));
    }
    search.found.sort();
    Ok(search)
}

/// The bytes of a file, and whether an HPO id or a word is among them.
fn read(mut file: impl Read, words: &[String]) -> std::io::Result<(u64, bool)> {
    let longest = words.iter().map(String::len).max().unwrap_or(0).max(3 + DIGITS);
    let (mut bytes, mut found, mut window) = (0, false, Vec::new());
    loop {
        let before = window.len();
        let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
        if read == 0 {
            return Ok((bytes, found));
        }
        bytes += read as u64;
        found = found || tells(&window, words);
        // What may begin in these bytes and end in the next ones is looked at again.
        let done = (before + read).saturating_sub(longest - 1);
        window.drain(..done);
    }
}

fn tells(bytes: &[u8], words: &[String]) -> bool {
    bytes.iter().enumerate().any(|(place, first)| {
        let rest = bytes.get(place..).unwrap_or_default();
        let digits = |rest: &[u8]| rest.get(3..3 + DIGITS).is_some_and(|id| id.iter().all(u8::is_ascii_digit));
        let mark = MARKS.iter().any(|mark| rest.starts_with(mark) && digits(rest));
        mark || words.iter().any(|word| word.as_bytes().first() == Some(first) && rest.starts_with(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symptom_is_found_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("clean"), b"HP: is a mark, HP:x and HP:000125 none, Seizures another word")
            .unwrap();
        let words = ["Bilateral tonic-clonic seizure".to_owned(), "case-number-7".to_owned()];
        assert!(search(&[folder.path().to_path_buf()], &words).unwrap().found.is_empty());
        let path = folder.path().join("deep/file");
        for told in ["HP:0001250", "HP_0001250", &words[0], &words[1]] {
            // Across the border of what is read at once, and at its very end.
            for before in [0, CHUNK - 5, CHUNK - 1, CHUNK] {
                std::fs::write(&path, [&vec![b'H'; before][..], told.as_bytes()].concat()).unwrap();
                let search = search(&[folder.path().to_path_buf()], &words).unwrap();
                assert_eq!((search.found, search.files), (vec![path.clone()], 2), "{told} after {before}");
            }
        }
    }

    #[test]
    fn a_database_is_its_files_together() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.sqlite", "a.sqlite-wal", "b.sqlite"] {
            std::fs::write(folder.path().join(name), "what was said").unwrap();
        }
        let files = || beginning_with(folder.path(), "a.sqlite").unwrap();
        let mut search = search_files(files(), &["something else".to_owned()]).unwrap();
        assert_eq!((search.files, search.found.len()), (2, 0));
        search.add(search_files(files(), &["was said".to_owned()]).unwrap());
        assert_eq!((search.files, search.bytes, search.words, search.found.len()), (4, 52, 1, 2));
    }

    #[test]
    fn what_cannot_be_read_is_no_success() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("bad sector"))
            }
        }
        assert!(read(Broken, &[]).is_err());
        assert!(search(&["/no/such/folder".into()], &[]).is_err());
    }

    #[test]
    fn short_words_are_not_searched_for() {
        let observed = vec!["HP:0001250".to_owned(), "HP:0001263".to_owned()];
        let patient = Patient { case_id: "7".into(), disease: None, observed, excluded: Vec::new() };
        assert_eq!(words([&patient].into_iter(), &Vocabulary::built_in()), ["Global developmental delay"]);
    }
}
