//! A ledger's file is damaged or rewritten: verifying finds it.

mod flipped_bits;
mod rewritten_history;
