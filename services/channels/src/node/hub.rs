//! What other hospitals' nodes ask of this one.

use std::collections::BTreeSet;

use semblance_core::attestation::LeafRevocation;
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;

use super::ChannelService;
use crate::office::{Delivery, Outbound, Speaker};
use crate::wire::{Admission, Answer, HubCall, Refusal, Submission};

impl ChannelService {
    /// Does what a hospital's node asks; the caller has made sure which hospital it is.
    ///
    /// # Errors
    /// Refused; recorded in the office's audit.
    pub async fn serve(&self, hospital: &OrganisationId, call: HubCall) -> Result<Answer, Refusal> {
        let (action, channel) = named(&call);
        let answer = match self.check_hospital(hospital).await {
            Ok(()) => self.serve_call(hospital, call).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = answer
            && is_denial(refusal)
        {
            self.deny(hospital.to_string(), action, channel, refusal).await;
        }
        answer
    }

    /// Channels are between hospitals: a matcher's node is a member of the network, too, and has no part in them.
    async fn check_hospital(&self, caller: &OrganisationId) -> Result<(), Refusal> {
        let known =
            *caller == self.inner.organisation || self.facts(BTreeSet::new()).await?.hospitals.contains_key(caller);
        if known { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Records what an organisation's node sent that is no call of a hospital's.
    pub(crate) async fn deny_call(&self, caller: &OrganisationId, refusal: Refusal) {
        self.deny(caller.to_string(), "call", None, refusal).await;
    }

    pub(super) async fn deny(&self, actor: String, action: &'static str, channel: Option<ChannelId>, refusal: Refusal) {
        let noted = self.office(move |office, now| office.deny(&actor, action, channel, refusal, now)).await;
        if noted.is_err() {
            tracing::error!(action, code = refusal.word(), "a denial could not be recorded");
        }
    }

    pub(super) async fn serve_call(&self, hospital: &OrganisationId, call: HubCall) -> Result<Answer, Refusal> {
        let speaker = |participant: ParticipantId| Speaker { hospital: hospital.clone(), participant };
        match call {
            HubCall::HasGroup(channel) => {
                self.office(move |office, now| office.has_group(channel, now)).await.map(Answer::Flag)
            }
            HubCall::Submit(channel, participant, submission) => {
                self.take_submission(channel, speaker(participant), submission).await.map(Answer::Number)
            }
            HubCall::Admit(admission) => self.take_admission(hospital, admission).await,
            HubCall::Revoke(revocation) => self.take_revocation(hospital, revocation).await,
            HubCall::Items(channel, participant, first) => {
                let from = speaker(participant);
                self.office(move |office, now| office.items(channel, &from, first, now)).await.map(Answer::Items)
            }
            HubCall::Admissions(channel, participant) => {
                let from = speaker(participant);
                self.office(move |office, now| office.admissions(channel, &from, now)).await.map(Answer::Admissions)
            }
            HubCall::Rejoin(channel, participant) => {
                let from = speaker(participant);
                self.office(move |office, now| office.rejoin_info(channel, &from, now)).await.map(Answer::Rejoin)
            }
            HubCall::PutPiece(channel, participant, piece) => {
                let from = speaker(participant);
                self.office(move |office, now| office.put_piece(channel, &from, &piece, now)).await.map(Answer::Flag)
            }
            HubCall::Piece(channel, participant, digest, number) => {
                let from = speaker(participant);
                self.office(move |office, now| office.piece(channel, &from, (digest, number), now))
                    .await
                    .map(Answer::Piece)
            }
            HubCall::Deliver(deliveries) => self.take_deliveries(hospital, deliveries).await,
        }
    }

    /// Takes a submission as a hub. The facts are asked of the ledger for those alone who may come in by it.
    pub(super) async fn take_submission(
        &self,
        channel: ChannelId,
        from: Speaker,
        submission: Submission,
    ) -> Result<u64, Refusal> {
        let consents = match &submission {
            Submission::Message(_) => BTreeSet::new(),
            Submission::Create(creation) => self.claimed(&creation.proof)?,
            Submission::Commit(_) => self.office(move |office, now| office.consents_at_stake(channel, now)).await?,
        };
        let facts = match &submission {
            Submission::Message(_) => crate::wire::Facts::default(),
            _ => self.facts(consents).await?,
        };
        let taken = self.inner.submissions.submit(channel, from, submission, facts).await?;
        self.ring();
        Ok(taken)
    }

    pub(super) fn claimed(
        &self,
        proof: &semblance_core::attestation::LeafProof,
    ) -> Result<BTreeSet<semblance_core::id::ConsentId>, Refusal> {
        let network = self.inner.network;
        proof.claims(network).map(|leaf| BTreeSet::from([leaf.consent])).map_err(|_| Refusal::Malformed)
    }

    pub(super) async fn take_admission(
        &self,
        hospital: &OrganisationId,
        admission: Admission,
    ) -> Result<Answer, Refusal> {
        let facts = self.facts(self.claimed(&admission.proof)?).await?;
        let hospital = hospital.clone();
        self.office(move |office, now| office.admit(&hospital, &admission, &facts, now)).await?;
        self.ring();
        Ok(Answer::Done)
    }

    pub(super) async fn take_revocation(
        &self,
        hospital: &OrganisationId,
        revocation: SignedBytes,
    ) -> Result<Answer, Refusal> {
        let claim = revocation.clone().claim::<LeafRevocation>(self.inner.network).map_err(|_| Refusal::Malformed)?;
        if claim.claims().hospital != *hospital {
            return Err(Refusal::NotAuthorised);
        }
        let facts = self.facts(BTreeSet::new()).await?;
        let hospital = hospital.clone();
        self.office(move |office, now| office.revoke(&hospital, &revocation, &facts, now)).await?;
        self.ring();
        Ok(Answer::Done)
    }

    async fn take_deliveries(
        &self,
        hospital: &OrganisationId,
        deliveries: Vec<(u64, Vec<u8>)>,
    ) -> Result<Answer, Refusal> {
        let mut outbound = Vec::new();
        for (number, bytes) in deliveries {
            let delivery = Delivery::decode(&bytes).map_err(|_| Refusal::Malformed)?;
            outbound.push(Outbound { number, delivery });
        }
        // What brings nothing new is answered and costs nobody more than that.
        let from = hospital.clone();
        let known = self.glance(move |office, now| office.taken_of(&from, now)).await?;
        if outbound.iter().all(|one| one.number <= known) {
            return Ok(Answer::Number(known));
        }
        let hospital = hospital.clone();
        let taken = self.office(move |office, now| office.take(&hospital, &outbound, now)).await?;
        self.ring();
        Ok(Answer::Number(taken))
    }
}

/// What a call is called in the audit, and which channel it is about.
fn named(call: &HubCall) -> (&'static str, Option<ChannelId>) {
    match call {
        HubCall::HasGroup(channel) => ("has-group", Some(*channel)),
        HubCall::Submit(channel, _, _) => ("submit", Some(*channel)),
        HubCall::Admit(admission) => ("admit", Some(admission.channel)),
        HubCall::Revoke(_) => ("revoke", None),
        HubCall::Items(channel, _, _) => ("items", Some(*channel)),
        HubCall::Admissions(channel, _) => ("admissions", Some(*channel)),
        HubCall::Rejoin(channel, _) => ("rejoin", Some(*channel)),
        HubCall::PutPiece(channel, _, _) => ("put-piece", Some(*channel)),
        HubCall::Piece(channel, _, _, _) => ("piece", Some(*channel)),
        HubCall::Deliver(_) => ("deliver", None),
    }
}

/// Whether a refusal says that somebody wanted what they may not: those are recorded. The others are the ordinary
/// course of things, as when two commit at the same time.
pub(super) const fn is_denial(refusal: Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::WrongEpoch
            | Refusal::MustCommit
            | Refusal::HubAway
            | Refusal::Failed
            | Refusal::NoKeyPackage
            | Refusal::ChannelExists
    )
}
