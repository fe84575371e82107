//! Which cases a use case is about, and what came of each.

use rusqlite::Transaction;
use serde::Serialize;

use crate::error::{Denied, HospitalError};
use crate::service::HospitalService;
use crate::store::case::{self, LocalCaseId, StoredCase};
use crate::store::{StoreError, audit};

/// Cases handled in one local transaction, and sent in one batch.
pub(crate) const CHUNK: usize = 100;

/// Which cases a use case is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every case for which it has something to do.
    All,
    /// These; one for which there is nothing to do is reported.
    Cases(Vec<LocalCaseId>),
}

/// Why a case was left out, or what the ledger said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseProblem {
    /// The case.
    pub case: LocalCaseId,
    /// A stable word.
    pub code: String,
}

/// What came of a use case that ends on the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Cases for which it is done and stands on the ledger.
    pub done: u64,
    /// Cases for which it waits for the ledger; it is sent by itself as soon as that answers.
    pub waiting: u64,
    /// Cases for which there was nothing to do.
    pub unchanged: u64,
    /// Cases for which it was refused, the first [`StepReport::REFUSED_MAX`] of them.
    pub refused: Vec<CaseProblem>,
    /// How many more were refused; the local audit names them all.
    pub refused_left_out: u64,
    /// Why something waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

impl StepReport {
    /// Most refused cases named in a report.
    pub const REFUSED_MAX: usize = 1_000;

    fn refuse(&mut self, case: LocalCaseId, code: String) {
        if self.refused.len() < Self::REFUSED_MAX {
            self.refused.push(CaseProblem { case, code });
        } else {
            self.refused_left_out += 1;
        }
    }
}

/// What the local part of a step did for one case.
pub(crate) enum Local {
    /// It is queued for the ledger.
    Queued,
    /// There was nothing to do.
    Nothing,
    /// It is refused.
    Refused(Denied),
}

/// How far the ledger's part of a step got for one case.
pub(crate) enum Remote {
    Done,
    Waiting,
    Refused(String),
}

/// One verb under way: who, what, and what came of it so far.
pub(crate) struct Step {
    pub(crate) actor: String,
    pub(crate) action: &'static str,
    pub(crate) explicit: bool,
    pub(crate) queued: Vec<LocalCaseId>,
    pub(crate) report: StepReport,
}

impl Step {
    pub(crate) fn new(actor: &str, action: &'static str, selection: &Selection) -> Self {
        let explicit = matches!(selection, Selection::Cases(_));
        Self { actor: actor.to_owned(), action, explicit, queued: Vec::new(), report: StepReport::default() }
    }

    /// Counts what the local part did, in the transaction that did it.
    pub(crate) fn count(
        &mut self,
        tx: &Transaction<'_>,
        service: &HospitalService,
        id: &LocalCaseId,
        local: Local,
    ) -> Result<(), StoreError> {
        match local {
            Local::Queued => {
                self.queued.push(id.clone());
                audit::add(tx, service.now(), &self.actor, self.action, id.as_str(), "ok")
            }
            Local::Refused(code) if self.explicit || !is_not_its_turn(code) => {
                self.report.refuse(id.clone(), code.to_string());
                service.note_denial(tx, &self.actor.as_str().into(), self.action, id.as_str(), code, None)
            }
            Local::Nothing | Local::Refused(_) => {
                self.report.unchanged += 1;
                Ok(())
            }
        }
    }
}

/// With a selection of all, a case that has not come to this step yet is no news, nor one whose patient withdrew; one that
/// a rule keeps out is.
const fn is_not_its_turn(code: Denied) -> bool {
    matches!(code, Denied::NotRegistered | Denied::NoConsent | Denied::NotPublished | Denied::WithdrawnConsent)
}

impl HospitalService {
    /// Reads the next selected cases, at most a hundred; advances the cursor.
    pub(crate) async fn next_cases(
        &self,
        selection: &Selection,
        cursor: &mut Cursor,
        step: &mut Step,
    ) -> Result<Vec<StoredCase>, HospitalError> {
        let wanted: Option<Vec<LocalCaseId>> = match selection {
            Selection::All => None,
            Selection::Cases(ids) => Some(ids.iter().skip(cursor.taken).take(CHUNK).cloned().collect()),
        };
        let after = cursor.after.clone();
        let (cases, unknown) = self
            .store()
            .run(move |tx| -> Result<_, StoreError> {
                let Some(ids) = wanted else { return Ok((case::page(tx, &after, CHUNK)?, Vec::new())) };
                let (mut cases, mut unknown) = (Vec::new(), Vec::new());
                for id in ids {
                    match case::get(tx, &id)? {
                        Some(case) => cases.push(case),
                        None => unknown.push(id),
                    }
                }
                Ok((cases, unknown))
            })
            .await?;
        cursor.taken += cases.len() + unknown.len();
        if let Some(last) = cases.last() {
            cursor.after = last.content.local_id.as_str().to_owned();
        }
        cursor.ended = match selection {
            Selection::All => cases.len() < CHUNK,
            Selection::Cases(ids) => cursor.taken >= ids.len(),
        };
        for case in unknown {
            self.deny(step.actor.as_str(), step.action, case.as_str(), Denied::UnknownCase, None).await?;
            step.report.refuse(case, Denied::UnknownCase.to_string());
        }
        Ok(cases)
    }

    /// Sends what is queued, then says for each case how far it got.
    pub(crate) async fn finish(
        &self,
        step: Step,
        state: impl Fn(&Transaction<'_>, &LocalCaseId) -> Result<Remote, StoreError> + Send + 'static,
    ) -> Result<StepReport, HospitalError> {
        let Step { queued, mut report, .. } = step;
        if queued.is_empty() {
            return Ok(report);
        }
        let sent = self.send().await?;
        let mut report = self
            .store()
            .run(move |tx| -> Result<StepReport, StoreError> {
                for case in queued {
                    match state(tx, &case)? {
                        Remote::Done => report.done += 1,
                        Remote::Waiting => report.waiting += 1,
                        Remote::Refused(code) => report.refuse(case, code),
                    }
                }
                Ok(report)
            })
            .await?;
        if report.waiting > 0 {
            report.waits_for = sent.waits_for;
        }
        Ok(report)
    }
}

/// Where a walk over the selected cases stands.
#[derive(Default)]
pub(crate) struct Cursor {
    taken: usize,
    after: String,
    pub(crate) ended: bool,
}
