//! Tests across transactions, and the small world that all tests of the contract play in.

pub(crate) mod contact;
mod events;
mod fields;
mod permissions;
mod properties;
mod refusals;
mod vectors;
pub(crate) mod world;
