//! How far a follower came, kept so that it goes on there after a restart.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A place among a channel's events: everything of earlier blocks was handled, and of this block these transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The block.
    pub block: u64,
    /// The last transaction of it that was handled, if any.
    pub transaction_id: Option<String>,
}

impl Checkpoint {
    /// How many of a block's transactions were handled, of those that a peer tells of: all up to this place's own, if it
    /// is told of again. A peer that goes on behind it tells of none of them.
    pub(crate) fn handled<'a>(
        &self,
        block: u64,
        mut told: impl DoubleEndedIterator<Item = &'a str> + ExactSizeIterator,
    ) -> usize {
        let last = self.transaction_id.as_deref().filter(|_| block == self.block);
        last.and_then(|last| told.rposition(|one| one == last)).map_or(0, |place| place + 1)
    }
}

/// Keeps a checkpoint.
pub trait Checkpointer: Send {
    /// Where to go on; none at the very beginning.
    fn checkpoint(&self) -> Option<&Checkpoint>;
    /// Keeps a new place, durably where it can be.
    ///
    /// # Errors
    /// It cannot be kept; the old one still is.
    fn keep(&mut self, checkpoint: Checkpoint) -> io::Result<()>;
}

/// Keeps it until the program ends.
#[derive(Debug, Default)]
pub struct MemoryCheckpointer(Option<Checkpoint>);

impl Checkpointer for MemoryCheckpointer {
    fn checkpoint(&self) -> Option<&Checkpoint> {
        self.0.as_ref()
    }

    fn keep(&mut self, checkpoint: Checkpoint) -> io::Result<()> {
        self.0 = Some(checkpoint);
        Ok(())
    }
}

/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024;

/// Keeps it in a file, which is replaced whole and synced.
#[derive(Debug)]
pub struct FileCheckpointer {
    path: PathBuf,
    checkpoint: Option<Checkpoint>,
}

impl FileCheckpointer {
    /// Opens a file, or begins anew where there is none.
    ///
    /// # Errors
    /// The file cannot be read or holds something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path: path.to_path_buf(), checkpoint: None });
            }
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        let checkpoint = read(&text).ok_or_else(|| {
            let text = format!("{} holds no checkpoint: remove it to begin anew", path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        Ok(Self { path: path.to_path_buf(), checkpoint: Some(checkpoint) })
    }
}

impl Checkpointer for FileCheckpointer {
    fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    fn keep(&mut self, checkpoint: Checkpoint) -> io::Result<()> {
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        let mut file = std::fs::File::create(&new)?;
        file.write_all(write(&checkpoint).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::File::open(folder)?.sync_all()?;
        }
        self.checkpoint = Some(checkpoint);
        Ok(())
    }
}

fn write(checkpoint: &Checkpoint) -> String {
    match &checkpoint.transaction_id {
        Some(transaction) => format!("{} {transaction}\n", checkpoint.block),
        None => format!("{}\n", checkpoint.block),
    }
}

fn read(text: &str) -> Option<Checkpoint> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let block = words.next()?.parse().ok()?;
    let transaction_id = words.next().map(str::to_owned);
    let hexadecimal = |id: &String| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (words.next().is_none() && transaction_id.iter().all(hexadecimal)).then_some(Checkpoint { block, transaction_id })
}

/// Leaves out what comes again: a gateway that starts at a block sends all of it.
#[derive(Debug)]
pub(crate) struct Seen {
    block: u64,
    transactions: HashSet<String>,
}

impl Seen {
    /// Begins behind a checkpoint.
    pub(crate) fn from(checkpoint: &Checkpoint) -> Self {
        Self { block: checkpoint.block, transactions: checkpoint.transaction_id.iter().cloned().collect() }
    }

    /// Whether an event is new; of a block that lies behind nothing is.
    pub(crate) fn is_new(&mut self, block: u64, transaction: &str) -> bool {
        if block < self.block {
            return false;
        }
        if block > self.block {
            self.block = block;
            self.transactions.clear();
        }
        self.transactions.insert(transaction.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut kept = FileCheckpointer::open(&path).unwrap();
        assert_eq!(kept.checkpoint(), None);
        for transaction_id in [None, Some("0a1b".to_owned())] {
            let checkpoint = Checkpoint { block: 7, transaction_id };
            kept.keep(checkpoint.clone()).unwrap();
            assert_eq!(FileCheckpointer::open(&path).unwrap().checkpoint(), Some(&checkpoint));
        }
        for broken in ["", "7", "x\n", "7 \n", "7 0a 0b\n", "-1\n", "7 xyz\n"] {
            std::fs::write(&path, broken).unwrap();
            assert!(FileCheckpointer::open(&path).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_comes_again_is_not_new() {
        let mut seen = Seen::from(&Checkpoint::default());
        assert!(seen.is_new(3, "a") && seen.is_new(3, "b") && !seen.is_new(3, "a"));
        assert!(seen.is_new(4, "a") && !seen.is_new(3, "c") && !seen.is_new(4, "a"));
    }
}
