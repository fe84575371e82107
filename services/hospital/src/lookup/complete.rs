//! Leads a stored request to its end: asks the matcher, checks the answer, shows what passed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use semblance_core::encode::Reader;
use semblance_core::id::{RequestId, TransactionId};
use semblance_core::lookup::LookupRequest;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::term::TermId;

use super::check::{Asked, Checked};
use super::report::LookupReport;
use crate::deny::Who;
use crate::error::{Denied, HospitalError};
use crate::matcher::{MatcherError, Search};
use crate::service::HospitalService;
use crate::store::case::StoredCase;
use crate::store::lookup::{self, LookupState, StoredLookup};
use crate::store::{StoreError, audit};

/// The requests under way. Whoever comes second waits, and finds what the first one stored.
#[derive(Default)]
pub(crate) struct Asking(Mutex<BTreeMap<RequestId, Weak<tokio::sync::Mutex<()>>>>);

impl Asking {
    fn lock(&self, request: RequestId) -> Arc<tokio::sync::Mutex<()>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = held.get(&request).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        held.insert(request, Arc::downgrade(&lock));
        lock
    }
}

impl HospitalService {
    /// Sends a stored request, keeps the answer, checks it, shows what passed.
    pub(super) async fn complete(
        &self,
        who: &Who,
        request: RequestId,
        case: &StoredCase,
    ) -> Result<LookupReport, HospitalError> {
        let lock = self.inner.asking.lock(request);
        let _one = lock.lock().await;
        let stored = self.store().run(move |tx| lookup::get(tx, request)).await?;
        let stored = stored.ok_or_else(|| StoreError::Damaged("a look-up is gone".to_owned()))?;
        if let (LookupState::Shown, Some(report)) = (stored.state, &stored.report) {
            return serde_json::from_str(report)
                .map_err(|_| StoreError::Damaged("a look-up's report".to_owned()).into());
        }
        if matches!(stored.state, LookupState::Refused | LookupState::Failed) {
            let code = stored.code.unwrap_or_default();
            let message = "the look-up ended without an answer: ask anew".to_owned();
            return Err(MatcherError::Refused { code, message }.into());
        }
        let asked = self.asked(&stored)?;
        let (answer, placed) = match (&stored.answer, stored.placed) {
            (Some(answer), Some(placed)) => (answer.clone(), placed),
            _ => self.search(who, &stored, &asked).await?,
        };
        let checked = match self.check_answer(&asked, &answer, placed).await {
            Err(HospitalError::Denied { code, message }) => {
                self.doubt(who, &stored, &asked, code).await?;
                return Err(HospitalError::Denied { code, message });
            }
            other => other?,
        };
        let report = self.report(&stored, &asked, checked, placed, case).await?;
        let text = serde_json::to_string(&report).map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.end(request, LookupState::Shown, None, Some(text)).await?;
        if let Err(error) = self.read_early_proposals(request).await {
            // The answer stands; whoever was found may ask again.
            tracing::warn!(%request, code = error.code(), "proposals on a look-up could not be read");
        }
        Ok(report)
    }

    /// Records that an answer did not pass. One that no entry confirms is forgotten, so that the same request can be
    /// asked again: the matcher may have named a wrong block, or the own ledger may be behind.
    async fn doubt(&self, who: &Who, stored: &StoredLookup, asked: &Asked, code: Denied) -> Result<(), HospitalError> {
        let (request, digest) = (stored.request, asked.source.digest());
        tracing::warn!(%request, code = code.as_str(), "an answer did not pass the checks");
        self.deny(who.clone(), "look-up", stored.local_id.as_str(), code, Some(digest)).await?;
        match code {
            Denied::NoEntry | Denied::EntryBehind => {
                Ok(self.store().run(move |tx| lookup::ask_again(tx, request)).await?)
            }
            _ => self.end(request, LookupState::Failed, Some(code.as_str().to_owned()), None).await,
        }
    }

    async fn report(
        &self,
        stored: &StoredLookup,
        asked: &Asked,
        checked: Checked,
        placed: (TransactionId, u64),
        case: &StoredCase,
    ) -> Result<LookupReport, HospitalError> {
        Ok(LookupReport {
            request: stored.request.to_string(),
            case: stored.local_id.to_string(),
            purpose: stored.purpose.clone(),
            breadth: stored.breadth.clone(),
            short: asked.request.short,
            matcher: stored.matcher.to_string(),
            cases: checked.answer.coverage.cases,
            hospitals: checked.answer.coverage.hospitals,
            height: checked.answer.coverage.height,
            transaction: placed.0.to_string(),
            block: placed.1,
            matches: checked.matches,
            failed: checked.failed,
            own: self.similar_own(case).await?,
        })
    }

    fn asked(&self, stored: &StoredLookup) -> Result<Asked, HospitalError> {
        let damaged = || StoreError::Damaged("a stored look-up".to_owned());
        let mut reader = Reader::new(&stored.signed);
        let source = SignedBytes::read(&mut reader).map_err(|_| damaged())?;
        let request = LookupRequest::decode(source.bytes(), self.inner.network).map_err(|_| damaged())?;
        let mut groups = Vec::new();
        for bytes in stored.groups.chunks_exact(4) {
            let number = Reader::new(bytes).u32("term").map_err(|_| damaged())?;
            groups.push(TermId::new(number).map_err(|_| damaged())?);
        }
        Ok(Asked { request, source, groups, count: stored.count })
    }

    /// Asks the matcher and keeps its answer before anything else is done with it.
    async fn search(
        &self,
        who: &Who,
        stored: &StoredLookup,
        asked: &Asked,
    ) -> Result<(Vec<u8>, (TransactionId, u64)), HospitalError> {
        let request = stored.request;
        let opening = stored.opening.as_deref().and_then(<[u8]>::split_first_chunk::<32>);
        let (salt, query) = opening.ok_or_else(|| StoreError::Damaged("a look-up's opening".to_owned()))?;
        let subject = stored.local_id.as_str();
        let Some(matcher) = self.matcher(Some(&stored.matcher)) else {
            let message = format!("matcher {} is not configured any more", stored.matcher);
            return self.refuse(who.clone(), "look-up", subject, Denied::UnknownMatcher, &message).await;
        };
        let search = Search { request: asked.source.clone(), query: query.to_vec(), salt: *salt };
        let found = match matcher.search(search).await {
            Ok(found) => found,
            Err(MatcherError::Refused { code, message }) => {
                return self.refused(who, stored, asked, code, message).await;
            }
            Err(error) if self.now() > stored.expires && self.inner.chain.lookup(request).await?.is_none() => {
                tracing::warn!(%request, code = error.code(), "a look-up expired unanswered");
                let (code, digest) = (Denied::ExpiredRequest, asked.source.digest());
                self.end(request, LookupState::Refused, Some(code.to_string()), None).await?;
                self.deny(who.clone(), "look-up", subject, code, Some(digest)).await?;
                return Err(HospitalError::denied(code, "the request expired without an entry: ask anew"));
            }
            Err(error) => return Err(error.into()),
        };
        let (answer, transaction, block) = (found.answer.clone(), found.transaction, found.block);
        self.store().run(move |tx| lookup::set_answer(tx, request, &answer, transaction, block)).await?;
        Ok((found.answer, (found.transaction, found.block)))
    }

    /// The matcher says that it refused. That ends the request only if the own ledger holds no entry of it: otherwise
    /// cases may have been disclosed, and the same request has to bring the answer.
    async fn refused<T>(
        &self,
        who: &Who,
        stored: &StoredLookup,
        asked: &Asked,
        code: String,
        message: String,
    ) -> Result<T, HospitalError> {
        let request = stored.request;
        if self.inner.chain.lookup(request).await?.is_some() {
            tracing::warn!(%request, code, "a matcher refused a look-up that it recorded");
            let (found, digest) = (Denied::EntryMismatch, asked.source.digest());
            self.deny(who.clone(), "look-up", stored.local_id.as_str(), found, Some(digest)).await?;
            let message =
                format!("the matcher says {code}, but the ledger holds the entry: try the same request again");
            return Err(HospitalError::denied(found, message));
        }
        self.end(request, LookupState::Refused, Some(code.clone()), None).await?;
        let (who, subject, word, now) = (who.clone(), stored.local_id.to_string(), code.clone(), self.now());
        let line =
            move |tx: &rusqlite::Transaction<'_>| audit::add_named(tx, now, who.names(), "look-up", &subject, &word);
        self.store().run(line).await?;
        Err(MatcherError::Refused { code, message }.into())
    }

    async fn end(
        &self,
        request: RequestId,
        state: LookupState,
        code: Option<String>,
        report: Option<String>,
    ) -> Result<(), HospitalError> {
        let end = move |tx: &rusqlite::Transaction<'_>| {
            lookup::finish(tx, request, state, code.as_deref(), report.as_deref())
        };
        Ok(self.store().run(end).await?)
    }
}
