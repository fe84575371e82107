//! A ledger of the suite in the hands of the one who runs it.

use std::sync::Mutex;

use async_trait::async_trait;
use semblance_core::time::{Clock, Timestamp};

use super::*;
use crate::LedgerError;
use crate::identity::Identity;
use crate::suite::{Factory, LedgerUnderTest, Skipped, contract, engine};

/// The ledger of the one who forges, who can put into its queue whatever it likes.
#[derive(Clone)]
pub(super) struct Operated {
    folder: Arc<tempfile::TempDir>,
    pub(super) ledger: EmbeddedLedger,
    clock: Arc<ManualClock>,
}

impl Operated {
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }
}

/// Hands out one ledger, and keeps it.
#[derive(Default)]
pub(super) struct Operator(Mutex<Option<Operated>>);

impl Operator {
    /// The ledger that was handed out.
    pub(super) fn into_operated(self) -> Operated {
        self.0.into_inner().unwrap().unwrap()
    }
}

#[async_trait]
impl Factory for Operator {
    async fn start(&self, contract: Arc<dyn Contract>, _: &mut [Party]) -> Box<dyn LedgerUnderTest> {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(ManualClock::at(START));
        let random = Arc::new(SeededSource::new([1; 32]));
        let ledger = EmbeddedLedger::open(&folder.path().join("ledger.db"), clock.clone(), random, contract).unwrap();
        let operated = Operated { folder, ledger, clock };
        *self.0.lock().unwrap() = Some(operated.clone());
        Box::new(operated)
    }
}

#[async_trait]
impl LedgerUnderTest for Operated {
    fn handle(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.ledger.handle(identity)
    }

    async fn genesis(&self, identity: Identity, call: Call) -> Result<Committed, LedgerError> {
        self.ledger.handle(identity).submit(call).await
    }

    fn administrator(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.ledger.handle(identity)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn verify(&self) -> Result<Report, Skipped> {
        Ok(self.ledger.verify().await.unwrap())
    }
}

#[tokio::test]
async fn a_story_that_a_ledger_cannot_play_says_why() {
    let skipped = contract::withdrawal_needs_no_matcher(&Operator::default()).await.unwrap_err();
    assert_eq!(skipped, Skipped("the peers of this ledger cannot be taken down"));
    let skipped = engine::what_was_acknowledged_survives_a_restart(&Operator::default()).await.unwrap_err();
    assert_eq!(skipped, Skipped("this ledger cannot be restarted"));
    assert_eq!(engine::concurrent_calls_are_all_durable(&Operator::default()).await, Ok(()));
}
