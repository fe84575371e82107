//! Whether two cases met as a proposal says, and whether the other side's consent holds.

use semblance_contract::state::ConsentView;
use semblance_core::answer::Answer;
use semblance_core::consent::{Consent, Scope};
use semblance_core::id::{CaseHandle, ConsentId, Digest, NetworkId, OrganisationId, RequestId};
use semblance_core::introduction::{Evidence, IntroductionProposal, ProposalNote, Side};
use semblance_core::receipt::{Receipt, SlotIndex, SlotKey};
use semblance_core::signature::Statement;

use crate::error::HospitalError;
use crate::lookup::LookupReport;
use crate::service::HospitalService;
use crate::store::case::LocalCaseId;
use crate::store::lookup::{LookupState, StoredLookup};
use crate::store::{StoreError, lookup, receipt};

/// What this hospital knows of a meeting that another one claims.
pub(super) struct Met {
    /// The own case.
    pub(super) local_id: LocalCaseId,
    /// The found case's place in the answer.
    pub(super) rank: u8,
    /// The commitment of the other side's case, which its consent must be about.
    pub(super) their_case: Digest,
}

/// The answer of a look-up, if it was shown.
pub(super) fn shown_answer(stored: &StoredLookup, network: NetworkId) -> Result<Option<Answer>, StoreError> {
    let Some(answer) = stored.answer.as_ref().filter(|_| stored.state == LookupState::Shown) else { return Ok(None) };
    Answer::decode(answer, network).map(Some).map_err(|_| StoreError::Damaged("a look-up's answer".to_owned()))
}

/// The places whose cases passed the checks and were shown.
pub(super) fn shown_ranks(stored: &StoredLookup) -> Result<Vec<u8>, StoreError> {
    let Some(report) = &stored.report else { return Ok(Vec::new()) };
    let report: LookupReport =
        serde_json::from_str(report).map_err(|_| StoreError::Damaged("a look-up's report".to_owned()))?;
    Ok(report.matches.iter().map(|found| found.rank).collect())
}

impl HospitalService {
    /// Whether the cases met in the look-up as the proposer says; otherwise a stable word.
    pub(super) async fn met(
        &self,
        proposal: &IntroductionProposal,
        note: &ProposalNote,
    ) -> Result<Result<Met, &'static str>, HospitalError> {
        match (proposal.side, &note.evidence) {
            (Side::Asker, Evidence::Match(key)) => self.met_as_found(proposal, note.handle, key).await,
            (Side::Found, Evidence::Receipt(slot)) => self.met_as_asker(proposal, note.handle, *slot).await,
            _ => Ok(Err("wrong-side")),
        }
    }

    /// The proposer asked: it must know what the receipt was sealed with that this hospital opened.
    async fn met_as_found(
        &self,
        proposal: &IntroductionProposal,
        handle: CaseHandle,
        key: &SlotKey,
    ) -> Result<Result<Met, &'static str>, HospitalError> {
        let (request, slot) = (proposal.lookup, key.slot.get());
        let Some(opened) = self.store().run(move |tx| receipt::in_slot(tx, request, slot)).await? else {
            return Ok(Err("no-receipt"));
        };
        let Some(local_id) = opened.local_id else { return Ok(Err("unknown-case")) };
        if opened.asker != proposal.proposer || opened.handle != handle {
            return Ok(Err("receipt-mismatch"));
        }
        let Some(record) = self.inner.chain.lookup(request).await? else { return Ok(Err("no-entry")) };
        let Ok(claim) = record.entry.claim(self.inner.network) else { return Ok(Err("malformed")) };
        let receipt = Receipt { handle, rank: opened.rank, index_height: opened.height };
        let (slots, digest) = (&record.entry.slots, record.entry.request.digest());
        let holds = self
            .inner
            .sealing
            .all()
            .iter()
            .any(|own| slots.holds(self.inner.network, &digest, key, own.public(), &receipt).unwrap_or(false));
        if !holds || claim.claims().hospital != proposal.proposer || claim.claims().request != request {
            return Ok(Err("receipt-mismatch"));
        }
        Ok(Ok(Met { local_id, rank: opened.rank, their_case: claim.claims().case }))
    }

    /// The proposer was found: it must name the slot in which its case's receipt stood, of a match that was shown here.
    async fn met_as_asker(
        &self,
        proposal: &IntroductionProposal,
        handle: CaseHandle,
        slot: SlotIndex,
    ) -> Result<Result<Met, &'static str>, HospitalError> {
        let (request, network, proposer) = (proposal.lookup, self.inner.network, proposal.proposer.clone());
        let found = self.store().run(move |tx| match_in_slot(tx, request, network, (&proposer, handle, slot)));
        let Some((local_id, rank)) = found.await? else { return Ok(Err("no-match")) };
        let Some(view) = self.inner.chain.case(handle).await? else { return Ok(Err("unknown-case")) };
        if view.case.owner != proposal.proposer {
            return Ok(Err("case-mismatch"));
        }
        Ok(Ok(Met { local_id, rank, their_case: view.case.commitment }))
    }

    /// Whether the ledger holds this consent, of that hospital and about that case, and it allows contact now;
    /// otherwise a stable word.
    pub(super) async fn allows_contact(
        &self,
        id: ConsentId,
        hospital: &OrganisationId,
        case: Digest,
    ) -> Result<Result<(), &'static str>, HospitalError> {
        let consent = match self.live_on_ledger(id).await? {
            Ok(consent) => consent,
            Err(code) => return Ok(Err(code)),
        };
        Ok(if consent.hospital != *hospital || consent.case != case {
            Err("other-consent")
        } else if !consent.scopes.allow(Scope::BeContacted) {
            Err("consent-scope")
        } else {
            Ok(())
        })
    }

    /// A consent that holds now, as far as the own ledger knows; otherwise a stable word.
    pub(crate) async fn live_on_ledger(&self, id: ConsentId) -> Result<Result<Consent, &'static str>, HospitalError> {
        let Some(ConsentView { consent, tombstone }) = self.inner.chain.consent(id).await? else {
            return Ok(Err("unknown-consent"));
        };
        let Ok(consent) = consent.consent(self.inner.network) else { return Ok(Err("malformed")) };
        Ok(if consent.consent != id {
            Err("other-consent")
        } else if tombstone.is_some() {
            Err("withdrawn-consent")
        } else if self.now() >= consent.expires {
            Err("expired-consent")
        } else {
            Ok(consent)
        })
    }
}

/// The own case and the place of a match that was shown, by its hospital, handle and receipt slot.
fn match_in_slot(
    tx: &rusqlite::Transaction<'_>,
    request: RequestId,
    network: NetworkId,
    (hospital, handle, slot): (&OrganisationId, CaseHandle, SlotIndex),
) -> Result<Option<(LocalCaseId, u8)>, StoreError> {
    let Some(stored) = lookup::get(tx, request)? else { return Ok(None) };
    let Some(answer) = shown_answer(&stored, network)? else { return Ok(None) };
    let shown = shown_ranks(&stored)?;
    let found = answer.receipts().find(|(found, receipt)| {
        found.hospital == *hospital
            && found.handle == handle
            && found.receipt.slot == slot
            && shown.contains(&receipt.rank)
    });
    Ok(found.map(|(_, receipt)| (stored.local_id, receipt.rank)))
}
