//! Publishes cases, and publishes corrected ones again: terms become seeds, tokens, a padded fingerprint.

use std::collections::BTreeMap;

use semblance_contract::wire::PublishItem;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::fingerprint::{FingerprintPlan, PrivateValue};
use semblance_core::id::CaseHandle;
use semblance_core::observed::{ObservedError, ObservedTerms};
use semblance_core::record::Record;
use semblance_core::term::TermId;
use semblance_core::token::{EpochNumber, Seed};
use semblance_keys::TermSeeds;

use crate::error::{Denied, HospitalError};
use crate::grant::live_consent;
use crate::service::HospitalService;
use crate::step::{Cursor, Local, Remote, Selection, Step, StepReport};
use crate::store::StoreError;
use crate::store::case::{LocalCaseId, StoredCase};
use crate::store::outbox::{self, Kind};
use crate::store::publication::{self, Publication, PublicationState};

/// Which cases a publication is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Those not published in the open epoch.
    New,
    /// Those published in the open epoch and corrected since.
    Corrected,
}

impl HospitalService {
    /// Publishes each selected case that has a live consent and is not published in the open epoch.
    ///
    /// # Errors
    /// No epoch is open, there are no seeds, or the store failed. A ledger that cannot be reached once the epoch is
    /// known is no error: the report says what waits.
    pub async fn publish(&self, actor: &str, selection: Selection) -> Result<StepReport, HospitalError> {
        self.publish_as(actor, selection, "publish", Mode::New).await
    }

    /// Publishes each selected case again that was corrected since; the earlier publication ends with it. An epoch
    /// allows few of these, because the difference of two fingerprints exposes real tokens.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn correct(&self, actor: &str, selection: Selection) -> Result<StepReport, HospitalError> {
        self.publish_as(actor, selection, "correct", Mode::Corrected).await
    }

    async fn publish_as(
        &self,
        actor: &str,
        selection: Selection,
        action: &'static str,
        mode: Mode,
    ) -> Result<StepReport, HospitalError> {
        let epoch = match self.open_epoch_number().await {
            Err(HospitalError::Denied { code, message }) => {
                return self.refuse(actor, action, "", code, &message).await;
            }
            found => found?,
        };
        let mut step = Step::new(actor, action, &selection);
        let mut cursor = Cursor::default();
        while !cursor.ended {
            let cases = self.next_cases(&selection, &mut cursor, &mut step).await?;
            let (service, clone) = (self.clone(), self.clone());
            let sorted = self
                .store()
                .run(move |tx| -> Result<_, StoreError> {
                    cases
                        .into_iter()
                        .map(|case| Ok((service.publishable(tx, &case, epoch, mode)?, case)))
                        .collect::<Result<Vec<_>, StoreError>>()
                })
                .await?;
            let prepared = self.prepare(sorted, epoch).await?;
            step = self
                .store()
                .run(move |tx| -> Result<Step, StoreError> {
                    for (case, value) in prepared {
                        let local = match value {
                            Ok(value) => clone.queue_publication(tx, &case, epoch, mode, value)?,
                            Err(local) => local,
                        };
                        step.count(tx, &clone, &case.content.local_id, local)?;
                    }
                    Ok(step)
                })
                .await?;
        }
        self.finish(step, move |tx, id| state(tx, id, epoch)).await
    }

    /// Whether there is something to publish, before seeds are spent on it.
    fn publishable(
        &self,
        tx: &rusqlite::Transaction<'_>,
        case: &StoredCase,
        epoch: EpochNumber,
        mode: Mode,
    ) -> Result<Result<ObservedTerms, Local>, StoreError> {
        let id = &case.content.local_id;
        let standing = publication::standing(tx, id, epoch)?;
        let newest = standing.first();
        let wanted = match (mode, newest) {
            (Mode::New, None) => true,
            (Mode::New, Some(_)) => false,
            (Mode::Corrected, None) => return Ok(Err(Local::Refused(Denied::NotPublished))),
            (Mode::Corrected, Some(newest)) => {
                newest.state == PublicationState::Live && newest.revision < case.revision
            }
        };
        if !wanted {
            return Ok(Err(Local::Nothing));
        }
        if let Err(denied) = live_consent(tx, id, self.now())? {
            return Ok(Err(Local::Refused(denied)));
        }
        Ok(self.observed(case).map_err(Local::Refused))
    }

    /// A case's observed symptoms, as a fingerprint or a query takes them.
    pub(crate) fn observed(&self, case: &StoredCase) -> Result<ObservedTerms, Denied> {
        ObservedTerms::new(&self.inner.vocabulary, &case.content.observed()).map_err(|error| match error {
            ObservedError::TooFew { .. } => Denied::TooFewTerms,
            ObservedError::TooMany { .. } => Denied::Malformed,
            ObservedError::Unknown { .. } | ObservedError::NoSymptom { .. } => Denied::UnknownTerm,
        })
    }

    /// Makes fingerprints; the seeds of one chunk are asked for at once, each term's once.
    async fn prepare(
        &self,
        cases: Vec<(Result<ObservedTerms, Local>, StoredCase)>,
        epoch: EpochNumber,
    ) -> Result<Vec<(StoredCase, Result<PrivateValue, Local>)>, HospitalError> {
        let mut plans = Vec::with_capacity(cases.len());
        for (observed, case) in cases {
            let plan = observed.and_then(|observed| {
                FingerprintPlan::new(&observed, &case.secret, &self.inner.frequencies)
                    .map_err(|_| Local::Refused(Denied::VocabularyMismatch))
            });
            plans.push((case, plan));
        }
        let planned = plans.iter().filter_map(|(_, plan)| plan.as_ref().ok());
        let seeds = self.seeds_of(epoch, planned.flat_map(|plan| plan.terms().iter().copied())).await?;
        let build = |plan: FingerprintPlan| -> Result<PrivateValue, Local> {
            let seeds: Vec<Seed> = plan.terms().iter().filter_map(|term| seeds.get(term).cloned()).collect();
            let fingerprint = plan.build(&seeds).map_err(|_| Local::Refused(Denied::Malformed))?;
            Ok(PrivateValue::new(fingerprint, self.inner.random.as_ref()))
        };
        Ok(plans.into_iter().map(|(case, plan)| (case, plan.and_then(build))).collect())
    }

    /// The seeds of terms, each asked for once.
    pub(crate) async fn seeds_of(
        &self,
        epoch: EpochNumber,
        terms: impl Iterator<Item = TermId>,
    ) -> Result<BTreeMap<TermId, Seed>, HospitalError> {
        let mut distinct: Vec<TermId> = terms.collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.is_empty() {
            return Ok(BTreeMap::new());
        }
        let seeds = self.inner.seeds.seeds(epoch, &distinct).await?;
        Ok(distinct.into_iter().zip(seeds).collect())
    }

    /// Writes down what shall be published. Looks again whether it still shall: another call may have been faster.
    fn queue_publication(
        &self,
        tx: &rusqlite::Transaction<'_>,
        case: &StoredCase,
        epoch: EpochNumber,
        mode: Mode,
        value: PrivateValue,
    ) -> Result<Local, StoreError> {
        let id = &case.content.local_id;
        let observed = match self.publishable(tx, case, epoch, mode)? {
            Ok(observed) => observed,
            Err(local) => return Ok(local),
        };
        let consent = match live_consent(tx, id, self.now())? {
            Ok(consent) => consent,
            Err(denied) => return Ok(Local::Refused(denied)),
        };
        let replaces = publication::standing(tx, id, epoch)?.first().map(|standing| standing.handle);
        let made = Publication {
            handle: CaseHandle::random(self.inner.random.as_ref()),
            local_id: id.clone(),
            consent: consent.consent,
            epoch,
            revision: case.revision,
            terms: u32::try_from(observed.terms().len()).unwrap_or(u32::MAX),
            replaces,
            state: PublicationState::Queued,
            code: None,
            at: self.now(),
        };
        publication::insert(tx, &made)?;
        let item = PublishItem {
            handle: made.handle,
            consent: made.consent,
            epoch,
            private_hash: *value.sha256().as_bytes(),
            replaces,
        };
        let payload = QueuedPublication { item, value: value.encode() }.encode();
        outbox::add(tx, Kind::Publish, &made.handle.to_string(), &payload, self.now())?;
        Ok(Local::Queued)
    }
}

/// One publication as the outbox keeps it until the ledger acknowledges it.
pub struct QueuedPublication {
    pub(crate) item: PublishItem,
    pub(crate) value: Vec<u8>,
}

impl QueuedPublication {
    /// Version 1, the item's fields, the private value with its length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1);
        self.item.write(&mut writer);
        writer.bytes(&self.value).finish()
    }

    /// Reads exactly what [`QueuedPublication::encode`] writes.
    ///
    /// # Errors
    /// Anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "queued publication", 1)?;
        let item = PublishItem::read(&mut reader)?;
        let value = reader.bytes("private value", PrivateValue::BYTES_MAX)?.to_vec();
        reader.finish()?;
        Ok(Self { item, value })
    }
}

fn state(tx: &rusqlite::Transaction<'_>, id: &LocalCaseId, epoch: EpochNumber) -> Result<Remote, StoreError> {
    let newest = publication::newest(tx, id)?.filter(|newest| newest.epoch == epoch);
    Ok(match newest {
        Some(Publication { state: PublicationState::Queued, .. }) => Remote::Waiting,
        Some(Publication { state: PublicationState::Live, .. }) => Remote::Done,
        found => Remote::Refused(found.and_then(|newest| newest.code).unwrap_or_else(|| "refused".to_owned())),
    })
}
