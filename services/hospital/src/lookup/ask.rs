//! From an own case to a signed request, and from the request to a report.

use semblance_core::id::{OrganisationId, RequestId};
use semblance_core::limits::ANSWER_MAX;
use semblance_core::lookup::Purpose;
use semblance_core::observed::ObservedTerms;
use semblance_core::query::Breadth;
use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;

use super::report::LookupReport;
use crate::clinician::ClinicianName;
use crate::deny::Who;
use crate::error::{Denied, HospitalError};
use crate::grant::live_consent;
use crate::matcher::MatcherError;
use crate::service::HospitalService;
use crate::store::case::{self, LocalCaseId, StoredCase};
use crate::store::lookup;
use crate::store::patient_key::{self, PatientKey};
use crate::store::publication::{self, PublicationState};
use crate::store::{StoreError, audit};

/// How long a request may be recorded after it was signed.
pub(crate) const LIFETIME_MILLIS: u64 = 10 * 60 * 1000;
const _: () = assert!(LIFETIME_MILLIS <= semblance_core::limits::LOOKUP_VALIDITY_MILLIS);
/// A request that expires sooner is not worth waiting for.
const STILL_MILLIS: u64 = 60 * 1000;
/// How many slots that the ledger calls taken are passed over in one look-up.
const SLOT_TRIES: u32 = 3;

/// What a clinician asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The own case to find similar ones of.
    pub case: LocalCaseId,
    /// Who asks, as this hospital knows them.
    pub clinician: String,
    /// What for.
    pub purpose: Purpose,
    /// How far.
    pub breadth: Breadth,
    /// How many cases at most, 1 to 10.
    pub count: u8,
    /// Whom to ask; the preferred matcher when absent.
    pub matcher: Option<OrganisationId>,
}

/// The case that a look-up is made from, and what makes it one's own published case.
pub(super) struct Basis {
    pub(super) case: StoredCase,
    pub(super) key: PatientKey,
    pub(super) observed: ObservedTerms,
    pub(super) epoch: EpochNumber,
}

impl HospitalService {
    /// Looks up cases similar to an own published one, and shows what the own ledger confirms.
    ///
    /// # Errors
    /// Denied here, by the matcher or by the ledger; or the answer did not pass the checks; or something cannot be
    /// reached: then the stored request can be tried again with [`Self::retry`].
    pub async fn look_up(&self, question: Question) -> Result<LookupReport, HospitalError> {
        self.look_up_as("node", question).await
    }

    /// As [`Self::look_up`], for a caller whose certificate names the actor; the clinician is whom the actor names.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    pub async fn look_up_as(&self, actor: &str, mut question: Question) -> Result<LookupReport, HospitalError> {
        question.clinician = match ClinicianName::new(&question.clinician) {
            Ok(name) => name.into_text(),
            Err(error) => {
                let (subject, message) = (question.case.as_str(), error.to_string());
                return self.refuse(actor, "look-up", subject, Denied::Malformed, &message).await;
            }
        };
        let who = Who::asking(actor, &question.clinician);
        self.settle_unanswered().await?;
        let basis = match self.basis(&question).await? {
            Ok(basis) => basis,
            Err((code, message)) => {
                return self.refuse(who, "look-up", question.case.as_str(), code, message).await;
            }
        };
        // The same question that waits for its answer is led on: it takes one slot, and discloses once.
        if let Some(request) = self.waiting(&question, &basis).await? {
            return self.again(&who, request, &basis.case).await;
        }
        let mut skipped = 0;
        loop {
            let request = self.sign_request(&who, &question, &basis).await?;
            match self.complete(&who, request, &basis.case).await {
                // Asked anew only where the ledger shows that another request has the slot: then this one can never be
                // recorded any more, and the question discloses once.
                Err(HospitalError::Matcher(MatcherError::Refused { code, message })) if code == "slot-used" => {
                    if skipped == SLOT_TRIES || !self.slot_is_taken(request).await? {
                        return Err(MatcherError::Refused { code, message }.into());
                    }
                    skipped += 1;
                }
                ended => return ended,
            }
        }
    }

    /// Continues a look-up that was asked before: the same request gets the stored answer, never a new search.
    ///
    /// # Errors
    /// As [`Self::look_up`], or no such request.
    pub async fn retry(&self, actor: &str, request: RequestId) -> Result<LookupReport, HospitalError> {
        let found = self
            .store()
            .run(move |tx| -> Result<_, StoreError> {
                let Some(found) = lookup::get(tx, request)? else { return Ok(None) };
                Ok(case::get(tx, &found.local_id)?.map(|case| (found, case)))
            })
            .await?;
        let Some((stored, case)) = found else {
            let message = "this hospital asked no such look-up";
            return self.refuse(actor, "look-up", &request.to_string(), Denied::UnknownRequest, message).await;
        };
        self.again(&Who::asking(actor, &stored.clinician), request, &case).await
    }

    /// Leads a stored request on, for whoever asks for it now.
    async fn again(&self, who: &Who, request: RequestId, case: &StoredCase) -> Result<LookupReport, HospitalError> {
        let (named, now) = (who.clone(), self.now());
        let line = move |tx: &rusqlite::Transaction<'_>| {
            audit::add_named(tx, now, named.names(), "look-up-again", &request.to_string(), "ok")
        };
        self.store().run(line).await?;
        self.complete(who, request, case).await
    }

    /// The request in which this very question, of the case as it is now, waits for an answer that may still come.
    async fn waiting(&self, question: &Question, basis: &Basis) -> Result<Option<RequestId>, HospitalError> {
        let Some(matcher) = self.matcher(question.matcher.as_ref()) else { return Ok(None) };
        let now = self.now();
        let same = lookup::SameQuestion {
            local_id: question.case.clone(),
            clinician: question.clinician.clone(),
            purpose: question.purpose.word(),
            breadth: breadth_word(question.breadth),
            epoch: basis.epoch,
            matcher: matcher.organisation().clone(),
            count: question.count,
            since: basis.case.changed_at.max(Timestamp::from_millis(now.millis().saturating_sub(LIFETIME_MILLIS))),
            until: now.plus(STILL_MILLIS),
        };
        Ok(self.store().run(move |tx| lookup::waiting(tx, &same)).await?)
    }

    /// What the look-up is made from, or why there is none.
    async fn basis(&self, question: &Question) -> Result<Result<Basis, (Denied, &'static str)>, HospitalError> {
        if !(1..=ANSWER_MAX).contains(&usize::from(question.count)) {
            return Ok(Err((Denied::Malformed, "between 1 and 10 cases can be asked for")));
        }
        let epoch = match self.open_epoch_number().await {
            Ok(epoch) => epoch,
            Err(HospitalError::Denied { code, .. }) => {
                return Ok(Err((code, "no epoch is open of which this node has the key and the vocabulary")));
            }
            Err(error) => return Err(error),
        };
        let (service, question) = (self.clone(), question.clone());
        self.store().run(move |tx| -> Result<_, HospitalError> { service.read_basis(tx, &question, epoch) }).await
    }

    fn read_basis(
        &self,
        tx: &rusqlite::Transaction<'_>,
        question: &Question,
        epoch: EpochNumber,
    ) -> Result<Result<Basis, (Denied, &'static str)>, HospitalError> {
        let Some(case) = case::get(tx, &question.case)? else {
            return Ok(Err((Denied::UnknownCase, "this hospital has no such case: a look-up is made from an own one")));
        };
        let observed = match self.observed(&case) {
            Ok(observed) => observed,
            Err(Denied::TooFewTerms) => {
                return Ok(Err((Denied::TooFewTerms, "a look-up needs at least 3 observed symptoms")));
            }
            Err(code) => return Ok(Err((code, "a symptom of the case is not one of the epoch's vocabulary"))),
        };
        if !observed.reach().allows(question.breadth) {
            return Ok(Err((Denied::TooFewTerms, "with fewer than 5 symptoms a look-up can only be close")));
        }
        if let Err(code) = live_consent(tx, &question.case, self.now())? {
            return Ok(Err((code, "a look-up is made from a case that is published with live consent")));
        }
        let standing = publication::standing(tx, &question.case, epoch)?;
        let Some(published) = standing.iter().find(|one| one.state == PublicationState::Live) else {
            return Ok(Err((Denied::NotPublished, "the case is not published in the open epoch: publish it first")));
        };
        if published.revision < case.revision {
            return Ok(Err((Denied::NotCurrent, "the case was corrected since: publish the correction first")));
        }
        let Some(key) = patient_key::get(tx, &question.case)? else {
            return Ok(Err((Denied::NotRegistered, "the case has no patient key")));
        };
        Ok(Ok(Basis { case, key, observed, epoch }))
    }
}

/// A breadth's word.
pub(crate) const fn breadth_word(breadth: Breadth) -> &'static str {
    match breadth {
        Breadth::Close => "close",
        Breadth::Wide => "wide",
    }
}
