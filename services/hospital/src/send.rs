//! Empties the outbox: brings to the ledger what local steps left there, and records what the ledger said.
//!
//! Every operation may be sent twice: a crash or a lost answer leaves it in the outbox, and the ledger recognises its
//! id. An operation leaves the outbox in the local transaction that records its outcome.

use std::collections::BTreeSet;

use semblance_contract::Code;
use semblance_contract::wire::Refusal;
use semblance_core::denial::Denial;
use semblance_core::encode::{DecodeError, Reader};
use semblance_core::id::{CaseHandle, ConsentId, Digest, OrganisationId};
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use semblance_ledger::LedgerError;
use serde::Serialize;

use crate::chain::{ItemOutcomes, another_may_endorse};
use crate::error::{HospitalError, ledger_code};
use crate::publish::QueuedPublication;
use crate::service::HospitalService;
use crate::step::CHUNK;
use crate::store::consent::{self, ConsentState};
use crate::store::outbox::{self, Kind, Waiting};
use crate::store::patient_key::{self, KeyState};
use crate::store::publication::{self, PublicationState};
use crate::store::{StoreError, audit};

/// The order in which kinds are sent. Nothing may delay a withdrawal; keys come before the consents they sign, and
/// these before what is published under them.
const ORDER: [Kind; 6] = [Kind::Withdraw, Kind::RegisterKey, Kind::Grant, Kind::Publish, Kind::Purge, Kind::Deny];

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
enum Settled {
    /// It stands on the ledger.
    Done,
    /// The ledger refused it for good.
    Refused(String),
    /// Try again later.
    Later(String),
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
        match (kind, refusal.code()) {
            (_, Some(Code::DuplicateInBatch | Code::LedgerState)) => Settled::Later(refusal.word().to_owned()),
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
            (Kind::Publish, Some(Code::HandleUsed)) => {
                let Ok(handle) = waiting.subject.parse::<CaseHandle>() else { return refused() };
                match self.inner.chain.case(handle).await {
                    Ok(Some(found)) if found.case.owner == self.inner.organisation => Settled::Done,
                    Ok(_) => refused(),
                    Err(error) => Settled::Later(ledger_code(&error).to_owned()),
                }
            }
            // Its tombstone is on the way.
            (Kind::Purge, Some(Code::CaseLive)) => Settled::Later(refusal.word().to_owned()),
            _ => refused(),
        }
    }

    async fn send_withdrawals(&self, batch: &[Waiting]) -> Vec<Settled> {
        let mut settled = Vec::with_capacity(batch.len());
        for waiting in batch {
            let sent = match signed_bytes(&waiting.payload) {
                Ok(source) => self.inner.chain.withdraw(source).await,
                Err(error) => Err(damaged(&error)),
            };
            settled.push(match sent {
                Ok(_) => Settled::Done,
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
        let subject = waiting.subject.clone();
        match self.store().run(move |tx| outbox::waits(tx, Kind::Grant, &subject)).await {
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
                    let code = match settled {
                        Settled::Later(code) => {
                            outbox::put_off(tx, waiting, now)?;
                            waits_for = Some(code);
                            continue;
                        }
                        Settled::Done => None,
                        Settled::Refused(code) => Some(code),
                    };
                    count += 1;
                    record(tx, waiting, code.as_deref(), now)?;
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

/// Writes down how an operation ended; `code` is absent when it stands on the ledger.
fn record(
    tx: &rusqlite::Transaction<'_>,
    waiting: &Waiting,
    code: Option<&str>,
    now: semblance_core::time::Timestamp,
) -> Result<(), StoreError> {
    if let Some(code) = code {
        audit::add(tx, now, "ledger", waiting.kind.as_str(), &waiting.subject, code)?;
    }
    let subject = &waiting.subject;
    match waiting.kind {
        Kind::RegisterKey => {
            let state = if code.is_none() { KeyState::Live } else { KeyState::Refused };
            patient_key::set_state(tx, parse::<Digest>(subject)?.as_bytes(), state, code)
        }
        Kind::Grant => {
            let consent = parse(subject)?;
            let Some(found) = consent::get(tx, consent)? else { return Ok(()) };
            // A withdrawal may have been signed in the meantime.
            if found.state != ConsentState::Queued {
                return Ok(());
            }
            let state = if code.is_none() { ConsentState::Live } else { ConsentState::Refused };
            consent::set_state(tx, consent, state, code)
        }
        Kind::Publish => record_publication(tx, parse(subject)?, code),
        Kind::Withdraw => {
            let consent = parse(subject)?;
            consent::set_state(tx, consent, ConsentState::Withdrawn, code)?;
            end_publications(tx, consent, PublicationState::Withdrawn, now)
        }
        Kind::Purge if code.is_none() => publication::set_state(tx, parse(subject)?, PublicationState::Purged, None),
        Kind::Purge | Kind::Deny => Ok(()),
    }
}

fn record_publication(
    tx: &rusqlite::Transaction<'_>,
    handle: CaseHandle,
    code: Option<&str>,
) -> Result<(), StoreError> {
    let Some(found) = publication::get(tx, handle)?.filter(|found| found.state == PublicationState::Queued) else {
        return Ok(());
    };
    if code.is_some() {
        return publication::set_state(tx, handle, PublicationState::Refused, code);
    }
    publication::set_state(tx, handle, PublicationState::Live, None)?;
    if let Some(replaced) = found.replaces {
        publication::set_state(tx, replaced, PublicationState::Replaced, None)?;
        outbox::add(tx, Kind::Purge, &replaced.to_string(), &[], found.at)?;
    }
    Ok(())
}

/// Ends what stood on a consent and queues the purge of its private data.
pub(crate) fn end_publications(
    tx: &rusqlite::Transaction<'_>,
    consent: ConsentId,
    state: PublicationState,
    now: semblance_core::time::Timestamp,
) -> Result<(), StoreError> {
    for found in publication::of_consent(tx, consent)? {
        if matches!(found.state, PublicationState::Live | PublicationState::Queued) {
            publication::set_state(tx, found.handle, state, None)?;
            outbox::add(tx, Kind::Purge, &found.handle.to_string(), &[], now)?;
        }
    }
    Ok(())
}

fn parse<T: std::str::FromStr>(subject: &str) -> Result<T, StoreError> {
    subject.parse().map_err(|_| StoreError::Damaged("an operation's subject".to_owned()))
}

fn decode_all<T>(batch: &[Waiting], decode: impl Fn(&[u8]) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
    batch.iter().map(|waiting| decode(&waiting.payload)).collect()
}

fn signed_bytes(payload: &[u8]) -> Result<SignedBytes, DecodeError> {
    let mut reader = Reader::new(payload);
    let source = SignedBytes::read(&mut reader)?;
    reader.finish()?;
    Ok(source)
}

fn damaged(error: &DecodeError) -> LedgerError {
    LedgerError::Malformed(format!("an operation in the outbox: {error}"))
}

fn no_matcher() -> LedgerError {
    LedgerError::Unavailable("no matcher is configured".to_owned())
}

fn later(batch: &[Waiting], code: &str) -> Vec<Settled> {
    batch.iter().map(|_| Settled::Later(code.to_owned())).collect()
}
