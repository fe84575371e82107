//! What a demo remembers between runs on the same folder.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::patients::SourceReport;

/// The file's name in the demo's folder.
const FILE: &str = "demo.json";

/// A case that was withdrawn: never asked about again.
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

    /// Whether a case was withdrawn.
    pub(super) fn is_withdrawn(&self, hospital: &str, case: &str) -> bool {
        self.withdrawn.iter().any(|withdrawal| withdrawal.hospital == hospital && withdrawal.case == case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), State::default());
        let withdrawn = vec![Withdrawal { hospital: "north".into(), case: "a".into() }];
        let state = State { dealt: true, filled: true, synthetic: true, source: None, runs: 2, withdrawn };
        state.write(folder.path()).unwrap();
        let read = State::read(folder.path()).unwrap();
        assert!(read.is_withdrawn("north", "a") && !read.is_withdrawn("south", "a"));
        assert_eq!(read, state);
    }
}
