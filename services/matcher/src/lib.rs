//! The matcher: follows the ledger into the index and answers searches
