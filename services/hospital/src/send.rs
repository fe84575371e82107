//! Empties the outbox: brings to the ledger what local steps left there, and records what the ledger said.
//!
//! Every operation may be sent twice: a crash or a lost answer leaves it in the outbox, and the ledger recognises its
//! id. An operation leaves the outbox in the local transaction that records its outcome.

use std::collections::BTreeSet;

use semblance_contract::Code;
use semblance_contract::wire::Refusal;
use semblance_core::denial::Denial;
use semblance_core::encode::{DecodeError, Reader};
use semblance_core::id::{CaseHandle, ConsentId, OrganisationId};
use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use semblance_ledger::LedgerError;
use serde::Serialize;

use crate::chain::{ItemOutcomes, another_may_endorse};
use crate::error::{HospitalError, ledger_code};
use crate::publish::QueuedPublication;
use crate::service::HospitalService;
use crate::settled::record;
use crate::step::CHUNK;
use crate::store::StoreError;
use crate::store::consent;
use crate::store::outbox::{self, Kind, Waiting};

/// The order in which kinds are sent. Nothing may delay a withdrawal; keys come before the consents they sign, and
/// these before what is published under them.
const ORDER: [Kind; 10] = [
    Kind::Withdraw,
    Kind::RegisterKey,
    Kind::Grant,
    Kind::Publish,
    Kind::Purge,
    Kind::Propose,
    Kind::Answer,
    Kind::OpenChannel,
    Kind::OpenGroup,
    Kind::Deny,
];

/// What sending came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SendReport {
    /// Operations that the ledger settled.
    pub settled: u64,
    /// Operations that still wait.
    pub waiting: u64,
    /// Why the last of them wait, as a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// What is to be done with one operation after it was sent.
pub(crate) enum Settled {
    /// It stands on the ledger.
    Done,
    /// A withdrawal stands on the ledger and took these cases out.
    Withdrawn(Vec<CaseHandle>),
    /// The ledger refused it for good.
    Refused(String),
    /// Try again later.
    Later(String),
    /// Try again later, with these arguments.
    Rewritten(Vec<u8>, String),
}

impl HospitalService {
    /// Sends what is due. Returns when nothing more can be settled now.
    ///
    /// # Errors
    /// The store failed. A ledger that cannot be reached is no error: the operations wait.
    pub async fn send(&self) -> Result<SendReport, HospitalError> {
        let _one = self.inner.sending.lock().await;
        let mut report = SendReport::default();
        // Kinds for which the ledger could not be reached just now.
        let mut stuck = BTreeSet::new();
        while let Some((kind, batch)) = self.next_batch(stuck.clone()).await? {
            let (settled, unreachable) = self.send_batch(kind, &batch).await;
            if unreachable {
                stuck.insert(kind);
            }
            self.settle(batch, settled, &mut report).await?;
        }
        report.waiting = self.store().run(outbox::count).await?;
        Ok(report)
    }

    /// The next operations that are due, of the first kind that has any: after each batch a withdrawal that came in
    /// meanwhile goes first.
    async fn next_batch(&self, stuck: BTreeSet<Kind>) -> Result<Option<(Kind, Vec<Waiting>)>, HospitalError> {
        let now = self.now();
        let next = self.store().run(move |tx| -> Result<_, StoreError> {
            for kind in ORDER.into_iter().filter(|kind| !stuck.contains(kind)) {
                let batch = outbox::due(tx, kind, now, CHUNK)?;
                if !batch.is_empty() {
                    outbox::sending(tx, &batch)?;
                    return Ok(Some((kind, batch)));
                }
            }
            Ok(None)
        });
        Ok(next.await?)
    }

    /// Sends operations of one kind, and says whether the ledger could not be reached.
    async fn send_batch(&self, kind: Kind, batch: &[Waiting]) -> (Vec<Settled>, bool) {
        let sent = match kind {
            Kind::Withdraw => return (self.send_withdrawals(batch).await, false),
            Kind::RegisterKey => match decode_all(batch, PatientKeyEntry::decode) {
                Ok(keys) => self.inner.chain.register_keys(keys).await,
                Err(error) => Err(damaged(&error)),
            },
            Kind::Grant => match decode_all(batch, signed_bytes) {
                Ok(consents) => self.inner.chain.grant(consents).await,
                Err(error) => Err(damaged(&error)),
            },
            Kind::Propose | Kind::Answer | Kind::OpenChannel | Kind::OpenGroup => {
                return self.send_single(kind, batch).await;
            }
            Kind::Publish => self.send_publications(batch).await,
            Kind::Purge => self.send_purges(batch).await,
            Kind::Deny => match decode_all(batch, Denial::decode) {
                Ok(denials) => self.inner.chain.deny(denials).await,
                Err(error) => Err(damaged(&error)),
            },
        };
        let outcomes = match sent {
            Ok(outcomes) if outcomes.len() == batch.len() => outcomes,
            Ok(_) => return (later(batch, "ledger-malformed"), false),
            Err(error) => {
                tracing::warn!(kind = kind.as_str(), code = ledger_code(&error), "operations wait for the ledger");
                let unreachable = matches!(error, LedgerError::Unavailable(_) | LedgerError::OutcomeUnknown { .. });
                return (later(batch, ledger_code(&error)), unreachable);
            }
        };
        let mut settled = Vec::with_capacity(batch.len());
        for (waiting, outcome) in batch.iter().zip(outcomes) {
            settled.push(match outcome {
                Ok(()) => Settled::Done,
                Err(refusal) => self.judge(kind, waiting, &refusal).await,
            });
        }
        (settled, false)
    }

    /// Tells a true refusal from the echo of an earlier try that the ledger had taken.
    async fn judge(&self, kind: Kind, waiting: &Waiting, refusal: &Refusal) -> Settled {
        let refused = || Settled::Refused(refusal.word().to_owned());
        let later = || Settled::Later(refusal.word().to_owned());
        match (kind, refusal.code()) {
            (_, Some(Code::DuplicateInBatch | Code::LedgerState)) => later(),
            // The key, the consent and the handle are random and ours: nobody else can have used them.
            (Kind::RegisterKey, Some(Code::PatientKeyExists)) | (Kind::Deny, Some(Code::DenialExists)) => Settled::Done,
            (Kind::Grant, Some(Code::ConsentExists)) => {
                let Ok(id) = waiting.subject.parse::<ConsentId>() else { return refused() };
                match (self.inner.chain.consent(id).await, signed_bytes(&waiting.payload)) {
                    (Ok(Some(found)), Ok(ours)) if found.consent.source == ours => Settled::Done,
                    (Ok(_), _) => refused(),
                    (Err(error), _) => Settled::Later(ledger_code(&error).to_owned()),
                }
            }
            (Kind::Publish, Some(Code::ConsentNotYetValid)) if self.begins_soon(waiting).await => later(),
            // Whatever the ledger says now: an earlier try may have reached it, before the consent or the epoch ended.
            (Kind::Publish, _) => {
                let Ok(handle) = waiting.subject.parse::<CaseHandle>() else { return refused() };
                match self.inner.chain.case(handle).await {
                    Ok(Some(found)) if found.case.owner == self.inner.organisation => Settled::Done,
                    Ok(_) => refused(),
                    Err(error) => Settled::Later(ledger_code(&error).to_owned()),
                }
            }
            // The clock that stamped it ran ahead. It is recorded all the same, as of now.
            (Kind::Deny, Some(Code::DenialTime)) => match Denial::decode(&waiting.payload) {
                Ok(denial) => {
                    let time = denial.time.min(self.now());
                    Settled::Rewritten(Denial { time, ..denial }.encode(), refusal.word().to_owned())
                }
                Err(_) => refused(),
            },
            // Its tombstone is on the way.
            (Kind::Purge, Some(Code::CaseLive)) => later(),
            // Its publication is on the way.
            (Kind::Purge, Some(Code::UnknownCase)) => match self.waits(Kind::Publish, &waiting.subject).await {
                Ok(false) => refused(),
                Ok(true) | Err(_) => later(),
            },
            _ => refused(),
        }
    }

    async fn waits(&self, kind: Kind, subject: &str) -> Result<bool, StoreError> {
        let subject = subject.to_owned();
        self.store().run(move |tx| outbox::waits(tx, kind, &subject)).await
    }

    /// Whether a publication's consent begins so soon that only the clocks of hospital and ledger differ.
    async fn begins_soon(&self, waiting: &Waiting) -> bool {
        let Ok(queued) = QueuedPublication::decode(&waiting.payload) else { return false };
        let soon = self.now().plus(2 * PROPOSAL_SKEW_MILLIS);
        let found = self.store().run(move |tx| consent::get(tx, queued.item.consent)).await;
        found.is_ok_and(|found| found.is_some_and(|consent| consent.not_before <= soon))
    }

    async fn send_withdrawals(&self, batch: &[Waiting]) -> Vec<Settled> {
        let mut settled = Vec::with_capacity(batch.len());
        for waiting in batch {
            let sent = match signed_bytes(&waiting.payload) {
                Ok(source) => self.inner.chain.withdraw(source).await,
                Err(error) => Err(damaged(&error)),
            };
            settled.push(match sent {
                Ok(handles) => Settled::Withdrawn(handles),
                Err(LedgerError::Refused { code, .. }) if code == Code::UnknownConsent.as_str() => {
                    self.withdraw_unknown(waiting).await
                }
                Err(error) => Settled::Later(ledger_code(&error).to_owned()),
            });
        }
        settled
    }

    /// The ledger does not know the consent: its grant is still on the way, or never got there.
    async fn withdraw_unknown(&self, waiting: &Waiting) -> Settled {
        match self.waits(Kind::Grant, &waiting.subject).await {
            Ok(false) => Settled::Done,
            Ok(true) | Err(_) => Settled::Later(Code::UnknownConsent.as_str().to_owned()),
        }
    }

    async fn send_publications(&self, batch: &[Waiting]) -> Result<ItemOutcomes, LedgerError> {
        let queued = decode_all(batch, QueuedPublication::decode).map_err(|error| damaged(&error))?;
        let cases: Vec<_> = queued.into_iter().map(|one| (one.item, one.value)).collect();
        let mut failed = no_matcher();
        for matcher in self.matcher_names() {
            match self.inner.chain.publish(&matcher, cases.clone()).await {
                Err(error) if another_may_endorse(&error) => failed = error,
                settled => return settled,
            }
        }
        Err(failed)
    }

    async fn send_purges(&self, batch: &[Waiting]) -> Result<ItemOutcomes, LedgerError> {
        let handles: Vec<CaseHandle> = batch.iter().filter_map(|waiting| waiting.subject.parse().ok()).collect();
        let mut failed = no_matcher();
        for matcher in self.matcher_names() {
            match self.inner.chain.purge(&matcher, handles.clone()).await {
                Err(error) if another_may_endorse(&error) => failed = error,
                settled => return settled,
            }
        }
        Err(failed)
    }

    fn matcher_names(&self) -> Vec<OrganisationId> {
        self.inner.matchers.iter().map(|matcher| matcher.organisation().clone()).collect()
    }

    async fn settle(
        &self,
        batch: Vec<Waiting>,
        settled: Vec<Settled>,
        report: &mut SendReport,
    ) -> Result<(), HospitalError> {
        let now = self.now();
        let (count, waits_for) = self
            .store()
            .run(move |tx| -> Result<_, StoreError> {
                let (mut count, mut waits_for) = (0, None);
                for (waiting, settled) in batch.iter().zip(settled) {
                    let (code, ended) = match settled {
                        Settled::Later(code) => {
                            outbox::put_off(tx, waiting, now)?;
                            waits_for = Some(code);
                            continue;
                        }
                        Settled::Rewritten(payload, code) => {
                            outbox::rewrite(tx, waiting.id, &payload)?;
                            outbox::put_off(tx, waiting, now)?;
                            waits_for = Some(code);
                            continue;
                        }
                        Settled::Done => (None, Vec::new()),
                        Settled::Withdrawn(handles) => (None, handles),
                        Settled::Refused(code) => (Some(code), Vec::new()),
                    };
                    count += 1;
                    record(tx, waiting, code.as_deref(), &ended, now)?;
                    outbox::remove(tx, waiting.id)?;
                }
                Ok((count, waits_for))
            })
            .await?;
        report.settled += count;
        if waits_for.is_some() {
            report.waits_for = waits_for;
        }
        Ok(())
    }
}

fn decode_all<T>(batch: &[Waiting], decode: impl Fn(&[u8]) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
    batch.iter().map(|waiting| decode(&waiting.payload)).collect()
}

pub(crate) fn signed_bytes(payload: &[u8]) -> Result<SignedBytes, DecodeError> {
    let mut reader = Reader::new(payload);
    let source = SignedBytes::read(&mut reader)?;
    reader.finish()?;
    Ok(source)
}

pub(crate) fn damaged(error: &DecodeError) -> LedgerError {
    LedgerError::Malformed(format!("an operation in the outbox: {error}"))
}

fn no_matcher() -> LedgerError {
    LedgerError::Unavailable("no matcher is configured".to_owned())
}

fn later(batch: &[Waiting], code: &str) -> Vec<Settled> {
    batch.iter().map(|_| Settled::Later(code.to_owned())).collect()
}
