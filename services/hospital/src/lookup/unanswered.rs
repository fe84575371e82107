//! Look-ups that got no answer: once it is certain that they left no entry, their slots are free again.

use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::time::Timestamp;

use crate::deny::Who;
use crate::error::{Denied, HospitalError};
use crate::service::HospitalService;
use crate::store::lookup::{self, LookupState, StoredLookup};
use crate::store::{StoreError, slot};

/// After a request's time the ledger refuses it, by a clock that may be so far behind ours; the rest is for ordering.
/// Should a transaction be ordered later still, it loses against whoever has the slot by then.
const CERTAIN_AFTER_MILLIS: u64 = 2 * PROPOSAL_SKEW_MILLIS;
/// Most look-ups settled before one is asked.
const SETTLED_AT_ONCE: usize = 20;

impl HospitalService {
    /// Looks on the own ledger what became of requests that expired without an answer. Those without an entry end, are
    /// no part of a budget any more, and give their slots back. A ledger that cannot be asked leaves them as they are.
    pub(super) async fn settle_unanswered(&self) -> Result<(), HospitalError> {
        let certain = Timestamp::from_millis(self.now().millis().saturating_sub(CERTAIN_AFTER_MILLIS));
        let open = self.store().run(move |tx| slot::unsettled(tx, certain, SETTLED_AT_ONCE)).await?;
        for asked in open {
            let Ok(entry) = self.inner.chain.lookup(asked.request).await else { return Ok(()) };
            match entry {
                None => {
                    let code = Denied::ExpiredRequest.as_str();
                    self.store().run(move |tx| slot::release(tx, asked.request, code)).await?;
                }
                Some(_) => self.hold_recorded(asked).await?,
            }
        }
        Ok(())
    }

    /// The request was recorded although no answer came. If the matcher said that it refused, it lied.
    async fn hold_recorded(&self, asked: StoredLookup) -> Result<(), HospitalError> {
        let service = self.clone();
        let held = move |tx: &rusqlite::Transaction<'_>| -> Result<(), StoreError> {
            slot::hold(tx, asked.request)?;
            if asked.state != LookupState::Refused {
                return Ok(());
            }
            let (who, code) = (Who::asking("node", &asked.clinician), Denied::EntryMismatch);
            lookup::finish(tx, asked.request, LookupState::Failed, Some(code.as_str()), None)?;
            service.note_denial(tx, &who, "look-up", asked.local_id.as_str(), code, None)
        };
        Ok(self.store().run(held).await?)
    }
}
