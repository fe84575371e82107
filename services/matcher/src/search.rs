//! One look-up, from the signed request to the answer: check, reserve, search, store, record, answer.

use std::sync::Arc;
use std::time::Duration;

use semblance_contract::wire::{Standing, StandingOf};
use semblance_core::id::{CaseHandle, ClinicianPseudonym, Digest, NetworkId, OrganisationId, RequestId, TransactionId};
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::random::RandomSource;
use semblance_core::record::Record;
use semblance_core::signature::{Signed, Statement};
use semblance_core::time::Clock;
use semblance_index::Position;
use semblance_ledger::client::LedgerClient;
use tokio::sync::watch;

use crate::budget::{Asker, BudgetError, Budgets};
use crate::denials::Denials;
use crate::disclose::{disclose, find};
use crate::entries::{Entries, Recorded};
use crate::error::SearchError;
use crate::indexes::Searchers;
use crate::members::Members;
use crate::request::{CheckedSearch, Checks, IncomingSearch};
use crate::store::{EntryState, MatcherStore, StoredAnswer};

/// How long a search waits for the index to reach the block it must have reached.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(3);
/// The subject of a denial where no clinician was recognised.
pub(crate) const NOBODY: ClinicianPseudonym = ClinicianPseudonym::from_bytes([0; 32]);

/// An answer whose entry stands on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The answer, encoded.
    pub answer: Vec<u8>,
    /// The transaction that holds the entry.
    pub transaction: TransactionId,
    /// The block that holds it.
    pub block: u64,
}

/// Answers look-ups.
pub struct Search {
    /// The network.
    pub network: NetworkId,
    /// This matcher.
    pub matcher: OrganisationId,
    /// The ledger.
    pub ledger: LedgerClient,
    /// The members, kept by the follower.
    pub members: Members,
    /// The open epochs' indexes.
    pub searchers: Searchers,
    /// How far the indexes are.
    pub progress: watch::Receiver<Option<Position>>,
    /// The budgets.
    pub budgets: Arc<Budgets>,
    /// The matcher's own file.
    pub store: Arc<MatcherStore>,
    /// Entries on their way.
    pub entries: Entries,
    /// Denials on their way.
    pub denials: Arc<Denials>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for salts and seals.
    pub random: Arc<dyn RandomSource>,
}

/// Ends a reservation, however the look-up ends.
pub(crate) struct Reserved<'a>(pub(crate) &'a Budgets, pub(crate) RequestId);

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.0.finish(self.1);
    }
}

impl Search {
    /// Answers a look-up of the organisation whose certificate the caller showed. A refusal is written down before it
    /// is told.
    ///
    /// # Errors
    /// See [`SearchError`]; whatever it is, there is no answer.
    pub async fn search(&self, caller: &OrganisationId, incoming: IncomingSearch) -> Result<Answered, SearchError> {
        let digest = incoming.request.digest();
        let mut subject = NOBODY;
        let outcome = self.answer(caller, incoming, &mut subject).await;
        outcome.map_err(|error| self.refused(caller, error, subject, Some(digest)))
    }

    /// Writes a refusal down before it is told. If even that fails, the failure is told in its place.
    pub(crate) fn refused(
        &self,
        caller: &OrganisationId,
        error: SearchError,
        subject: ClinicianPseudonym,
        digest: Option<Digest>,
    ) -> SearchError {
        tracing::info!(organisation = %caller, code = error.word(), "a look-up was not answered");
        match error.denial().map(|code| self.denials.deny(code, subject, digest)) {
            Some(Err(failed)) => failed.into(),
            Some(Ok(())) | None => error,
        }
    }

    async fn answer(
        &self,
        caller: &OrganisationId,
        incoming: IncomingSearch,
        subject: &mut ClinicianPseudonym,
    ) -> Result<Answered, SearchError> {
        let checks = Checks {
            network: self.network,
            matcher: &self.matcher,
            caller,
            members: &self.members,
            now: self.clock.now(),
        };
        let (request, hospital) = checks.signature(incoming.request)?;
        *subject = request.statement().clinician;
        if let Some(stored) = self.store.answer(request.statement().request)? {
            if stored.request_digest != request.digest() {
                return Err(SearchError::Replayed);
            }
            checks.still_answered(request.statement())?;
            if let Some(answered) = self.again(request.statement(), stored).await? {
                return Ok(answered);
            }
        }
        let search = checks.content(request, hospital, &incoming.query, &incoming.query_salt)?;
        self.first(search).await
    }

    /// Answers a request that was never answered. The ledger is asked twice: before the search whether the asker's own
    /// case is live, before sealing whether it and the found ones still are.
    async fn first(&self, search: CheckedSearch) -> Result<Answered, SearchError> {
        let request = search.request.statement().clone();
        let _reserved = self.reserve(&request)?;
        self.reach(request.minimum_height).await?;
        let own = self.standing(&request, Vec::new()).await?.own;
        let searcher = self.searchers.get(request.epoch).ok_or(SearchError::WrongEpoch(request.epoch.0))?;
        let store = Arc::clone(&self.store);
        let (signed, mut findings) = tokio::task::spawn_blocking(move || {
            let findings = find(&searcher, &search, own, &store)?;
            Ok::<_, SearchError>((search.request, findings))
        })
        .await
        .map_err(|error| SearchError::Defect(error.to_string()))??;
        let standing = self.standing(&request, findings.handles()).await?;
        if standing.own != own {
            return Err(SearchError::CaseNotIndexed);
        }
        findings.keep(&standing.live);
        let (answer, entry) = disclose(self.network, signed.source(), findings, &self.members, &*self.random)?;
        let stored = self.store_first(&signed, &entry, answer.encode())?;
        let recorded = self.record(&request, entry).await?;
        Ok(answered(stored.answer, recorded))
    }

    /// Takes the request's place among those under way. If it was answered meanwhile, the next try gets that answer.
    fn reserve(&self, request: &LookupRequest) -> Result<Reserved<'_>, SearchError> {
        let reserved = self.budgets.reserve(request.request, Asker::of(request));
        let reserved = reserved.map(|()| Reserved(&self.budgets, request.request));
        if self.store.answer(request.request)?.is_some() {
            return Err(BudgetError::UnderWay.into());
        }
        Ok(reserved?)
    }

    /// Whether the asker's own case and the found ones are live, as the ledger has it now.
    pub(crate) async fn standing(
        &self,
        request: &LookupRequest,
        found: Vec<CaseHandle>,
    ) -> Result<Standing, SearchError> {
        let (hospital, case, epoch) = (request.hospital.clone(), request.case, request.epoch);
        Ok(self.ledger.standing(&StandingOf { hospital, case, epoch, found }).await?)
    }

    /// Writes the answer down before its entry is submitted, so that a crash in between loses neither.
    fn store_first(
        &self,
        request: &Signed<LookupRequest>,
        entry: &LookupEntry,
        answer: Vec<u8>,
    ) -> Result<StoredAnswer, SearchError> {
        let stored = StoredAnswer {
            request_digest: request.digest(),
            entry: Record::encode(entry),
            answer,
            expires: request.statement().expires,
            state: EntryState::Pending,
        };
        self.store.put_answer(request.statement().request, &stored)?;
        Ok(stored)
    }

    /// Waits until the indexes have reached all that the ledger holds now, or further if that is asked for: a matcher
    /// that lags would answer with cases that have left, and the asker must not choose by how much.
    async fn reach(&self, minimum: u64) -> Result<(), SearchError> {
        let wanted = self.ledger.height().await?.saturating_sub(1).max(minimum);
        let mut progress = self.progress.clone();
        let there = |position: &Option<Position>| position.is_some_and(|position| position.block >= wanted);
        if let Ok(Ok(_)) = tokio::time::timeout(CATCH_UP, progress.wait_for(there)).await {
            return Ok(());
        }
        let reached = self.progress.borrow().map_or(0, |position| position.block);
        Err(SearchError::Behind { reached, wanted })
    }
}

pub(crate) fn answered(answer: Vec<u8>, recorded: Recorded) -> Answered {
    Answered { answer, transaction: recorded.transaction, block: recorded.block }
}
