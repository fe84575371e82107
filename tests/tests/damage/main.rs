//! A ledger's file is damaged or rewritten: verifying finds it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod flipped_bits;
mod rewritten_history;
