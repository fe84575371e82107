//! What proves to outsiders that the ledger's history still is what it was.

pub mod head;
