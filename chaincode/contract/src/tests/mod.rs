//! Tests across transactions, and the small world that all tests of the contract play in.

mod events;
mod permissions;
mod properties;
mod refusals;
pub(crate) mod world;
