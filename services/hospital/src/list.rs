//! Lists for the hospital's own people: cases, look-ups asked, receipts ("who found us"), local audit.

use serde::Serialize;

use crate::error::HospitalError;
use crate::service::HospitalService;
use crate::store::audit::AuditLine;
use crate::store::case::{self, LocalCaseId};
use crate::store::{StoreError, audit, consent, lookup, outbox, patient_key, publication, receipt};

/// Most rows on one page.
pub const PAGE_MAX: usize = 500;

/// One case and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseSummary {
    /// Its local id.
    pub case: String,
    /// Its label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Observed symptoms.
    pub observed: u32,
    /// Symptoms looked for and not found.
    pub excluded: u32,
    /// Its revision, from 1.
    pub revision: u32,
    /// How far the patient's key got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'static str>,
    /// How far the newest consent got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<&'static str>,
    /// Until when that consent holds, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_expires: Option<u64>,
    /// How far the newest publication got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publication: Option<&'static str>,
    /// Its public name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Its epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// Whether the case was corrected since.
    pub outdated: bool,
}

/// One look-up that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LookupSummary {
    /// Its request.
    pub request: String,
    /// The own case it was made from.
    pub case: String,
    /// Who asked.
    pub clinician: String,
    /// What for.
    pub purpose: String,
    /// `close` or `wide`.
    pub breadth: String,
    /// Who was asked.
    pub matcher: String,
    /// How far it got.
    pub state: &'static str,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// One disclosure of an own case to another hospital.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptSummary {
    /// The look-up.
    pub request: String,
    /// The own case that was found, if this store knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Its public name.
    pub handle: String,
    /// Who asked.
    pub asker: String,
    /// What for.
    pub purpose: String,
    /// Whether the asker's case had few symptoms.
    pub short: bool,
    /// Who answered.
    pub matcher: String,
    /// The place among the matches, from 1.
    pub rank: u8,
    /// The block that the answer's index had reached.
    pub height: u64,
    /// The block of the entry.
    pub block: u64,
    /// The block's time, in milliseconds since 1970.
    pub at: u64,
}

/// Where the node stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HospitalStatus {
    /// The hospital.
    pub hospital: String,
    /// Cases in its store.
    pub cases: u64,
    /// Operations that wait for the ledger.
    pub waiting: u64,
    /// Blocks of the ledger read.
    pub followed: u64,
}

impl HospitalService {
    /// The cases whose local ids follow `after`, in the order of the ids.
    ///
    /// # Errors
    /// The store failed.
    pub async fn cases(&self, after: &str, limit: usize) -> Result<Vec<CaseSummary>, HospitalError> {
        let after = after.to_owned();
        self.store()
            .run(move |tx| -> Result<_, HospitalError> {
                let mut rows = Vec::new();
                for found in case::page(tx, &after, limit.clamp(1, PAGE_MAX))? {
                    rows.push(summary(tx, &found)?);
                }
                Ok(rows)
            })
            .await
    }

    /// The look-ups asked, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn lookups(&self, skip: usize, limit: usize) -> Result<Vec<LookupSummary>, HospitalError> {
        let rows = self.store().run(move |tx| lookup::page(tx, skip, limit.clamp(1, PAGE_MAX))).await?;
        let summary = |row: lookup::StoredLookup| LookupSummary {
            request: row.request.to_string(),
            case: row.local_id.to_string(),
            clinician: row.clinician,
            purpose: row.purpose,
            breadth: row.breadth,
            matcher: row.matcher.to_string(),
            state: row.state.as_str(),
            code: row.code,
            at: row.at.millis(),
        };
        Ok(rows.into_iter().map(summary).collect())
    }

    /// Who found us: disclosures of own cases, newest first; of one case, or of all.
    ///
    /// # Errors
    /// The store failed.
    pub async fn receipts(
        &self,
        case: Option<LocalCaseId>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<ReceiptSummary>, HospitalError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let rows = self.store().run(move |tx| receipt::page(tx, case.as_ref(), skip, limit)).await?;
        let summary = |row: receipt::Receipt| ReceiptSummary {
            request: row.request.to_string(),
            case: row.local_id.map(|id| id.to_string()),
            handle: row.handle.to_string(),
            asker: row.asker.to_string(),
            purpose: row.purpose,
            short: row.short,
            matcher: row.matcher.to_string(),
            rank: row.rank,
            height: row.height,
            block: row.block,
            at: row.at.millis(),
        };
        Ok(rows.into_iter().map(summary).collect())
    }

    /// The lines of the local audit that follow number `after`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn audit(&self, after: i64, limit: usize) -> Result<Vec<AuditLine>, HospitalError> {
        Ok(self.store().run(move |tx| audit::page(tx, after, limit.clamp(1, PAGE_MAX))).await?)
    }

    /// Where the node stands.
    ///
    /// # Errors
    /// The store failed.
    pub async fn status(&self) -> Result<HospitalStatus, HospitalError> {
        let counted = self.store().run(|tx| -> Result<_, StoreError> { Ok((case::count(tx)?, outbox::count(tx)?)) });
        let (cases, waiting) = counted.await?;
        let hospital = self.organisation().to_string();
        Ok(HospitalStatus { hospital, cases, waiting, followed: self.followed() })
    }
}

fn summary(tx: &rusqlite::Transaction<'_>, found: &case::StoredCase) -> Result<CaseSummary, StoreError> {
    let id = &found.content.local_id;
    let consent = consent::newest(tx, id)?;
    let published = publication::newest(tx, id)?;
    let observed = found.content.terms.iter().filter(|term| !term.excluded).count();
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(CaseSummary {
        case: id.to_string(),
        label: found.content.label.clone(),
        observed: narrow(observed),
        excluded: narrow(found.content.terms.len().saturating_sub(observed)),
        revision: found.revision,
        key: patient_key::get(tx, id)?.map(|key| key.state.as_str()),
        consent: consent.as_ref().map(|consent| consent.state.as_str()),
        consent_expires: consent.as_ref().map(|consent| consent.expires.millis()),
        publication: published.as_ref().map(|one| one.state.as_str()),
        handle: published.as_ref().map(|one| one.handle.to_string()),
        epoch: published.as_ref().map(|one| one.epoch.0),
        outdated: published.is_some_and(|one| one.revision < found.revision),
    })
}
