//! The matcher: follows the ledger into the index and answers searches.
//!
//! It holds every fingerprint and no key. It must never store or log a query, and it answers only after the entry of a
//! look-up is durable on the ledger.

pub mod budget;
pub mod store;
