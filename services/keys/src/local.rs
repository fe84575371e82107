//! Seeds from epoch keys that this hospital holds itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use semblance_core::term::TermId;
use semblance_core::token::{EpochNumber, Seed};

use crate::{EpochKey, SeedError, TermSeeds};

/// Computes seeds with HMAC-SHA256 under the epoch keys it was given, and counts them.
///
/// Counts start at zero with each start of the program. Dropping it, or forgetting an epoch, wipes the keys.
#[derive(Default)]
pub struct EpochKeySeeds {
    held: RwLock<BTreeMap<EpochNumber, Held>>,
    budget: Option<u64>,
}

struct Held {
    key: EpochKey,
    evaluations: AtomicU64,
}

impl EpochKeySeeds {
    /// Holds no key yet and allows any number of evaluations.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows at most so many evaluations in each epoch.
    #[must_use]
    pub fn with_budget(limit: u64) -> Self {
        Self { budget: Some(limit), ..Self::default() }
    }

    /// Takes the key of an epoch; one that is already held stays as it is.
    pub fn hold(&self, epoch: EpochNumber, key: EpochKey) {
        self.write().entry(epoch).or_insert(Held { key, evaluations: AtomicU64::new(0) });
    }

    /// Wipes the key of an epoch.
    pub fn forget(&self, epoch: EpochNumber) {
        self.write().remove(&epoch);
    }

    /// Whether it holds the key of an epoch.
    #[must_use]
    pub fn holds(&self, epoch: EpochNumber) -> bool {
        self.read().contains_key(&epoch)
    }

    // A panic elsewhere cannot leave the map half-written: its operations are single calls.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<EpochNumber, Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<EpochNumber, Held>> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Counts so many evaluations, all or none.
    fn reserve(&self, count: u64, budget: Option<u64>) -> Result<(), SeedError> {
        let limit = budget.unwrap_or(u64::MAX);
        let within = |used: u64| used.checked_add(count).filter(|after| *after <= limit);
        let reserved = self.evaluations.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within);
        reserved.map(|_| ()).map_err(|_| SeedError::Budget { limit })
    }
}

#[async_trait]
impl TermSeeds for EpochKeySeeds {
    async fn seeds(&self, epoch: EpochNumber, terms: &[TermId]) -> Result<Vec<Seed>, SeedError> {
        let held = self.read();
        let held = held.get(&epoch).ok_or(SeedError::NoKey(epoch))?;
        held.reserve(u64::try_from(terms.len()).unwrap_or(u64::MAX), self.budget)?;
        Ok(terms.iter().map(|term| held.key.seed(epoch, *term)).collect())
    }

    fn evaluations(&self, epoch: EpochNumber) -> u64 {
        self.read().get(&epoch).map_or(0, |held| held.evaluations.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: EpochNumber = EpochNumber(3);

    fn terms(count: u32) -> Vec<TermId> {
        (1..=count).map(|number| TermId::new(number).unwrap()).collect()
    }

    #[tokio::test]
    async fn seeds_come_in_the_order_of_the_terms() {
        let seeds = EpochKeySeeds::new();
        seeds.hold(EPOCH, EpochKey::from_bytes([1; 32]));
        let forward = seeds.seeds(EPOCH, &terms(3)).await.unwrap();
        let mut backward = seeds.seeds(EPOCH, &terms(3).into_iter().rev().collect::<Vec<_>>()).await.unwrap();
        backward.reverse();
        assert!(forward == backward);
        assert_eq!((seeds.evaluations(EPOCH), seeds.evaluations(EpochNumber(4))), (6, 0));
    }

    #[tokio::test]
    async fn keys_and_epochs_give_other_seeds() {
        let (one, other) = (EpochKeySeeds::new(), EpochKeySeeds::new());
        one.hold(EPOCH, EpochKey::from_bytes([1; 32]));
        one.hold(EpochNumber(4), EpochKey::from_bytes([1; 32]));
        other.hold(EPOCH, EpochKey::from_bytes([2; 32]));
        let base = one.seeds(EPOCH, &terms(1)).await.unwrap();
        assert!(base != one.seeds(EpochNumber(4), &terms(1)).await.unwrap());
        assert!(base != other.seeds(EPOCH, &terms(1)).await.unwrap());
    }

    #[tokio::test]
    async fn without_a_key_there_are_no_seeds() {
        let seeds = EpochKeySeeds::new();
        assert_eq!(seeds.seeds(EPOCH, &terms(1)).await, Err(SeedError::NoKey(EPOCH)));
        seeds.hold(EPOCH, EpochKey::from_bytes([1; 32]));
        seeds.forget(EPOCH);
        assert!(!seeds.holds(EPOCH) && seeds.seeds(EPOCH, &terms(1)).await.is_err());
    }

    #[tokio::test]
    async fn the_budget_is_all_or_nothing() {
        let seeds = EpochKeySeeds::with_budget(5);
        seeds.hold(EPOCH, EpochKey::from_bytes([1; 32]));
        assert!(seeds.seeds(EPOCH, &terms(4)).await.is_ok());
        assert_eq!(seeds.seeds(EPOCH, &terms(2)).await, Err(SeedError::Budget { limit: 5 }));
        assert!(seeds.seeds(EPOCH, &terms(1)).await.is_ok());
        assert_eq!(seeds.evaluations(EPOCH), 5);
    }
}
