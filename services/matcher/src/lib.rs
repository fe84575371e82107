//! The matcher: follows the ledger into the index and answers searches.
//!
//! It holds every fingerprint and no key. It must never store or log a query, and it answers only after the entry of a
//! look-up is durable on the ledger. Reading order: `matcher` assembles; `follow` goes from blocks to `indexes`,
//! `missing` keeps what has not come; `server` takes a search, `request` checks it, `search` leads it through `budget`,
//! `disclose` and `entries`, `retry` gives an answer again.

pub mod budget;
mod denials;
mod disclose;
mod entries;
mod error;
mod files;
mod follow;
mod indexes;
mod matcher;
mod members;
mod missing;
mod request;
mod retry;
mod search;
mod server;
pub mod store;

pub use error::SearchError;
pub use follow::FollowError;
pub use matcher::{Covered, Matcher, MatcherConfig, MatcherError};
pub use request::IncomingSearch;
pub use search::{Answered, Search};
pub use server::{CODE_KEY, MatcherService};
