//! Introductions: this hospital asks the other hospital of a match for contact, and answers when it is asked.
//!
//! Everything that tells who shall meet whom is sealed to the other side. What comes in is believed only where the
//! look-up on the ledger, the keys that signed and the consents agree with it; all else is a line in the audit.

mod answer;
mod evidence;
mod propose;
mod receive;

pub use answer::Reply;
pub(crate) use propose::unsealable;
pub(crate) use receive::IntroductionChange;

use semblance_core::id::IntroductionId;
use semblance_core::introduction::{Parties, Reason, Side};
use serde::Serialize;

use crate::error::{Denied, HospitalError};
use crate::list::PAGE_MAX;
use crate::service::HospitalService;
use crate::store::introduction::{self, StoredIntroduction};
use crate::store::{StoreError, channel};

/// What a proposer wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Who takes part on this hospital's side.
    pub parties: Parties,
    /// Why contact is asked for.
    pub reason: Reason,
}

/// Who of a side takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PartiesSummary {
    /// The clinicians who look after the case.
    pub clinicians: bool,
    /// The patient, or whoever acts for them.
    pub patient: bool,
}

impl From<Parties> for PartiesSummary {
    fn from(parties: Parties) -> Self {
        Self { clinicians: parties.clinicians, patient: parties.patient }
    }
}

/// One introduction and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntroductionSummary {
    /// Its name on the ledger.
    pub introduction: String,
    /// Whether this hospital proposed it.
    pub outgoing: bool,
    /// On which side of the look-up this hospital stands: `asker` or `found`.
    pub side: &'static str,
    /// The look-up in which the cases met.
    pub lookup: String,
    /// The found case's place in the answer, from 1.
    pub rank: u8,
    /// The own case.
    pub case: String,
    /// The found one of the two cases.
    pub handle: String,
    /// The other hospital.
    pub hospital: String,
    /// Why contact is asked for.
    pub reason: &'static str,
    /// Who takes part on this hospital's side, once it agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<PartiesSummary>,
    /// Who takes part on the other side, once it agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<PartiesSummary>,
    /// How far it got.
    pub state: &'static str,
    /// Why it was declined or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The channel that was opened on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Until when it may be answered, in milliseconds since 1970.
    pub expires: u64,
    /// When it was proposed, in milliseconds since 1970.
    pub at: u64,
}

impl HospitalService {
    /// The introductions that this hospital proposed and those that were proposed to it, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn introductions(&self, skip: usize, limit: usize) -> Result<Vec<IntroductionSummary>, HospitalError> {
        let page = move |tx: &rusqlite::Transaction<'_>| -> Result<Vec<_>, StoreError> {
            let rows = introduction::page(tx, skip, limit.clamp(1, PAGE_MAX))?;
            rows.into_iter().map(|row| summary(tx, row)).collect()
        };
        Ok(self.store().run(page).await?)
    }

    /// One introduction.
    pub(crate) async fn introduction(&self, id: IntroductionId) -> Result<IntroductionSummary, HospitalError> {
        let found = self.store().run(move |tx| -> Result<_, StoreError> {
            introduction::get(tx, id)?.map(|row| summary(tx, row)).transpose()
        });
        found.await?.ok_or_else(|| StoreError::Damaged("an introduction is gone".to_owned()).into())
    }

    /// Refuses, for a use case about an introduction that is not here.
    async fn unknown_introduction<T>(
        &self,
        actor: &str,
        action: &'static str,
        id: IntroductionId,
    ) -> Result<T, HospitalError> {
        let message = "this hospital has no such introduction";
        self.refuse(actor, action, &id.to_string(), Denied::UnknownIntroduction, message).await
    }
}

fn summary(tx: &rusqlite::Transaction<'_>, row: StoredIntroduction) -> Result<IntroductionSummary, StoreError> {
    let channel = channel::of_introduction(tx, row.introduction)?;
    Ok(IntroductionSummary {
        introduction: row.introduction.to_string(),
        outgoing: row.outgoing,
        side: row.side.word(),
        lookup: row.lookup.to_string(),
        rank: row.rank,
        case: row.local_id.to_string(),
        handle: row.handle.to_string(),
        hospital: row.other.to_string(),
        reason: row.reason.word(),
        own: row.own.map(|party| party.parties.into()),
        theirs: row.theirs.map(|party| party.parties.into()),
        state: row.state.as_str(),
        code: row.code,
        channel: channel.map(|channel| channel.channel.to_string()),
        expires: row.expires.millis(),
        at: row.at.millis(),
    })
}

/// The other side of the look-up.
pub(crate) const fn opposite(side: Side) -> Side {
    match side {
        Side::Asker => Side::Found,
        Side::Found => Side::Asker,
    }
}
