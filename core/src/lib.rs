//! The pure domain of Semblance: terms, tokens, fingerprints, queries, consents, look-ups and receipts.
//!
//! What it must never know: files, networks, threads, the system's clock or random source. Time comes in as a
//! [`time::Timestamp`], randomness through [`random::RandomSource`]; everything else is values in, values out.
//!
//! To add a signed statement: give it a file of its own, a domain tag in [`encode::domain`], a fixed layout written
//! with [`encode::Writer`], a decoder that refuses anything but the exact bytes, and a test vector.

pub mod answer;
pub mod attestation;
pub mod audit;
pub mod case;
pub mod channel;
mod coded;
pub mod consent;
pub mod denial;
pub mod dummies;
pub mod encode;
pub mod epoch;
pub mod fingerprint;
pub mod id;
pub mod introduction;
pub mod limits;
pub mod lookup;
pub mod observed;
pub mod organisation;
pub mod patient_key;
pub mod policy;
pub mod proposal;
pub mod pseudonym;
pub mod query;
pub mod random;
pub mod receipt;
pub mod record;
pub mod score;
pub mod sealing;
pub mod signature;
pub mod synthetic;
pub mod term;
pub mod time;
pub mod token;
pub mod vocabulary;
