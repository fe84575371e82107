//! A hospital's use cases on the embedded ledger, with a matcher that can be told to lie.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where something is not as expected")]

mod authority;
mod crashes;
mod denials;
mod false_introductions;
mod forged;
mod groups;
mod grpc;
mod introductions;
mod lies;
mod life_of_a_case;
mod life_of_a_lookup;
mod lost_answers;
mod matcher;
mod real_cases;
mod rotation;
mod world;
