//! Answers an introduction that was proposed to this hospital.

use semblance_core::consent::Scope;
use semblance_core::id::IntroductionId;
use semblance_core::introduction::{AnswerNote, ConsentOpening, DeclineReason, IntroductionAnswer, Parties};
use semblance_core::sealing::SealingPublicKey;
use semblance_core::signature::Statement;

use super::{IntroductionSummary, unsealable};
use crate::error::{Denied, HospitalError};
use crate::grant::{live_consent_for, signed_payload};
use crate::service::HospitalService;
use crate::store::audit;
use crate::store::introduction::{self, IntroductionState, Party, StoredIntroduction};
use crate::store::outbox::{self, Kind};

/// What a hospital says to a proposed introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It agrees, and these of its side take part.
    Accept(Parties),
    /// It does not.
    Decline(DeclineReason),
}

impl HospitalService {
    /// Answers an introduction; the first answer stands.
    ///
    /// # Errors
    /// No such introduction, it has ended or expired, a consent does not allow it, or the store or the ledger failed.
    /// While the ledger cannot be reached the answer waits.
    pub async fn answer_introduction(
        &self,
        actor: &str,
        id: IntroductionId,
        reply: Reply,
    ) -> Result<IntroductionSummary, HospitalError> {
        let found = self.store().run(move |tx| introduction::get(tx, id)).await?;
        let Some(found) = found.filter(|found| !found.outgoing) else {
            return self.unknown_introduction(actor, "answer-introduction", id).await;
        };
        match self.check_reply(&found, reply).await? {
            Ok(proposer) => match self.sign_answer(actor, id, reply, proposer).await? {
                Ok(()) => {
                    self.send().await?;
                    self.introduction(id).await
                }
                Err((code, message)) => self.refuse(actor, "answer-introduction", &id.to_string(), code, message).await,
            },
            Err((code, message)) => self.refuse(actor, "answer-introduction", &id.to_string(), code, message).await,
        }
    }

    /// The key to seal the answer to, if the other side's consent still holds.
    async fn check_reply(
        &self,
        found: &StoredIntroduction,
        reply: Reply,
    ) -> Result<Result<SealingPublicKey, (Denied, &'static str)>, HospitalError> {
        if let Reply::Accept(parties) = reply {
            if !(parties.clinicians || parties.patient) {
                return Ok(Err((Denied::Malformed, "somebody of this side takes part, or it is declined")));
            }
            let holds = match &found.theirs {
                Some(theirs) => self.live_on_ledger(theirs.consent.consent).await?.is_ok(),
                None => false,
            };
            if !holds {
                return Ok(Err((Denied::IntroductionEnded, "the other side's consent has ended")));
            }
        }
        let Ok(member) = self.member(&found.other).await? else {
            return Ok(Err((Denied::UnknownHospital, "the ledger's record of the other hospital cannot be used")));
        };
        Ok(Ok(member.record().sealing_key.public))
    }

    async fn sign_answer(
        &self,
        actor: &str,
        id: IntroductionId,
        reply: Reply,
        proposer: SealingPublicKey,
    ) -> Result<Result<(), (Denied, &'static str)>, HospitalError> {
        let (service, actor) = (self.clone(), actor.to_owned());
        let sign = move |tx: &rusqlite::Transaction<'_>| -> Result<_, HospitalError> {
            let (now, network) = (service.now(), service.inner.network);
            let Some(found) = introduction::get(tx, id)?.filter(|found| found.state == IntroductionState::Proposed)
            else {
                return Ok(Err((Denied::IntroductionEnded, "the introduction was answered before, or has ended")));
            };
            if now > found.expires {
                return Ok(Err((Denied::IntroductionEnded, "the introduction has expired")));
            }
            let (note, own) = match reply {
                Reply::Decline(reason) => (AnswerNote::Declined(reason), None),
                Reply::Accept(parties) => {
                    let consent = live_consent_for(tx, &found.local_id, Scope::BeContacted, network, now)?;
                    let consent = match consent {
                        Ok(consent) => consent.consent,
                        Err(code) => return Ok(Err((code, "the case needs a live consent to be contacted"))),
                    };
                    let consent = ConsentOpening { consent, salt: service.inner.random.array() };
                    (AnswerNote::Accepted { consent, parties }, Some(Party { consent, parties }))
                }
            };
            let answer = service.answer(&found, &note, &proposer)?;
            let payload = signed_payload(&answer.sign(&service.inner.signing).into_parts().1);
            introduction::set_own(tx, id, own)?;
            let code = match reply {
                Reply::Accept(_) => None,
                Reply::Decline(reason) => Some(reason.word()),
            };
            introduction::set_state(tx, id, IntroductionState::Answering, code)?;
            outbox::add(tx, Kind::Answer, &id.to_string(), &payload, now)?;
            audit::add(tx, now, &actor, "answer-introduction", &id.to_string(), "ok")?;
            Ok(Ok(()))
        };
        self.store().run(sign).await
    }

    fn answer(
        &self,
        found: &StoredIntroduction,
        note: &AnswerNote,
        proposer: &SealingPublicKey,
    ) -> Result<IntroductionAnswer, HospitalError> {
        let (network, introduction) = (self.inner.network, found.introduction);
        let sealed = note.seal(network, introduction, proposer, &self.inner.random.array()).map_err(unsealable)?;
        Ok(IntroductionAnswer {
            network,
            introduction,
            hospital: self.inner.organisation.clone(),
            salt: found.salt,
            outcome: note.outcome(),
            time: self.now(),
            note: sealed,
        })
    }
}
