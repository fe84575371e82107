//! Which channels a person of this hospital may take part in, and on which consent.
//!
//! A patient takes part where their side agreed that they do, and in groups that are offered to their case. A clinician
//! takes part for a case that they look after: one that they made a look-up for, or that they were assigned to.

use semblance_core::attestation::LeafPledge;
use semblance_core::channel::ChannelKind;
use semblance_core::consent::Scope;
use semblance_core::id::ConsentId;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use zeroize::Zeroizing;

use super::Charter;
use crate::clinician::ClinicianName;
use crate::error::{Denied, HospitalError};
use crate::grant::live_consent_for;
use crate::list::PAGE_MAX;
use crate::service::HospitalService;
use crate::store::case::{self, LocalCaseId};
use crate::store::channel::{self, ChannelState, StoredChannel};
use crate::store::consent::{self, ConsentState};
use crate::store::introduction;
use crate::store::{StoreError, audit, care, patient_key};

/// A channel, and what one person's part in it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelPart {
    /// What the channel is.
    pub charter: Charter,
    /// The consent.
    pub consent: ConsentId,
    /// What the person is told about it, in the hospital's own words.
    pub about: String,
}

/// As whom somebody asks.
#[derive(Clone, Copy)]
enum As<'a> {
    Clinician(&'a str),
    Patient(&'a LocalCaseId),
}

impl HospitalService {
    /// The channels that a patient may take part in, by the local id of the case.
    ///
    /// # Errors
    /// The store failed.
    pub async fn patients_channels(&self, case: &str) -> Result<Vec<ChannelPart>, HospitalError> {
        let Ok(case) = case.parse::<LocalCaseId>() else { return Ok(Vec::new()) };
        let service = self.clone();
        Ok(self.store().run(move |tx| service.parts(tx, As::Patient(&case))).await?)
    }

    /// The channels that a clinician may take part in.
    ///
    /// # Errors
    /// The store failed.
    pub async fn clinicians_channels(&self, clinician: &str) -> Result<Vec<ChannelPart>, HospitalError> {
        let Ok(clinician) = ClinicianName::new(clinician).map(ClinicianName::into_text) else { return Ok(Vec::new()) };
        let service = self.clone();
        Ok(self.store().run(move |tx| service.parts(tx, As::Clinician(&clinician))).await?)
    }

    /// Assigns a clinician to a case: they may take part in its channels.
    ///
    /// # Errors
    /// No such case, no such name, or the store failed.
    pub async fn assign_clinician(
        &self,
        actor: &str,
        case: &LocalCaseId,
        clinician: &str,
    ) -> Result<(), HospitalError> {
        // In the form in which look-ups know it: who looked up a case looks after it by the same name.
        let name = match ClinicianName::new(clinician) {
            Ok(name) => name.into_text(),
            Err(error) => {
                let (code, message) = (Denied::Malformed, error.to_string());
                return self.refuse(actor, "assign-clinician", case.as_str(), code, &message).await;
            }
        };
        let (id, by, now) = (case.clone(), actor.to_owned(), self.now());
        let assigned = self
            .store()
            .run(move |tx| -> Result<bool, StoreError> {
                if case::get(tx, &id)?.is_none() {
                    return Ok(false);
                }
                care::assign(tx, &id, &name)?;
                audit::add(tx, now, &by, "assign-clinician", id.as_str(), "ok")?;
                Ok(true)
            })
            .await?;
        if assigned {
            return Ok(());
        }
        let message = "this hospital has no such case";
        self.refuse(actor, "assign-clinician", case.as_str(), Denied::UnknownCase, message).await
    }

    /// The channels of which this hospital is the hub, with the seeds of their hub keys.
    ///
    /// # Errors
    /// The store failed.
    pub async fn own_hubs(&self) -> Result<Vec<(Charter, Zeroizing<[u8; 32]>)>, HospitalError> {
        let open = self.store().run(|tx| -> Result<_, StoreError> { open_channels(tx) }).await?;
        let seeded = open.into_iter().filter_map(|mut found| found.seed.take().map(|seed| (found.into(), seed)));
        Ok(seeded.collect())
    }

    /// Signs for a leaf as the key of a consent of this hospital, which is kept here for the patient. None for a
    /// consent that does not hold, or is another hospital's.
    ///
    /// # Errors
    /// The store failed.
    pub async fn pledge(&self, pledge: LeafPledge) -> Result<Option<SignedBytes>, HospitalError> {
        if pledge.network != self.inner.network {
            return Ok(None);
        }
        let id = pledge.consent;
        let key = self
            .store()
            .run(move |tx| -> Result<_, StoreError> {
                let Some(found) = consent::get(tx, id)?.filter(|found| found.state == ConsentState::Live) else {
                    return Ok(None);
                };
                patient_key::get(tx, &found.local_id)
            })
            .await?;
        Ok(key.map(|key| pledge.sign(&SigningKey::from_seed(&key.seed)).into_parts().1))
    }

    fn parts(&self, tx: &rusqlite::Transaction<'_>, who: As<'_>) -> Result<Vec<ChannelPart>, StoreError> {
        let mut parts = Vec::new();
        for found in open_channels(tx)? {
            let part = match found.kind {
                ChannelKind::Group => self.part_of_group(tx, &found, who)?,
                ChannelKind::Match | ChannelKind::Patients => self.part_of_match(tx, &found, who)?,
            };
            if let Some((consent, about)) = part {
                parts.push(ChannelPart { charter: found.into(), consent, about });
            }
        }
        Ok(parts)
    }

    fn part_of_match(
        &self,
        tx: &rusqlite::Transaction<'_>,
        found: &StoredChannel,
        who: As<'_>,
    ) -> Result<Option<(ConsentId, String)>, StoreError> {
        let Some(id) = found.introduction else { return Ok(None) };
        let Some(met) = introduction::get(tx, id)? else { return Ok(None) };
        let Some(own) = met.own else { return Ok(None) };
        let takes_part = match who {
            As::Patient(case) => own.parties.patient && *case == met.local_id,
            As::Clinician(name) => own.parties.clinicians && care::looks_after(tx, &met.local_id, name)?,
        };
        if !takes_part {
            return Ok(None);
        }
        // A patient knows their own case; a clinician has many.
        let about = match who {
            As::Patient(_) => format!("a match with a patient of {}", met.other),
            As::Clinician(_) => format!("case {} and a match of {}", met.local_id, met.other),
        };
        Ok(Some((own.consent.consent, about)))
    }

    /// Patients to whom the group is offered; clinicians only at the hospital that opened it, for the case it was opened
    /// for.
    fn part_of_group(
        &self,
        tx: &rusqlite::Transaction<'_>,
        found: &StoredChannel,
        who: As<'_>,
    ) -> Result<Option<(ConsentId, String)>, StoreError> {
        let Some(topic) = &found.topic else { return Ok(None) };
        let case = match (who, &found.local_id) {
            (As::Patient(case), _) => case.clone(),
            (As::Clinician(name), Some(case)) if care::looks_after(tx, case, name)? => case.clone(),
            (As::Clinician(_), _) => return Ok(None),
        };
        let Some(stored) = case::get(tx, &case)? else { return Ok(None) };
        let is_its_own = found.local_id.as_ref() == Some(&case);
        if !is_its_own && !self.suits(&stored, topic.terms()) {
            return Ok(None);
        }
        let live = live_consent_for(tx, &case, Scope::JoinGroups, self.inner.network, self.now())?;
        let Ok(consent) = live else { return Ok(None) };
        let labels: Vec<_> = topic.terms().iter().map(|term| self.symptom(*term).label).collect();
        let size = self.size_of(tx, found.channel, topic)?.word();
        let about = format!("people with {} (such patients here: {size})", labels.join(", "));
        Ok(Some((consent.consent, about)))
    }
}

fn open_channels(tx: &rusqlite::Transaction<'_>) -> Result<Vec<StoredChannel>, StoreError> {
    let (mut open, mut skip) = (Vec::new(), 0);
    loop {
        let page = channel::page(tx, skip, PAGE_MAX)?;
        let count = page.len();
        open.extend(page.into_iter().filter(|found| found.state == ChannelState::Open));
        if count < PAGE_MAX {
            return Ok(open);
        }
        skip += count;
    }
}
