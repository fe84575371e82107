//! Channels with devices of another implementation of MLS in them, which shares neither protocol nor encoding nor HPKE
//! with ours, only some curves and hashes: whatever one makes, the other has to understand. Every story is told with the
//! two in each other's places.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is wrong"
)]

mod device;
mod foreign;
mod ours;
mod room;
mod stories;
mod theirs;
mod through_hub;
