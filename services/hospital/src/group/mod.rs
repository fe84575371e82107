//! Symptom groups: opening one for an own case, and finding the own patients to whom it is offered.
//!
//! What a group is about is told to hospitals alone, sealed. Whom a hospital offers it to is found in plaintext there
//! and never leaves it.

mod band;
mod offer;
mod open;

pub use band::SizeBand;
pub use offer::GroupOffers;
