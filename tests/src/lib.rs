//! The world: whole networks in one process, on a clock that tests move and randomness that tests seed; and writers
//! that crash tests kill.
//!
//! Scenarios, crashes, damage and decoders are tests in `tests/`, one story a file. To add a story: a file there that
//! builds a [`network`] and speaks in the words of the glossary.
//!
//! A world that cannot be built fails the test that wanted it, so that everything here panics rather than explains.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "test code: a panic is how it fails"
)]

pub mod between;
pub mod by_hand;
pub mod case;
pub mod door;
pub mod kill;
pub mod network;
pub mod world;
pub mod write;
