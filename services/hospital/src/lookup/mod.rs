//! Looks up cases similar to an own published one.
//!
//! The request is signed and stored before it leaves; the answer is stored before it is checked; nothing is shown that
//! the own ledger does not confirm. A retry sends the very same request and gets the stored answer.

mod ask;
mod check;
mod complete;
mod own;
mod report;
mod sign;
mod unanswered;

pub use ask::Question;
pub(crate) use complete::Asking;
pub use report::{FailedMatch, FoundCase, LookupReport, OwnCase, Symptom};
