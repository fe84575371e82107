//! What can go wrong with an index.

use std::path::PathBuf;

use crate::case::IndexedCaseError;

/// Why an index cannot be opened, written or searched.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another process, or another writer of this one, has the index open.
    #[error("the index in {0} is open elsewhere: stop the other process first")]
    Locked(PathBuf),
    /// A block does not follow the one applied before.
    #[error("block {found} does not follow block {last}: the index takes each block of the ledger once, in order")]
    BlockOrder {
        /// The block offered.
        found: u64,
        /// The last block applied.
        last: u64,
    },
    /// An ordinal does not exceed all before it.
    #[error("ordinal {found} does not exceed {last}: ordinals follow the order of publication")]
    OrdinalOrder {
        /// The ordinal offered.
        found: u32,
        /// The largest before it.
        last: u32,
    },
    /// The files belong to another version of this program, or are damaged.
    #[error("the index files cannot be used ({0}): delete the folder, it is rebuilt from the ledger")]
    Unusable(&'static str),
    /// A case is not fit for the index.
    #[error(transparent)]
    Case(#[from] IndexedCaseError),
    /// A failed write left the writer behind the ledger.
    #[error("an earlier write failed: open the index again, it resumes after its last commit")]
    Broken,
    /// Files cannot be read or written.
    #[error("index files: {0}")]
    Files(#[from] std::io::Error),
    /// Tantivy refused.
    #[error("index: {0}")]
    Tantivy(#[from] tantivy::TantivyError),
}
