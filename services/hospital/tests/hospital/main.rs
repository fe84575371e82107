//! A hospital's use cases on the embedded ledger, with a matcher that can be told to lie.

mod crashes;
mod denials;
mod lies;
mod life_of_a_case;
mod life_of_a_lookup;
mod matcher;
mod world;
