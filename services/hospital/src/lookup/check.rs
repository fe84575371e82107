//! Holds a matcher's answer against the entry on the own ledger, and keeps only what the entry confirms.

use std::time::Duration;

use futures::StreamExt;
use semblance_contract::event::Event;
use semblance_core::answer::{Answer, Match};
use semblance_core::id::{Digest, TransactionId};
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::receipt::Receipt;
use semblance_core::score::Band;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::term::TermId;
use semblance_ledger::{LedgerError, Validation};

use super::report::{FailedMatch, FoundCase};
use crate::error::{Denied, HospitalError};
use crate::service::HospitalService;

/// How long the own ledger may take to show the entry.
const ENTRY_WAIT: Duration = Duration::from_secs(30);

/// An answer that agrees with its entry, and the matches that passed.
pub(super) struct Checked {
    pub(super) answer: Answer,
    pub(super) matches: Vec<FoundCase>,
    pub(super) failed: Vec<FailedMatch>,
}

/// What was asked, as it was signed.
pub(super) struct Asked {
    pub(super) request: LookupRequest,
    pub(super) source: SignedBytes,
    /// The case's terms in the order of the query's groups.
    pub(super) groups: Vec<TermId>,
    /// How many cases were asked for.
    pub(super) count: u8,
}

impl HospitalService {
    /// Checks an answer against the own ledger.
    pub(super) async fn check_answer(
        &self,
        asked: &Asked,
        answer: &[u8],
        placed: (TransactionId, u64),
    ) -> Result<Checked, HospitalError> {
        self.await_entry(asked, placed).await?;
        let record = self.inner.chain.lookup(asked.request.request).await?;
        let record = record.ok_or_else(|| no_entry("the own ledger holds no entry of this request"))?;
        let answer = Answer::decode(answer, self.inner.network)
            .map_err(|error| mismatch(&format!("the answer is malformed: {error}")))?;
        agree(asked, &record.entry, &answer, placed.1)?;
        let (mut matches, mut failed) = (Vec::new(), Vec::new());
        for (found, receipt) in answer.receipts() {
            match self.check_match(asked, &record.entry, found, &receipt).await? {
                Ok(()) => matches.push(self.shown(asked, &answer, found, &receipt)),
                Err(code) => failed.push(FailedMatch { rank: receipt.rank, code: code.to_owned() }),
            }
        }
        Ok(Checked { answer, matches, failed })
    }

    /// Waits until the own ledger shows the transaction in the block that the matcher named, as valid.
    async fn await_entry(
        &self,
        asked: &Asked,
        (transaction, block): (TransactionId, u64),
    ) -> Result<(), HospitalError> {
        let seen = tokio::time::timeout(ENTRY_WAIT, async {
            let mut blocks = self.inner.chain.blocks(block).await?;
            blocks.next().await.unwrap_or_else(|| Err(LedgerError::Unavailable("no block came".to_owned())))
        });
        let seen = seen.await.map_err(|_| {
            let message = format!("the own ledger has not reached block {block} yet: try the same request again");
            HospitalError::denied(Denied::EntryBehind, message)
        })??;
        let outcome = seen.transactions.iter().find(|outcome| outcome.transaction == transaction);
        let outcome = outcome.filter(|_| seen.number == block);
        let outcome = outcome.ok_or_else(|| no_entry("the named block does not hold the named transaction"))?;
        if outcome.validation != Validation::Valid {
            return Err(no_entry("the named transaction took no effect"));
        }
        let event = outcome.event.as_ref().and_then(|(name, payload)| Event::decode(name, payload).ok().flatten());
        let recorded = match event {
            Some(Event::LookupsRecorded(lookups)) => {
                lookups.iter().any(|lookup| lookup.request == asked.request.request)
            }
            _ => false,
        };
        if recorded { Ok(()) } else { Err(no_entry("the named transaction did not record this request")) }
    }

    /// A match is shown if its receipt stands on the ledger, sealed to its hospital, and its case is there.
    async fn check_match(
        &self,
        asked: &Asked,
        entry: &LookupEntry,
        found: &Match,
        receipt: &Receipt,
    ) -> Result<Result<(), &'static str>, HospitalError> {
        if found.hospital == self.inner.organisation {
            return Ok(Err("own-hospital"));
        }
        let Ok(member) = self.member(&found.hospital).await? else { return Ok(Err("unknown-hospital")) };
        let (network, digest) = (self.inner.network, asked.source.digest());
        let recipient = &member.record().sealing_key.public;
        if !entry.slots.holds(network, &digest, &found.receipt, recipient, receipt).unwrap_or(false) {
            return Ok(Err("receipt-mismatch"));
        }
        let Some(view) = self.inner.chain.case(found.handle).await? else { return Ok(Err("unknown-case")) };
        if view.case.owner != found.hospital || view.case.epoch != asked.request.epoch {
            return Ok(Err("case-mismatch"));
        }
        // One that was withdrawn while the answer was on its way is not shown any more.
        if !view.case.is_live_at(self.now()) {
            return Ok(Err("case-ended"));
        }
        Ok(Ok(()))
    }

    fn shown(&self, asked: &Asked, answer: &Answer, found: &Match, receipt: &Receipt) -> FoundCase {
        let shown = answer.shown(found);
        let own = found.shared.iter().filter_map(|part| asked.groups.get(usize::from(part.group)));
        FoundCase {
            rank: receipt.rank,
            handle: found.handle.to_string(),
            hospital: found.hospital.to_string(),
            band: band(shown.band()).to_owned(),
            reached: shown.reached(),
            possible: shown.possible(),
            shared: own.map(|term| self.symptom(*term)).collect(),
            rarer: found.rarer,
        }
    }
}

/// The entry, in that block, is of this request and this answer.
fn agree(asked: &Asked, entry: &LookupEntry, answer: &Answer, block: u64) -> Result<(), HospitalError> {
    let digest: Digest = asked.source.digest();
    if entry.request != asked.source {
        return Err(mismatch("the entry holds another request or signature than was sent"));
    }
    if answer.request != digest {
        return Err(mismatch("the answer is to another request"));
    }
    if entry.answer != answer.commitment() {
        return Err(mismatch("the entry commits to another answer"));
    }
    if answer.coverage.height != entry.index_height || entry.index_height < asked.request.minimum_height {
        return Err(mismatch("the answer is of another ledger height than the entry, or older than was asked for"));
    }
    if entry.index_height >= block {
        return Err(mismatch("the answer is said to hold up to the entry's own block or a later one"));
    }
    if answer.matches.len() > usize::from(asked.count) {
        return Err(mismatch("the answer holds more cases than were asked for"));
    }
    let groups = answer.explainable.iter().map(|own| usize::from(own.group));
    if groups.max().is_some_and(|last| last >= asked.groups.len()) {
        return Err(mismatch("the answer explains symptoms that were not asked for"));
    }
    Ok(())
}

const fn band(band: Band) -> &'static str {
    match band {
        Band::High => "high",
        Band::Middle => "middle",
        Band::Low => "low",
    }
}

fn no_entry(message: &str) -> HospitalError {
    HospitalError::denied(Denied::NoEntry, message)
}

fn mismatch(message: &str) -> HospitalError {
    HospitalError::denied(Denied::EntryMismatch, message)
}
