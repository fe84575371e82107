//! Denials: what was refused here is kept in the local audit and told to all members, coded and under a pseudonym.

use semblance_core::denial::{Denial, DenialCode};
use semblance_core::id::{DenialId, Digest};
use semblance_core::record::Record;

use crate::error::{Denied, HospitalError};
use crate::service::HospitalService;
use crate::store::outbox::{self, Kind};
use crate::store::{StoreError, audit};

/// Who is behind an action.
#[derive(Clone)]
pub(crate) struct Who {
    /// The caller, by certificate, or the node itself.
    pub(crate) actor: String,
    /// Of a look-up, the clinician whom the caller names.
    pub(crate) clinician: Option<String>,
}

impl Who {
    pub(crate) fn asking(actor: &str, clinician: &str) -> Self {
        Self { actor: actor.to_owned(), clinician: Some(clinician.to_owned()) }
    }

    /// The two names, as an audit line takes them.
    pub(crate) fn names(&self) -> (&str, Option<&str>) {
        (&self.actor, self.clinician.as_deref())
    }
}

impl From<&str> for Who {
    fn from(actor: &str) -> Self {
        Self { actor: actor.to_owned(), clinician: None }
    }
}

impl HospitalService {
    /// Records a denial locally and queues it for the ledger.
    pub(crate) async fn deny(
        &self,
        who: impl Into<Who>,
        action: &'static str,
        subject: &str,
        code: Denied,
        request: Option<Digest>,
    ) -> Result<(), HospitalError> {
        let (service, who, subject) = (self.clone(), who.into(), subject.to_owned());
        self.store().run(move |tx| service.note_denial(tx, &who, action, &subject, code, request)).await?;
        Ok(())
    }

    /// Records a denial in a step under way.
    pub(crate) fn note_denial(
        &self,
        tx: &rusqlite::Transaction<'_>,
        who: &Who,
        action: &'static str,
        subject: &str,
        code: Denied,
        request: Option<Digest>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        tracing::info!(code = code.as_str(), action, "denied");
        audit::add_named(tx, now, who.names(), action, subject, code.as_str())?;
        let Some(public) = public_code(code) else { return Ok(()) };
        let denial = Denial {
            id: DenialId::random(self.inner.random.as_ref()),
            organisation: self.inner.organisation.clone(),
            code: public,
            subject: self.inner.pseudonyms.clinician(now.day().week(), who.clinician.as_ref().unwrap_or(&who.actor)),
            request,
            time: now,
        };
        outbox::add(tx, Kind::Deny, &denial.id.to_string(), &denial.encode(), now)
    }

    /// Records a denial in the local audit alone and turns it into the error that the caller gets: for what concerns
    /// channels, of which the ledger shall not show that somebody used them.
    pub(crate) async fn refuse_quietly<T>(
        &self,
        actor: &str,
        action: &'static str,
        subject: &str,
        code: Denied,
        message: &str,
    ) -> Result<T, HospitalError> {
        let (actor, subject, now) = (actor.to_owned(), subject.to_owned(), self.now());
        tracing::info!(code = code.as_str(), action, "denied");
        let line = move |tx: &rusqlite::Transaction<'_>| audit::add(tx, now, &actor, action, &subject, code.as_str());
        self.store().run(line).await?;
        Err(HospitalError::denied(code, message))
    }

    /// Records a denial and turns it into the error that the caller gets.
    pub(crate) async fn refuse<T>(
        &self,
        who: impl Into<Who>,
        action: &'static str,
        subject: &str,
        code: Denied,
        message: &str,
    ) -> Result<T, HospitalError> {
        self.deny(who, action, subject, code, None).await?;
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
        // Anyone can hold the request's digest against the ledger: signs of a matcher that cheats.
        Denied::NoEntry => DenialCode::NoEntry,
        Denied::EntryMismatch => DenialCode::EntryMismatch,
        // A stranger who knocks could else fill the ledger.
        Denied::NotAuthorised => return None,
        Denied::ConsentLive | Denied::InvalidConsent | Denied::UnknownRequest | Denied::EntryBehind => return None,
        // Who wants to meet whom, and who talks, is nobody else's business.
        Denied::ConsentScope
        | Denied::UnknownMatch
        | Denied::UnknownReceipt
        | Denied::UnknownHospital
        | Denied::UnknownIntroduction
        | Denied::IntroductionExists
        | Denied::IntroductionEnded
        | Denied::NotAccepted
        | Denied::UnknownChannel
        | Denied::ChannelEnded
        | Denied::ChannelWaits
        | Denied::InvalidTopic => return None,
    })
}
