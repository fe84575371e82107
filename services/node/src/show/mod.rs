//! Results as people and programs read them: the same value makes the text and the JSON.

mod finding;

#[expect(unused_imports, reason = "first used by the commands of a hospital")]
pub(crate) use finding::{Finding, FoundCase, Symptom};
