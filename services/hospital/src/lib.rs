//! A hospital's use cases: register, consent, publish, correct, withdraw, look up, open receipts.
//!
//! What it must never know: another hospital's symptoms, how a ledger works inside, the system's clock or random
//! source. Symptoms and patients' names stay in [`store`] and in what is shown to the hospital's own people; no error
//! and no log line holds them.
//!
//! To add a use case: a file named after its verb, its local writes in one [`store::Store::step`], and what the
//! ledger shall know in the outbox, in the same step.

pub mod import;
pub mod store;
