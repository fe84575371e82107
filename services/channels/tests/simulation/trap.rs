//! Crashes of an office's database: at any step of a statement, or at the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rusqlite::Connection;

/// How often SQLite asks whether to go on, in instructions of its machine.
const INSTRUCTIONS: i32 = 12;

/// Makes a connection fail on demand.
#[derive(Clone, Default)]
pub(crate) struct Trap {
    /// Questions left until it snaps; negative while it is not set.
    left: Arc<AtomicI64>,
    at_commit: Arc<AtomicBool>,
    snapped: Arc<AtomicBool>,
}

impl Trap {
    /// A connection with this trap in it, not set.
    pub(crate) fn put_into(&self, connection: &mut Connection) {
        self.left.store(-1, Ordering::Relaxed);
        let (left, snapped) = (self.left.clone(), self.snapped.clone());
        let asked = move || {
            let before = left.load(Ordering::Relaxed);
            if before > 0 {
                left.store(before - 1, Ordering::Relaxed);
            }
            let now = before == 0;
            snapped.fetch_or(now, Ordering::Relaxed);
            now
        };
        connection.progress_handler(INSTRUCTIONS, Some(asked)).unwrap();
        let (at_commit, snapped) = (self.at_commit.clone(), self.snapped.clone());
        let committing = move || {
            let now = at_commit.load(Ordering::Relaxed);
            snapped.fetch_or(now, Ordering::Relaxed);
            now
        };
        connection.commit_hook(Some(committing)).unwrap();
    }

    pub(crate) fn set(&self, after: u32) {
        self.left.store(i64::from(after), Ordering::Relaxed);
    }

    pub(crate) fn set_at_commit(&self) {
        self.at_commit.store(true, Ordering::Relaxed);
    }

    /// Takes it away; whether it snapped.
    pub(crate) fn lift(&self) -> bool {
        self.left.store(-1, Ordering::Relaxed);
        self.at_commit.store(false, Ordering::Relaxed);
        self.snapped.swap(false, Ordering::Relaxed)
    }
}
