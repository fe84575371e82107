//! What people do with Semblance, and what goes wrong for them: one story a file, on whole networks.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod budget;
mod clear_errors;
mod epoch_change;
mod ledger_down;
mod matcher_down;
mod no_symptom_leaves;
mod rebuilt_matcher;
mod replay;
mod second_case;
mod unpublished_case;
mod who_looked;
mod withdrawal;

use semblance_tests::by_hand;
