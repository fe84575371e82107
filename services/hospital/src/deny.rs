//! Denials: what was refused here is kept in the local audit and told to all members, coded and under a pseudonym.

use semblance_core::denial::{Denial, DenialCode};
use semblance_core::id::{DenialId, Digest};
use semblance_core::record::Record;

use crate::error::{Denied, HospitalError};
use crate::service::HospitalService;
use crate::store::outbox::{self, Kind};
use crate::store::{StoreError, audit};

impl HospitalService {
    /// Records a denial locally and queues it for the ledger.
    pub(crate) async fn deny(
        &self,
        actor: &str,
        action: &'static str,
        subject: &str,
        code: Denied,
        request: Option<Digest>,
    ) -> Result<(), HospitalError> {
        let (service, actor, subject) = (self.clone(), actor.to_owned(), subject.to_owned());
        self.store().run(move |tx| service.note_denial(tx, &actor, action, &subject, code, request)).await?;
        Ok(())
    }

    /// Records a denial in a step under way.
    pub(crate) fn note_denial(
        &self,
        tx: &rusqlite::Transaction<'_>,
        actor: &str,
        action: &'static str,
        subject: &str,
        code: Denied,
        request: Option<Digest>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        tracing::info!(code = code.as_str(), action, "denied");
        audit::add(tx, now, actor, action, subject, code.as_str())?;
        let Some(public) = public_code(code) else { return Ok(()) };
        let denial = Denial {
            id: DenialId::random(self.inner.random.as_ref()),
            organisation: self.inner.organisation.clone(),
            code: public,
            subject: self.inner.pseudonyms.clinician(now.day().week(), actor),
            request,
            time: now,
        };
        outbox::add(tx, Kind::Deny, &denial.id.to_string(), &denial.encode(), now)
    }

    /// Records a denial and turns it into the error that the caller gets.
    pub(crate) async fn refuse<T>(
        &self,
        actor: &str,
        action: &'static str,
        subject: &str,
        code: Denied,
        message: &str,
    ) -> Result<T, HospitalError> {
        self.deny(actor, action, subject, code, None).await?;
        Err(HospitalError::denied(code, message))
    }
}

/// The code that the other members see; none for what concerns this hospital alone.
const fn public_code(code: Denied) -> Option<DenialCode> {
    Some(match code {
        Denied::UnknownCase => DenialCode::NotOwnCase,
        Denied::TooFewTerms => DenialCode::TooFewTerms,
        Denied::UnknownTerm => DenialCode::UnknownTerm,
        Denied::NotPublished | Denied::NotCurrent | Denied::NoConsent | Denied::NotRegistered => {
            DenialCode::NotPublished
        }
        Denied::ExpiredConsent => DenialCode::ExpiredConsent,
        Denied::WithdrawnConsent => DenialCode::WithdrawnConsent,
        Denied::WrongEpoch | Denied::VocabularyMismatch => DenialCode::WrongEpoch,
        Denied::BudgetHospital => DenialCode::BudgetHospital,
        Denied::BudgetClinician => DenialCode::BudgetClinician,
        Denied::UnknownMatcher => DenialCode::WrongRecipient,
        Denied::ExpiredRequest => DenialCode::ExpiredRequest,
        Denied::Malformed => DenialCode::Malformed,
        Denied::ConsentLive
        | Denied::InvalidConsent
        | Denied::UnknownRequest
        | Denied::NoEntry
        | Denied::EntryMismatch => return None,
    })
}
