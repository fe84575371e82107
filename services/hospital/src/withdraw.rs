//! Withdraws a consent: the patient's key signs, the public tombstone takes the cases out at once, the purge follows.

use semblance_core::consent::Withdrawal;
use semblance_core::id::ConsentId;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use serde::Serialize;

use crate::error::{Denied, HospitalError};
use crate::grant::signed_payload;
use crate::service::HospitalService;
use crate::store::StoreError;
use crate::store::audit;
use crate::store::case::LocalCaseId;
use crate::store::consent::{self, ConsentState, StoredConsent};
use crate::store::outbox::{self, Kind};
use crate::store::patient_key::{self, PatientKey};
use crate::store::publication::{self, PublicationState};

/// What came of a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithdrawalReport {
    /// The case.
    pub case: LocalCaseId,
    /// The consent, dead for ever.
    pub consent: String,
    /// Whether the tombstone stands on the ledger; if not, it is sent as soon as the ledger answers.
    pub withdrawn: bool,
    /// Publications whose private data are purged.
    pub purged: u64,
    /// Publications whose purge waits; it is tried until it holds.
    pub purge_waiting: u64,
    /// Why something waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

impl HospitalService {
    /// Withdraws the newest consent of a case.
    ///
    /// # Errors
    /// No such case, no consent to withdraw, or the store failed. A ledger that cannot be reached is no error.
    pub async fn withdraw(&self, actor: &str, case: &LocalCaseId) -> Result<WithdrawalReport, HospitalError> {
        let (service, actor_name, id) = (self.clone(), actor.to_owned(), case.clone());
        let signed = self
            .store()
            .run(move |tx| -> Result<_, StoreError> { service.sign_withdrawal(tx, &actor_name, &id) })
            .await?;
        let found = match signed {
            Ok(found) => found,
            Err((code, message)) => return self.refuse(actor, "withdraw", case.as_str(), code, message).await,
        };
        let sent = self.send().await?;
        let case = case.clone();
        self.store()
            .run(move |tx| -> Result<WithdrawalReport, HospitalError> {
                let state = consent::get(tx, found)?.map(|consent| consent.state);
                let publications = publication::of_consent(tx, found)?;
                let waiting = publications.iter().filter(|one| one.state != PublicationState::Refused).count() as u64;
                let purged = publication::purged_of(tx, found)?;
                Ok(WithdrawalReport {
                    case,
                    consent: found.to_string(),
                    withdrawn: state == Some(ConsentState::Withdrawn),
                    purged,
                    purge_waiting: waiting,
                    waits_for: sent.waits_for,
                })
            })
            .await
    }

    /// Signs the withdrawal of a case's newest consent and submits nothing: whoever is handed it can have it submitted
    /// by any member, also when this hospital does not answer.
    ///
    /// # Errors
    /// No such case, no consent to withdraw, or the store failed.
    pub async fn withdrawal_to_keep(
        &self,
        actor: &str,
        case: &LocalCaseId,
    ) -> Result<(ConsentId, SignedBytes), HospitalError> {
        let (service, actor_name, id) = (self.clone(), actor.to_owned(), case.clone());
        let signed = self
            .store()
            .run(move |tx| -> Result<_, StoreError> {
                let found = (consent::newest(tx, &id)?, patient_key::get(tx, &id)?);
                let (Some(newest), Some(key)) = found else { return Ok(None) };
                if newest.state == ConsentState::Refused {
                    return Ok(None);
                }
                audit::add(tx, service.now(), &actor_name, "sign-withdrawal", id.as_str(), "ok")?;
                Ok(Some((newest.consent, service.withdrawal(&newest, &key))))
            })
            .await?;
        match signed {
            Some(signed) => Ok(signed),
            None => {
                let why = "this hospital has no such case with a consent to withdraw";
                self.refuse(actor, "sign-withdrawal", case.as_str(), Denied::NoConsent, why).await
            }
        }
    }

    /// The withdrawal of a consent, signed with the case's key.
    fn withdrawal(&self, newest: &StoredConsent, key: &PatientKey) -> SignedBytes {
        let signer = SigningKey::from_seed(&key.seed);
        let withdrawal = Withdrawal {
            network: self.inner.network,
            consent: newest.consent,
            sequence: newest.sequence.saturating_add(1),
            patient_key: signer.verifying_key(),
            time: self.now(),
        };
        withdrawal.sign(&signer).into_parts().1
    }

    fn sign_withdrawal(
        &self,
        tx: &rusqlite::Transaction<'_>,
        actor: &str,
        id: &LocalCaseId,
    ) -> Result<Result<ConsentId, (Denied, &'static str)>, StoreError> {
        let (Some(newest), Some(key)) = (consent::newest(tx, id)?, patient_key::get(tx, id)?) else {
            return Ok(match crate::store::case::get(tx, id)? {
                Some(_) => Err((Denied::NoConsent, "the case has no consent to withdraw")),
                None => Err((Denied::UnknownCase, "this hospital has no such case")),
            });
        };
        match newest.state {
            ConsentState::Withdrawing | ConsentState::Withdrawn => return Ok(Ok(newest.consent)),
            ConsentState::Refused => return Ok(Err((Denied::NoConsent, "the case has no consent to withdraw"))),
            ConsentState::Queued | ConsentState::Live | ConsentState::Expired => {}
        }
        let source = self.withdrawal(&newest, &key);
        consent::set_state(tx, newest.consent, ConsentState::Withdrawing, None)?;
        // What was not sent yet need not be sent; what is on its way is ended by the tombstone or refused.
        for waiting in publication::of_consent(tx, newest.consent)? {
            if waiting.state == PublicationState::Queued
                && outbox::cancel_unsent(tx, Kind::Publish, &waiting.handle.to_string())?
            {
                let code = Some("withdrawn-consent");
                publication::set_state(tx, waiting.handle, PublicationState::Refused, code)?;
            }
        }
        outbox::add(tx, Kind::Withdraw, &newest.consent.to_string(), &signed_payload(&source), self.now())?;
        audit::add(tx, self.now(), actor, "withdraw", id.as_str(), "ok")?;
        Ok(Ok(newest.consent))
    }
}
