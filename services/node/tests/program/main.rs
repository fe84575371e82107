//! The program from outside: its help, its demo, and a network of processes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers end the test when something is not as it must be"
)]

mod channels;
mod demo;
mod examples;
mod help;
mod members;
mod network;
mod process;
