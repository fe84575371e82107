//! The server as a peer sees it: a peer in this process dials, gives transactions, serves state, and misbehaves.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod faults;
mod protocol;
mod small;
mod stop;
mod tls;
