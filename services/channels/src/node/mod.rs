//! A hospital's channels as a running node has them: the office, what the hospital says about its people, the ledger's
//! facts, and the other hospitals' nodes.
//!
//! To add something a device may ask: a variant of [`crate::wire::DeviceCall`], a row in the table of permissions in
//! the tests, and its arm in `device.rs`.

mod authority;
mod carry;
mod device;
mod hub;
mod ledger;
mod peers;
mod strangers;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use semblance_core::id::{ConsentId, NetworkId, OrganisationId};
use semblance_core::time::{Clock, Timestamp};
use tokio::sync::Notify;

pub use authority::{Authority, AuthorityError, Part};
pub use ledger::LedgerFacts;
pub use peers::Peers;

use crate::office::{DeviceId, Office, OfficeError};
use crate::wire::{Facts, Refusal};

/// What channels are made of.
pub struct Parts {
    /// The office.
    pub office: Arc<Mutex<Office>>,
    /// The hospital.
    pub authority: Arc<dyn Authority>,
    /// The other hospitals' nodes.
    pub peers: Arc<dyn Peers>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A hospital's channels. Cloning shares them.
#[derive(Clone)]
pub struct ChannelService {
    inner: Arc<Inner>,
}

struct Inner {
    network: NetworkId,
    organisation: OrganisationId,
    office: Arc<Mutex<Office>>,
    submissions: writer::Submissions,
    authority: Arc<dyn Authority>,
    peers: Arc<dyn Peers>,
    clock: Arc<dyn Clock>,
    /// Tokens that nobody has, counted before they are recorded.
    strangers: strangers::Strangers,
    /// Rung when something may wait for another hospital.
    outbound: Notify,
    /// Rung when something may wait for a device.
    waiting: Mutex<BTreeMap<DeviceId, Arc<Notify>>>,
}

impl ChannelService {
    /// Opens a hospital's channels. Nothing is carried before [`ChannelService::run`].
    #[must_use]
    pub fn open(parts: Parts) -> Self {
        let office = parts.office;
        let (network, organisation) = {
            let office = office.lock().unwrap_or_else(PoisonError::into_inner);
            (office.network(), office.organisation().clone())
        };
        let submissions = writer::Submissions::start(Arc::clone(&office), Arc::clone(&parts.clock));
        let inner = Inner {
            network,
            organisation,
            office,
            submissions,
            authority: parts.authority,
            peers: parts.peers,
            clock: parts.clock,
            strangers: strangers::Strangers::default(),
            outbound: Notify::new(),
            waiting: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The hospital.
    #[must_use]
    pub fn organisation(&self) -> &OrganisationId {
        &self.inner.organisation
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.inner.network
    }

    /// The last things that were done or refused, the newest first: time, who, what, and the outcome's word.
    ///
    /// # Errors
    /// The office failed.
    pub async fn audit(&self, limit: usize) -> Result<Vec<(Timestamp, String, String, String)>, Refusal> {
        self.office(move |office, now| office.audit(limit, now)).await
    }

    /// Records that another organisation wanted what is for this hospital's operators.
    pub async fn deny_operator(&self, organisation: &OrganisationId, action: &'static str) {
        self.deny(organisation.to_string(), action, None, Refusal::NotAuthorised).await;
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Works in the office, away from the threads that serve.
    pub(crate) async fn office<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Office, Timestamp) -> Result<R, OfficeError> + Send + 'static,
    ) -> Result<R, Refusal> {
        let (office, now) = (Arc::clone(&self.inner.office), self.now());
        let done = tokio::task::spawn_blocking(move || {
            let mut office = office.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut office, now)
        });
        told(done.await.map_err(|_| Refusal::Failed)?)
    }

    /// As [`ChannelService::office`], where one answer's worth is read at most, and nothing written to disk: at once if
    /// nobody else is in the office, because changing threads twice takes longer than such work.
    async fn glance<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Office, Timestamp) -> Result<R, OfficeError> + Send + 'static,
    ) -> Result<R, Refusal> {
        match at_once(&self.inner.office, self.now(), work) {
            Ok(done) => done,
            Err(work) => self.office(work).await,
        }
    }

    async fn facts(&self, consents: BTreeSet<ConsentId>) -> Result<Facts, Refusal> {
        self.inner.authority.facts(&consents).await.map_err(|error| {
            tracing::warn!(%error, "the ledger cannot be asked about consents");
            Refusal::Failed
        })
    }

    /// Tells whoever waits that there may be something new.
    fn ring(&self) {
        self.inner.outbound.notify_one();
        for bell in self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).values() {
            bell.notify_waiters();
        }
    }

    /// What rings when something may wait for a device.
    #[must_use]
    pub fn bell(&self, device: DeviceId) -> Arc<Notify> {
        let mut waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, bell| Arc::strong_count(bell) > 1);
        Arc::clone(waiting.entry(device).or_default())
    }
}

/// Works in the office if nobody else is in it; otherwise gives the work back.
fn at_once<R, W: FnOnce(&mut Office, Timestamp) -> Result<R, OfficeError>>(
    office: &Mutex<Office>,
    now: Timestamp,
    work: W,
) -> Result<Result<R, Refusal>, W> {
    let mut office = match office.try_lock() {
        Ok(office) => office,
        Err(TryLockError::Poisoned(office)) => office.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(work),
    };
    // As on another thread, a panic is one call's failure: what is noted in memory is single entries of maps, of which
    // none can be left half-done.
    let done = catch_unwind(AssertUnwindSafe(|| work(&mut office, now)));
    Ok(done.map_or(Err(Refusal::Failed), told))
}

/// What the office did, and what to tell about it where it did not.
fn told<R>(done: Result<R, OfficeError>) -> Result<R, Refusal> {
    done.map_err(|error| {
        if let OfficeError::Store(error) = &error {
            tracing::error!(%error, "the office failed");
        }
        error.refusal()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use semblance_core::random::SeededSource;

    use super::*;
    use crate::testing::{NETWORK, organisation};

    #[test]
    fn who_glances_waits_for_nobody_and_ends_nobody_elses_work() {
        let office = Office::in_memory(NETWORK, organisation("north"), Arc::new(SeededSource::new([1; 32]))).unwrap();
        let (office, now) = (Mutex::new(office), Timestamp::from_millis(1));
        let look = |office: &mut Office, now| office.peers(now);
        assert_eq!(at_once(&office, now, look).ok(), Some(Ok(Vec::new())));
        let busy = office.lock().unwrap();
        assert!(at_once(&office, now, look).is_err(), "the work comes back");
        drop(busy);
        let panics = |_: &mut Office, _| -> Result<(), OfficeError> { panic!("on purpose") };
        assert_eq!(at_once(&office, now, panics).ok(), Some(Err(Refusal::Failed)));
        assert_eq!(at_once(&office, now, look).ok(), Some(Ok(Vec::new())), "others go on");
    }
}
