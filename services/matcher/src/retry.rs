//! The stored answer, recorded and given again: a request has one answer and one entry, however often it is sent.

use semblance_core::answer::Answer;
use semblance_core::id::{CaseHandle, RequestId};
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::record::Record;
use semblance_core::signature::Statement;
use semblance_ledger::LedgerError;

use crate::budget::Asker;
use crate::entries::Recorded;
use crate::error::SearchError;
use crate::search::{Answered, CATCH_UP, Reserved, Search, answered};
use crate::store::{EntryState, StoredAnswer};

impl Search {
    /// Gives the stored answer again. An entry whose fate is unknown is looked for, and submitted again if it is not
    /// there: the same bytes, so that there is one entry in the end. Nothing is given, and nothing stored any more, if
    /// the entry is nowhere and a case in the answer has left meanwhile: then the request is still unanswered.
    ///
    /// # Errors
    /// The same request is under way, or the ledger cannot be asked or refuses.
    pub(crate) async fn again(
        &self,
        request: &LookupRequest,
        stored: StoredAnswer,
    ) -> Result<Option<Answered>, SearchError> {
        if let EntryState::Committed { transaction, block } = stored.state {
            return Ok(Some(answered(stored.answer, Recorded { transaction, block })));
        }
        let id = request.request;
        self.budgets.resume(id, Asker::of(request))?;
        let _reserved = Reserved(&self.budgets, id);
        // Whoever had the reservation before may have settled it.
        let Some(stored) = self.store.answer(id)? else { return Ok(None) };
        if let EntryState::Committed { transaction, block } = stored.state {
            return Ok(Some(answered(stored.answer, Recorded { transaction, block })));
        }
        let entry = LookupEntry::decode(&stored.entry)?;
        let recorded = if self.is_on_ledger(id, &entry).await? {
            self.placed(id).await?
        } else if self.still_stands(request, &stored.answer).await? {
            self.record(request, entry).await?
        } else {
            self.store.remove_answer(id)?;
            return Ok(None);
        };
        Ok(Some(answered(stored.answer, recorded)))
    }

    /// Records an entry. The stored answer goes only where the entry is surely not on the ledger: a refusal because the
    /// request is there already may speak of this very entry.
    ///
    /// # Errors
    /// The ledger refused the entry, or cannot be reached.
    pub(crate) async fn record(&self, request: &LookupRequest, entry: LookupEntry) -> Result<Recorded, SearchError> {
        let id = request.request;
        let recorded = match self.entries.record(entry.clone()).await {
            Ok(recorded) => {
                self.store.answer_committed(id, recorded.transaction, recorded.block)?;
                recorded
            }
            Err(error) if error.may_be_recorded() && self.is_on_ledger(id, &entry).await? => self.placed(id).await?,
            Err(error) => {
                if error.is_final() {
                    self.store.remove_answer(id)?;
                }
                return Err(error);
            }
        };
        self.budgets.record(id, Asker::of(request));
        Ok(recorded)
    }

    /// Whether the ledger holds this entry. If it holds another one of the same request, that one's answer is lost.
    async fn is_on_ledger(&self, request: RequestId, entry: &LookupEntry) -> Result<bool, SearchError> {
        match self.ledger.lookup(request).await? {
            None => Ok(false),
            Some(found) if found.entry == *entry => Ok(true),
            Some(_) => {
                self.store.remove_answer(request)?;
                Err(SearchError::Replayed)
            }
        }
    }

    /// Whether the cases of an answer that has not left yet are all live.
    async fn still_stands(&self, request: &LookupRequest, answer: &[u8]) -> Result<bool, SearchError> {
        let answer = Answer::decode(answer, self.network)?;
        let found: Vec<CaseHandle> = answer.matches.iter().map(|found| found.handle).collect();
        Ok(self.standing(request, found.clone()).await?.live == found)
    }

    /// Where an entry stands that is on the ledger; the follower is about to say in which block.
    async fn placed(&self, request: RequestId) -> Result<Recorded, SearchError> {
        let mut progress = self.progress.clone();
        let seen = async {
            loop {
                if let Some(EntryState::Committed { transaction, block }) =
                    self.store.answer(request)?.map(|stored| stored.state)
                {
                    return Ok(Recorded { transaction, block });
                }
                if progress.changed().await.is_err() {
                    return Err(LedgerError::Unavailable("this matcher is stopping".into()).into());
                }
            }
        };
        let unseen = || LedgerError::Unavailable("the entry's block has not arrived yet".into());
        tokio::time::timeout(CATCH_UP, seen).await.map_err(|_| unseen())?
    }
}
