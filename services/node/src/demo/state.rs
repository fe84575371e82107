//! What a demo remembers between runs on the same folder.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::Wanted;
use super::patients::SourceReport;
use crate::failure::Failure;

/// The file's name in the demo's folder.
const FILE: &str = "demo.json";

/// A case that was withdrawn, or was about to be: never asked about again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Withdrawal {
    /// Its hospital.
    pub(super) hospital: String,
    /// Its local id.
    pub(super) case: String,
}

/// What was done in a folder.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Whether every hospital has its share of the patients in a file.
    pub(super) dealt: bool,
    /// Whether the patients are published.
    pub(super) filled: bool,
    /// Whether they were made up.
    pub(super) synthetic: bool,
    /// Where they were read, if not.
    #[serde(default)]
    pub(super) cases: Option<PathBuf>,
    /// How many there are.
    #[serde(default)]
    pub(super) patients: usize,
    /// What became of the rows of the source they came from.
    pub(super) source: Option<SourceReport>,
    /// How often the demo was played.
    pub(super) runs: u32,
    /// Whose patients withdrew.
    pub(super) withdrawn: Vec<Withdrawal>,
}

impl State {
    /// Reads a folder's state; that of a new folder is empty.
    ///
    /// # Errors
    /// The file is something else.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{} is no demo's state", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Refuses other patients than those that were dealt out: they would be passed over without a word.
    ///
    /// # Errors
    /// Others are wanted.
    pub(super) fn check(&self, wanted: &Wanted) -> Result<(), Failure> {
        if !self.dealt {
            return Ok(());
        }
        let (folder, other) = match (&wanted.cases, wanted.patients) {
            (Some(cases), _) if self.cases.as_ref() != Some(&absolute(cases)) => {
                (wanted.data.display(), format!("those of {}", cases.display()))
            }
            (None, Some(count)) if self.cases.is_some() || self.patients != count => {
                (wanted.data.display(), format!("{count} synthetic ones"))
            }
            _ => return Ok(()),
        };
        let here = match &self.cases {
            Some(cases) => format!("the patients of {}", cases.display()),
            None => format!("{} synthetic patients", self.patients),
        };
        Err(Failure::usage(format!("{folder} already holds a demo with {here}; {other} cannot be added to it"))
            .hint("name another folder with --data, or leave --cases and --patients away to take this demo up again"))
    }

    /// Notes whose patients are dealt out.
    pub(super) fn deal(&mut self, wanted: &Wanted, patients: usize, source: Option<SourceReport>) {
        self.dealt = true;
        self.synthetic = wanted.cases.is_none();
        self.cases = wanted.cases.as_deref().map(absolute);
        self.patients = patients;
        self.source = source;
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let (path, new) = (folder.join(FILE), folder.join("demo.json.new"));
        std::fs::write(&new, serde_json::to_vec_pretty(self)?)
            .and_then(|()| std::fs::rename(&new, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Notes that a case's patient withdraws, before it happens: a demo that ends in the middle does not ask about the
    /// case again.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn withdraw(&mut self, withdrawal: Withdrawal, folder: &Path) -> anyhow::Result<()> {
        self.withdrawn.push(withdrawal);
        self.write(folder)
    }

    /// Whether a case was withdrawn.
    pub(super) fn is_withdrawn(&self, hospital: &str, case: &str) -> bool {
        self.withdrawn.iter().any(|withdrawal| withdrawal.hospital == hospital && withdrawal.case == case)
    }
}

/// The same place, however it was named.
fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(folder: &Path, cases: Option<&str>, patients: Option<usize>) -> Wanted {
        Wanted { cases: cases.map(PathBuf::from), patients, data: folder.to_path_buf(), fabric: None }
    }

    #[test]
    fn other_patients_than_those_dealt_out_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let check = |state: &State, cases, patients| state.check(&wanted(folder.path(), cases, patients));
        check(&State::default(), Some("a.jsonl"), None).unwrap();

        let mut synthetic = State::default();
        synthetic.deal(&wanted(folder.path(), None, None), 300, None);
        for (cases, patients) in [(None, None), (None, Some(300))] {
            check(&synthetic, cases, patients).unwrap();
        }
        let other = check(&synthetic, Some("a.jsonl"), None).unwrap_err().to_string();
        assert!(other.contains("holds a demo with 300 synthetic patients; those of a.jsonl"), "{other}");
        assert!(check(&synthetic, None, Some(60)).is_err());

        let mut real = State::default();
        real.deal(&wanted(folder.path(), Some("a.jsonl"), None), 9, None);
        check(&real, Some("a.jsonl"), None).unwrap();
        check(&real, None, None).unwrap();
        assert!(check(&real, Some("b.jsonl"), None).is_err() && check(&real, None, Some(9)).is_err());
    }

    #[test]
    fn the_state_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), State::default());
        let withdrawn = vec![Withdrawal { hospital: "north".into(), case: "a".into() }];
        let state = State { dealt: true, filled: true, synthetic: true, runs: 2, withdrawn, ..State::default() };
        state.write(folder.path()).unwrap();
        let read = State::read(folder.path()).unwrap();
        assert!(read.is_withdrawn("north", "a") && !read.is_withdrawn("south", "a"));
        assert_eq!(read, state);
    }
}
