//! Asks the other hospital of a match for contact.

use semblance_core::answer::Answer;
use semblance_core::consent::Scope;
use semblance_core::id::{CaseHandle, ConsentId, IntroductionId, OrganisationId, RequestId};
use semblance_core::introduction::{
    ConsentOpening, Evidence, IntroductionProposal, ProposalNote, Side, recipient_commitment,
};
use semblance_core::limits::INTRODUCTION_VALIDITY_MILLIS;
use semblance_core::receipt::SlotIndex;
use semblance_core::sealing::SealingPublicKey;
use semblance_core::signature::Statement;

use super::{IntroductionSummary, Wish, evidence};
use crate::error::{Denied, HospitalError};
use crate::grant::{live_consent_for, signed_payload};
use crate::service::HospitalService;
use crate::store::case::LocalCaseId;
use crate::store::introduction::{self, IntroductionState, Party, StoredIntroduction};
use crate::store::outbox::{self, Kind};
use crate::store::{StoreError, audit, lookup, receipt};

/// Where two cases met, as this hospital can show it.
#[derive(Clone)]
struct Meeting {
    side: Side,
    lookup: RequestId,
    rank: u8,
    local_id: LocalCaseId,
    other: OrganisationId,
    handle: CaseHandle,
    evidence: Evidence,
}

/// What a use case refuses with.
type Refusal = (Denied, &'static str);

impl HospitalService {
    /// Whether this hospital asked a look-up.
    pub(crate) async fn asked_here(&self, request: RequestId) -> Result<bool, HospitalError> {
        Ok(self.store().run(move |tx| lookup::get(tx, request)).await?.is_some())
    }

    /// Asks for contact with the case at a place of an answer that was shown here.
    ///
    /// # Errors
    /// No such match, the own case's consent does not allow contact, it was proposed before, or the store or the ledger
    /// failed. While the ledger cannot be reached the proposal waits.
    pub async fn introduce_match(
        &self,
        actor: &str,
        lookup: RequestId,
        rank: u8,
        wish: Wish,
    ) -> Result<IntroductionSummary, HospitalError> {
        let network = self.inner.network;
        let found = self.store().run(move |tx| -> Result<_, StoreError> {
            let Some(stored) = lookup::get(tx, lookup)? else {
                return Ok(Err((Denied::UnknownRequest, "this hospital asked no such look-up")));
            };
            let Some(answer) = evidence::shown_answer(&stored, network)? else {
                return Ok(Err((Denied::UnknownMatch, "no answer of this look-up was shown")));
            };
            let shown = evidence::shown_ranks(&stored)?.contains(&rank);
            let found = matched(&answer, rank).filter(|_| shown);
            let Some((other, handle, evidence)) = found else {
                return Ok(Err((Denied::UnknownMatch, "this look-up showed no case at that place")));
            };
            Ok(Ok(Meeting { side: Side::Asker, lookup, rank, local_id: stored.local_id, other, handle, evidence }))
        });
        self.introduce(actor, lookup, found.await?, wish).await
    }

    /// Asks for contact with the hospital that found an own case, as a receipt showed: the one of that look-up at that
    /// place of the answer.
    ///
    /// # Errors
    /// As [`Self::introduce_match`].
    pub async fn introduce_found(
        &self,
        actor: &str,
        lookup: RequestId,
        rank: u8,
        wish: Wish,
    ) -> Result<IntroductionSummary, HospitalError> {
        let found = self.store().run(move |tx| -> Result<_, StoreError> {
            let unknown = Err((Denied::UnknownReceipt, "no receipt of this look-up is of that place"));
            let Some(found) = receipt::at_rank(tx, lookup, rank)? else { return Ok(unknown) };
            let (Some(local_id), Some(slot)) = (found.local_id, SlotIndex::new(found.slot)) else { return Ok(unknown) };
            let (other, handle, evidence) = (found.asker, found.handle, Evidence::Receipt(slot));
            Ok(Ok(Meeting { side: Side::Found, lookup, rank, local_id, other, handle, evidence }))
        });
        self.introduce(actor, lookup, found.await?, wish).await
    }

    async fn introduce(
        &self,
        actor: &str,
        lookup: RequestId,
        found: Result<Meeting, Refusal>,
        wish: Wish,
    ) -> Result<IntroductionSummary, HospitalError> {
        let proposed = match found {
            Ok(_) if !(wish.parties.clinicians || wish.parties.patient) => {
                Err((Denied::Malformed, "somebody of this side takes part: clinicians, the patient or both"))
            }
            Ok(meeting) => match self.member(&meeting.other).await? {
                Ok(member) => self.sign_proposal(actor, meeting, wish, member.record().sealing_key.public).await?,
                Err(_) => Err((Denied::UnknownHospital, "the ledger's record of the other hospital cannot be used")),
            },
            Err(refusal) => Err(refusal),
        };
        match proposed {
            Ok(id) => {
                self.send().await?;
                self.introduction(id).await
            }
            Err((code, message)) => self.refuse(actor, "introduce", &lookup.to_string(), code, message).await,
        }
    }

    async fn sign_proposal(
        &self,
        actor: &str,
        meeting: Meeting,
        wish: Wish,
        recipient: SealingPublicKey,
    ) -> Result<Result<IntroductionId, Refusal>, HospitalError> {
        let (service, actor) = (self.clone(), actor.to_owned());
        let sign = move |tx: &rusqlite::Transaction<'_>| -> Result<_, HospitalError> {
            let now = service.now();
            let consent = match live_consent_for(tx, &meeting.local_id, Scope::BeContacted, service.inner.network, now)?
            {
                Ok(consent) => consent.consent,
                Err(code) => return Ok(Err((code, "contact is asked for with a live consent to be contacted"))),
            };
            if introduction::stands(tx, meeting.lookup, meeting.handle, true)? {
                return Ok(Err((Denied::IntroductionExists, "this introduction was proposed before")));
            }
            let Some(number) = introduction::free_number(tx, meeting.lookup)? else {
                return Ok(Err((Denied::IntroductionExists, "ten introductions were proposed on this look-up")));
            };
            let draft = service.draft(meeting.clone(), number, consent, wish);
            let proposal = service.proposal(&draft, meeting.evidence, &recipient)?;
            let payload = signed_payload(&proposal.sign(&service.inner.signing).into_parts().1);
            introduction::add(tx, &draft)?;
            let subject = draft.introduction.to_string();
            outbox::add(tx, Kind::Propose, &subject, &payload, now)?;
            audit::add(tx, now, &actor, "introduce", &subject, "ok")?;
            Ok(Ok(draft.introduction))
        };
        self.store().run(sign).await
    }

    fn draft(&self, meeting: Meeting, number: u8, consent: ConsentId, wish: Wish) -> StoredIntroduction {
        let (now, random) = (self.now(), self.inner.random.as_ref());
        let own = Party { consent: ConsentOpening { consent, salt: random.array() }, parties: wish.parties };
        StoredIntroduction {
            introduction: IntroductionId::random(random),
            outgoing: true,
            side: meeting.side,
            lookup: meeting.lookup,
            rank: meeting.rank,
            number,
            other: meeting.other,
            local_id: meeting.local_id,
            handle: meeting.handle,
            reason: wish.reason,
            salt: random.array(),
            expires: now.plus(INTRODUCTION_VALIDITY_MILLIS),
            own: Some(own),
            theirs: None,
            state: IntroductionState::Queued,
            code: None,
            at: now,
        }
    }

    fn proposal(
        &self,
        draft: &StoredIntroduction,
        evidence: Evidence,
        recipient: &SealingPublicKey,
    ) -> Result<IntroductionProposal, HospitalError> {
        let (network, introduction) = (self.inner.network, draft.introduction);
        let own = draft.own.ok_or_else(|| StoreError::Damaged("an introduction without a side".to_owned()))?;
        let note = ProposalNote {
            salt: draft.salt,
            evidence,
            handle: draft.handle,
            consent: own.consent,
            parties: own.parties,
            reason: draft.reason,
        };
        let note = note.seal(network, introduction, recipient, &self.inner.random.array()).map_err(unsealable)?;
        Ok(IntroductionProposal {
            network,
            introduction,
            lookup: draft.lookup,
            proposer: self.inner.organisation.clone(),
            side: draft.side,
            number: draft.number,
            recipient: recipient_commitment(&draft.salt, network, introduction, &draft.other),
            expires: draft.expires,
            note,
        })
    }
}

/// The match at a place of an answer, and what shows that its receipt stands on the ledger.
fn matched(answer: &Answer, rank: u8) -> Option<(OrganisationId, CaseHandle, Evidence)> {
    let (found, _) = answer.receipts().find(|(_, receipt)| receipt.rank == rank)?;
    Some((found.hospital.clone(), found.handle, Evidence::Match(found.receipt.clone())))
}

/// A key on the ledger that nothing can be sealed to.
pub(crate) fn unsealable(error: semblance_core::sealing::SealingError) -> HospitalError {
    HospitalError::denied(Denied::UnknownHospital, format!("a hospital's sealing key cannot be used: {error}"))
}
