//! Denials: written down before the caller hears of them, recorded on the ledger soon after.

use std::sync::Arc;
use std::time::Duration;

use semblance_core::denial::{Denial, DenialCode};
use semblance_core::id::{ClinicianPseudonym, DenialId, Digest, OrganisationId};
use semblance_core::limits::DENIAL_BATCH_MAX;
use semblance_core::random::RandomSource;
use semblance_core::time::Clock;
use semblance_ledger::client::LedgerClient;
use tokio::sync::{Notify, watch};

use crate::store::{MatcherStore, StoreError};

/// How often denials that the ledger did not take are tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes denials of this matcher.
pub struct Denials {
    organisation: OrganisationId,
    store: Arc<MatcherStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
    more: Notify,
}

impl Denials {
    /// Keeps them in the matcher's file until they are recorded.
    #[must_use]
    pub fn new(
        organisation: OrganisationId,
        store: Arc<MatcherStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self { organisation, store, clock, random, more: Notify::new() }
    }

    /// Writes a denial down. `subject` is all zeroes where nobody was recognised.
    ///
    /// # Errors
    /// The file cannot be written; then the caller must be refused all the same.
    pub fn deny(
        &self,
        code: DenialCode,
        subject: ClinicianPseudonym,
        request: Option<Digest>,
    ) -> Result<(), StoreError> {
        let id = DenialId::random(&*self.random);
        let time = self.clock.now();
        let organisation = self.organisation.clone();
        self.store.put_denial(&Denial { id, organisation, code, subject, request, time })?;
        self.more.notify_one();
        Ok(())
    }

    /// Records what waits, until told to stop.
    pub async fn run(&self, ledger: LedgerClient, mut stop: watch::Receiver<bool>) {
        loop {
            let waits = match self.flush(&ledger).await {
                Ok(waits) => waits,
                Err(error) => {
                    tracing::warn!(%error, "denials could not be recorded yet");
                    true
                }
            };
            tokio::select! {
                () = self.more.notified() => {}
                () = tokio::time::sleep(RETRY_AFTER), if waits => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Records batch after batch; tells whether something still waits.
    async fn flush(&self, ledger: &LedgerClient) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        loop {
            let waiting = self.store.waiting_denials(DENIAL_BATCH_MAX)?;
            let Some(last) = waiting.last().map(|waiting| waiting.place) else { return Ok(false) };
            let denials = waiting.into_iter().map(|waiting| waiting.denial).collect();
            let recorded = ledger.record_denials(denials).await?;
            for refusal in recorded.response.items().iter().filter_map(|outcome| outcome.as_ref().err()) {
                // An id that is there already was recorded by a submission whose answer was lost.
                if refusal.code() != Some(semblance_contract::Code::DenialExists) {
                    tracing::error!(%refusal, "the ledger refused a denial");
                }
            }
            self.store.denials_recorded(last)?;
        }
    }
}
