//! One look-up, from the signed request to the answer: check, reserve, search, store, record, answer.

use std::sync::Arc;
use std::time::Duration;

use semblance_core::id::{ClinicianPseudonym, NetworkId, OrganisationId, RequestId, TransactionId};
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::random::RandomSource;
use semblance_core::record::Record;
use semblance_core::signature::{Signed, Statement};
use semblance_core::time::Clock;
use semblance_index::Position;
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use tokio::sync::watch;

use crate::budget::{Asker, Budgets};
use crate::denials::Denials;
use crate::disclose::{disclose, find};
use crate::entries::{Entries, Recorded};
use crate::error::SearchError;
use crate::indexes::Searchers;
use crate::members::Members;
use crate::request::{CheckedSearch, Checks, IncomingSearch};
use crate::store::{EntryState, MatcherStore, StoredAnswer};

/// How long a search waits for the index to reach the block it asks for.
const CATCH_UP: Duration = Duration::from_secs(3);

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
struct Reserved<'a>(&'a Budgets, RequestId);

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
        let mut subject = ClinicianPseudonym::from_bytes([0; 32]);
        let outcome = self.answer(caller, incoming, &mut subject).await;
        if let Err(error) = &outcome {
            if let Some(code) = error.denial() {
                self.denials.deny(code, subject, Some(digest))?;
            }
            tracing::info!(hospital = %caller, code = error.word(), "a look-up was not answered");
        }
        outcome
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
            return self.again(request.statement().request, stored).await;
        }
        let search = checks.content(request, hospital, &incoming.query, &incoming.query_salt)?;
        self.first(search).await
    }

    /// Answers a request that was never answered.
    async fn first(&self, search: CheckedSearch) -> Result<Answered, SearchError> {
        let request = search.request.statement().clone();
        self.reach(request.minimum_height).await?;
        let searcher = self.searchers.get(request.epoch).ok_or(SearchError::WrongEpoch(request.epoch.0))?;
        let asker = Asker { hospital: request.hospital.clone(), clinician: request.clinician, slot: request.slot };
        self.budgets.reserve(request.request, asker.clone())?;
        let _reserved = Reserved(&self.budgets, request.request);

        let store = Arc::clone(&self.store);
        let (signed, findings) = tokio::task::spawn_blocking(move || {
            let findings = find(&searcher, &search, &store)?;
            Ok::<_, SearchError>((search.request, findings))
        })
        .await
        .map_err(|error| SearchError::Defect(error.to_string()))??;
        let (answer, entry) = disclose(self.network, signed.source(), findings, &self.members, &*self.random)?;
        let answer = answer.encode();
        let stored = self.store_first(&signed, &entry, answer)?;
        let recorded = self.record(request.request, entry).await?;
        self.budgets.record(request.request, asker);
        Ok(answered(stored.answer, recorded))
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

    /// Records an entry. Only where it may be on the ledger after all does the stored answer stay.
    async fn record(&self, request: RequestId, entry: LookupEntry) -> Result<Recorded, SearchError> {
        match self.entries.record(entry).await {
            Ok(recorded) => {
                self.store.answer_committed(request, recorded.transaction, recorded.block)?;
                Ok(recorded)
            }
            Err(error) => {
                if !matches!(error, SearchError::Ledger(LedgerError::OutcomeUnknown { .. })) {
                    self.store.remove_answer(request)?;
                }
                Err(error)
            }
        }
    }

    /// Gives the stored answer again. An entry whose fate is unknown is looked for, and submitted again if it is not
    /// there: the same bytes, so that there is one entry in the end.
    async fn again(&self, request: RequestId, stored: StoredAnswer) -> Result<Answered, SearchError> {
        if let EntryState::Committed { transaction, block } = stored.state {
            return Ok(answered(stored.answer, Recorded { transaction, block }));
        }
        if self.ledger.lookup(request).await.map_err(SearchError::Ledger)?.is_none() {
            let entry = LookupEntry::decode(&stored.entry)?;
            let recorded = self.record(request, entry).await?;
            return Ok(answered(stored.answer, recorded));
        }
        // It is there; the follower is about to say in which block.
        let mut progress = self.progress.clone();
        let seen = async {
            loop {
                if let Some(EntryState::Committed { transaction, block }) =
                    self.store.answer(request)?.map(|stored| stored.state)
                {
                    return Ok(Recorded { transaction, block });
                }
                if progress.changed().await.is_err() {
                    return Err(SearchError::Ledger(LedgerError::Unavailable("this matcher is stopping".into())));
                }
            }
        };
        let unseen = || SearchError::Ledger(LedgerError::Unavailable("the entry's block has not arrived yet".into()));
        let recorded = tokio::time::timeout(CATCH_UP, seen).await.map_err(|_| unseen())??;
        Ok(answered(stored.answer, recorded))
    }

    /// Waits until the indexes have reached a block.
    async fn reach(&self, wanted: u64) -> Result<(), SearchError> {
        let mut progress = self.progress.clone();
        let there = |position: &Option<Position>| position.is_some_and(|position| position.block >= wanted);
        if let Ok(Ok(_)) = tokio::time::timeout(CATCH_UP, progress.wait_for(there)).await {
            return Ok(());
        }
        let reached = self.progress.borrow().map_or(0, |position| position.block);
        Err(SearchError::Behind { reached, wanted })
    }
}

fn answered(answer: Vec<u8>, recorded: Recorded) -> Answered {
    Answered { answer, transaction: recorded.transaction, block: recorded.block }
}
