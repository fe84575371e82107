//! What the contract stores: records with a version byte, each under the key its documentation names.
//!
//! `network` holds a [`Network`](semblance_core::organisation::Network), `organisation/<id>` an
//! [`Organisation`](semblance_core::organisation::Organisation), `epoch/<n>` an
//! [`Epoch`](semblance_core::epoch::Epoch), `epoch-key/<n>/<hospital>` a
//! [`SealedEpochKey`](semblance_core::epoch::SealedEpochKey), `case/<handle>` a
//! [`PublishedCase`](semblance_core::case::PublishedCase), `denial/…` a [`Denial`](semblance_core::denial::Denial) and
//! `group-topic/<group>/<hospital>` a [`SealedTopic`](semblance_core::channel::SealedTopic), all from the core. What only
//! its owner may change carries the owner's endorsement policy; what any member may end has a tombstone under a key of
//! its own.

mod case;
mod channel;
mod consent;
mod introduction;
mod lookup;
mod member;

pub use case::{CasePurge, CaseTombstone, CaseView, Publication};
pub use channel::{ChannelRecord, Opening};
pub use consent::{
    ConsentRecord, ConsentTombstone, ConsentView, NewestConsent, PatientKeyRecord, PatientKeyView, Successor,
};
pub use introduction::{
    IntroductionAnswerRecord, IntroductionChannel, IntroductionRecord, IntroductionRow, ProposedIntroduction,
};
pub use lookup::{LookupRecord, LookupRow};
pub use member::RotationRecord;
