//! Channels as running nodes have them: two hospitals whose nodes call each other, and devices on their lines.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod decoders;
mod permissions;
mod talk;
mod world;
