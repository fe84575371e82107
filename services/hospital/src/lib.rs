//! A hospital's use cases: register, consent, publish, correct, withdraw, look up, open receipts, introduce, open
//! channels.
//!
//! What it must never know: another hospital's symptoms, how a ledger works inside, the system's clock or random
//! source. Symptoms and patients' names stay in [`store`] and in what is shown to the hospital's own people; no error
//! and no log line holds them.
//!
//! To add a use case: a file named after its verb, its local writes in one [`store::Store::step`], and what the
//! ledger shall know in the outbox, in the same step.

mod chain;
mod channel;
mod clinician;
mod consent_text;
mod deny;
mod epoch;
mod error;
mod follow;
mod grant;
mod group;
pub mod import;
mod introduction;
mod list;
pub mod lookup;
pub mod matcher;
mod members;
mod publish;
mod receipts;
mod register;
pub mod rpc;
mod sealing_keys;
mod send;
mod service;
mod settled;
mod step;
pub mod store;
mod submit;
mod withdraw;

pub use channel::{ChannelPart, ChannelSummary, Charter};
pub use consent_text::{ConsentText, DEFAULT_TEXT};
pub use error::{Denied, HospitalError};
pub use grant::ConsentTerms;
pub use group::{GroupOffers, SizeBand};
pub use introduction::{IntroductionSummary, PartiesSummary, Reply, Wish};
pub use list::{CaseSummary, HospitalStatus, LookupSummary, PAGE_MAX, ReceiptSummary};
pub use sealing_keys::SealingKeyStatus;
pub use send::SendReport;
pub use service::{HospitalService, Parts, known};
pub use step::{CaseProblem, Selection, StepReport};
pub use withdraw::WithdrawalReport;

// Open to the fuzz targets alone.
#[doc(hidden)]
pub use publish::QueuedPublication;
