//! Transactions, one file each: what they check, in which order, and what they write.
//!
//! Arguments are checked before state is read, and everything is checked before anything is written.

pub(crate) mod answer_introduction;
pub(crate) mod close_epoch;
pub(crate) mod expire;
pub(crate) mod genesis;
pub(crate) mod grant_consent;
pub(crate) mod open_channel;
pub(crate) mod open_epoch;
pub(crate) mod open_group;
pub(crate) mod propose_introduction;
pub(crate) mod publish_cases;
pub(crate) mod purge_case;
pub(crate) mod record_denials;
pub(crate) mod record_lookups;
pub(crate) mod register_member;
pub(crate) mod register_patient_key;
pub(crate) mod rotate_key;
pub(crate) mod withdraw_consent;
