//! Learns from the ledger that an introduction was proposed to this hospital, or that one of its own was answered.
//!
//! A note that none of the own keys opens is for somebody else, or a copy out of another introduction: nobody can tell,
//! and nothing is written down. One that opens and does not hold is a doubt in the audit.

use semblance_contract::state::{IntroductionAnswerRecord, IntroductionRow};
use semblance_core::consent::Scope;
use semblance_core::id::{Digest, IntroductionId, OrganisationId, RequestId};
use semblance_core::introduction::{
    AnswerNote, DeclineReason, IntroductionAnswer, IntroductionProposal, NoteError, ProposalNote, Side,
    recipient_commitment,
};
use semblance_core::sealing::SealingSecret;
use semblance_core::time::Timestamp;

use super::opposite;
use crate::error::HospitalError;
use crate::follow::Change;
use crate::grant::live_consent_for;
use crate::service::HospitalService;
use crate::store::introduction::{self, IntroductionState, Party, StoredIntroduction};
use crate::store::{StoreError, audit};

/// What the ledger's events mean for an introduction.
pub(crate) enum IntroductionChange {
    /// One was proposed to this hospital.
    Proposed(Box<StoredIntroduction>),
    /// The other side agreed.
    Accepted(IntroductionId, Party),
    /// The other side said no.
    Declined(IntroductionId, DeclineReason),
    /// The other side's answer is not to be believed.
    Spoilt(IntroductionId, &'static str),
}

impl IntroductionChange {
    /// Writes it down.
    pub(crate) fn apply(self, tx: &rusqlite::Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Proposed(proposed) => {
                let (id, subject) = (proposed.introduction, proposed.introduction.to_string());
                if introduction::get(tx, id)?.is_some() {
                    return Ok(());
                }
                // One at a time about a match: nobody is asked ten times over.
                if introduction::stands(tx, proposed.lookup, proposed.handle, false)? {
                    return audit::add(tx, now, "ledger", "introduction", &subject, "introduction-exists");
                }
                introduction::add(tx, &proposed)?;
                audit::add(tx, now, "ledger", "introduction", &subject, "ok")
            }
            Self::Accepted(id, theirs) => {
                answered(tx, now, id, IntroductionState::Accepted, None, |tx| introduction::set_theirs(tx, id, theirs))
            }
            Self::Declined(id, reason) => {
                answered(tx, now, id, IntroductionState::Declined, Some(reason.word()), |_| Ok(()))
            }
            Self::Spoilt(id, code) => answered(tx, now, id, IntroductionState::Refused, Some(code), |_| Ok(())),
        }
    }
}

/// Writes an answer down, unless the introduction has ended or was answered before.
fn answered(
    tx: &rusqlite::Transaction<'_>,
    now: Timestamp,
    id: IntroductionId,
    state: IntroductionState,
    code: Option<&str>,
    more: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let waits = |found: &StoredIntroduction| {
        matches!(found.state, IntroductionState::Queued | IntroductionState::Proposed | IntroductionState::Expired)
    };
    if !introduction::get(tx, id)?.is_some_and(|found| found.outgoing && waits(&found)) {
        return Ok(());
    }
    more(tx)?;
    introduction::set_state(tx, id, state, code)?;
    audit::add(tx, now, "ledger", "introduction-answered", &id.to_string(), code.unwrap_or("ok"))
}

impl HospitalService {
    /// Reads a proposed introduction, if it is for this hospital.
    pub(crate) async fn read_proposal(
        &self,
        id: IntroductionId,
        proposer: &OrganisationId,
        at: Timestamp,
    ) -> Result<Vec<Change>, HospitalError> {
        if *proposer == self.inner.organisation {
            return Ok(Vec::new());
        }
        let doubt = |code| vec![Change::Doubt { action: "introduction", subject: id.to_string(), code }];
        let Some(IntroductionRow { record, .. }) = self.inner.chain.introduction(id).await? else {
            return Ok(doubt("no-entry"));
        };
        let Ok(claim) = record.proposal.claim::<IntroductionProposal>(self.inner.network) else {
            return Ok(doubt("malformed"));
        };
        let network = self.inner.network;
        let open = |secret: &SealingSecret| ProposalNote::open(&claim.claims().note, network, id, secret);
        let note = match opened(self.inner.sealing.all().iter().map(open)) {
            Some(Ok(note)) => note,
            Some(Err(code)) => return Ok(doubt(code)),
            None => return Ok(Vec::new()),
        };
        let member = match self.member(proposer).await? {
            Ok(member) => member,
            Err(unknown) => return Ok(doubt(unknown.as_str())),
        };
        let Some(proposal) = member.verified(&claim, at) else { return Ok(doubt("bad-signature")) };
        if proposal.introduction != id || proposal.proposer != *proposer {
            return Ok(doubt("entry-mismatch"));
        }
        Ok(match self.believed_proposal(&proposal, &note, at).await? {
            Ok(proposed) => vec![Change::Introduction(IntroductionChange::Proposed(Box::new(proposed)))],
            Err(code) => {
                tracing::warn!(introduction = %id, code, "a proposed introduction is not believed");
                doubt(code)
            }
        })
    }

    /// Reads what was proposed on a look-up before its answer was shown here: it could not be believed then. What is
    /// known already stays as it is.
    pub(crate) async fn read_early_proposals(&self, request: RequestId) -> Result<(), HospitalError> {
        for row in self.inner.chain.introductions_of(request).await? {
            let Ok(proposal) = row.record.statement(self.inner.network) else { continue };
            let at = row.record.recorded;
            for change in self.read_proposal(proposal.introduction, &proposal.proposer, at).await? {
                if let Change::Introduction(proposed) = change {
                    let now = self.now();
                    self.store().run(move |tx| proposed.apply(tx, now)).await?;
                }
            }
        }
        Ok(())
    }

    /// The introduction, if the cases met as the note says and both consents allow contact.
    async fn believed_proposal(
        &self,
        proposal: &IntroductionProposal,
        note: &ProposalNote,
        at: Timestamp,
    ) -> Result<Result<StoredIntroduction, &'static str>, HospitalError> {
        let (network, own) = (self.inner.network, &self.inner.organisation);
        if recipient_commitment(&note.salt, network, proposal.introduction, own) != proposal.recipient {
            return Ok(Err("wrong-recipient"));
        }
        let met = match self.met(proposal, note).await? {
            Ok(met) => met,
            Err(code) => return Ok(Err(code)),
        };
        let theirs = self.allows_contact(note.consent.consent, &proposal.proposer, met.their_case).await?;
        if let Err(code) = theirs {
            return Ok(Err(code));
        }
        let (local_id, now) = (met.local_id.clone(), self.now());
        let consent =
            move |tx: &rusqlite::Transaction<'_>| live_consent_for(tx, &local_id, Scope::BeContacted, network, now);
        if let Err(code) = self.store().run(consent).await? {
            return Ok(Err(code.as_str()));
        }
        Ok(Ok(StoredIntroduction {
            introduction: proposal.introduction,
            outgoing: false,
            side: opposite(proposal.side),
            lookup: proposal.lookup,
            rank: met.rank,
            number: proposal.number,
            other: proposal.proposer.clone(),
            local_id: met.local_id,
            handle: note.handle,
            reason: note.reason,
            salt: note.salt,
            expires: proposal.expires,
            own: None,
            theirs: Some(Party { consent: note.consent, parties: note.parties }),
            state: IntroductionState::Proposed,
            code: None,
            at,
        }))
    }

    /// Reads the answer to an introduction, if this hospital proposed it.
    pub(crate) async fn read_answer(
        &self,
        id: IntroductionId,
        hospital: &OrganisationId,
        at: Timestamp,
    ) -> Result<Vec<Change>, HospitalError> {
        let own = self.store().run(move |tx| introduction::get(tx, id)).await?;
        let Some(own) = own.filter(|own| own.outgoing) else { return Ok(Vec::new()) };
        let change = match self.believed_answer(&own, hospital, at).await? {
            Ok(AnswerNote::Accepted { consent, parties }) => {
                IntroductionChange::Accepted(id, Party { consent, parties })
            }
            Ok(AnswerNote::Declined(reason)) => IntroductionChange::Declined(id, reason),
            Err(code) => {
                tracing::warn!(introduction = %id, code, "the answer to an introduction is not believed");
                IntroductionChange::Spoilt(id, code)
            }
        };
        Ok(vec![Change::Introduction(change)])
    }

    async fn believed_answer(
        &self,
        own: &StoredIntroduction,
        hospital: &OrganisationId,
        at: Timestamp,
    ) -> Result<Result<AnswerNote, &'static str>, HospitalError> {
        let (network, id) = (self.inner.network, own.introduction);
        let Some(row) = self.inner.chain.introduction(id).await? else { return Ok(Err("no-entry")) };
        let Some(IntroductionAnswerRecord { answer, .. }) = row.answer else { return Ok(Err("no-entry")) };
        let Ok(claim) = answer.claim::<IntroductionAnswer>(network) else { return Ok(Err("malformed")) };
        let member = match self.member(&own.other).await? {
            Ok(member) => member,
            Err(unknown) => return Ok(Err(unknown.as_str())),
        };
        let Some(answer) = member.verified(&claim, at) else { return Ok(Err("bad-signature")) };
        if answer.introduction != id || answer.hospital != own.other || *hospital != own.other {
            return Ok(Err("entry-mismatch"));
        }
        let open = |secret: &SealingSecret| AnswerNote::open(&answer.note, network, id, secret);
        let note = match opened(self.inner.sealing.all().iter().map(open)) {
            Some(Ok(note)) => note,
            Some(Err(code)) => return Ok(Err(code)),
            None => return Ok(Err("note-unreadable")),
        };
        if note.outcome() != answer.outcome {
            return Ok(Err("entry-mismatch"));
        }
        if let AnswerNote::Accepted { consent, .. } = &note {
            let case = match self.their_case(own).await? {
                Ok(case) => case,
                Err(code) => return Ok(Err(code)),
            };
            if let Err(code) = self.allows_contact(consent.consent, hospital, case).await? {
                return Ok(Err(code));
            }
        }
        Ok(Ok(note))
    }

    /// The commitment of the other side's case.
    async fn their_case(&self, own: &StoredIntroduction) -> Result<Result<Digest, &'static str>, HospitalError> {
        Ok(match own.side {
            Side::Asker => match self.inner.chain.case(own.handle).await? {
                Some(view) if view.case.owner == own.other => Ok(view.case.commitment),
                Some(_) => Err("case-mismatch"),
                None => Err("unknown-case"),
            },
            Side::Found => match self.inner.chain.lookup(own.lookup).await? {
                Some(record) => record.entry.claim(self.inner.network).map_or(Err("malformed"), |claim| {
                    let asked = claim.claims();
                    if asked.hospital == own.other { Ok(asked.case) } else { Err("entry-mismatch") }
                }),
                None => Err("no-entry"),
            },
        })
    }
}

/// The first note that one of the keys opened: itself, or that it is malformed.
fn opened<T>(mut tried: impl Iterator<Item = Result<T, NoteError>>) -> Option<Result<T, &'static str>> {
    tried.find_map(|tried| match tried {
        Ok(note) => Some(Ok(note)),
        Err(NoteError::Malformed(_)) => Some(Err("malformed-note")),
        Err(NoteError::Sealing(_)) => None,
    })
}
