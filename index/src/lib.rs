//! The search index of a matcher: tantivy's postings under our own exact scoring.
//!
//! One index holds the cases of one epoch. A [`Writer`] takes the ledger's blocks one after the other and keeps the
//! result on disk; a [`Searcher`] answers from a [`View`], the state after one whole block. What an answer says is a
//! total function of the cases that are live at its block and of their ordinals: not of segments, merges or restarts.
//!
//! It knows tokens, handles and small numbers of hospitals. It must never know terms, people or queries beyond the one
//! it is answering: nothing of a query is stored or logged.
//!
//! To add a column of metadata: a field in `schema`, a vector in `columns`, and the loop in `segment` that fills it.

mod accumulate;
mod carrier;
mod case;
mod columns;
mod error;
mod explain;
mod forward;
pub mod oracle;
mod position;
mod postings;
mod schema;
mod search;
mod segment;
mod state;
mod statistics;
mod tail;
mod writer;

pub use case::{Block, Change, IndexedCase, IndexedCaseError};
pub use error::IndexError;
pub use explain::{Explanation, GroupMatch, Support};
pub use position::Position;
pub use search::{Filters, Hit, Searcher, View};
pub use writer::{Merging, Writer};

// Open to the fuzz targets alone.
#[doc(hidden)]
pub use position::Mark;
