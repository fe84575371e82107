//! In this process.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use semblance_contract::Contract;
use semblance_core::id::OrganisationId;
use semblance_core::random::SeededSource;
use semblance_core::time::{Clock, ManualClock, Timestamp};
use semblance_ledger::embedded::EmbeddedLedger;
use semblance_ledger::embedded::verify::Report;
use semblance_ledger::identity::{Identity, IncomingProposal};
use semblance_ledger::ledger_suite;
use semblance_ledger::suite::{Factory, LedgerUnderTest, NETWORK, Party, START, Sent, Skipped, Told};
use semblance_ledger::{Call, Committed, Ledger, LedgerError};

pub(crate) struct Embedded;

pub(crate) struct Running {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) contract: Arc<dyn Contract>,
    pub(crate) ledger: Option<EmbeddedLedger>,
}

impl Running {
    pub(crate) fn start(contract: Arc<dyn Contract>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let mut running = Self { folder, clock, contract, ledger: None };
        running.open();
        running
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn open(&mut self) {
        // A seed that differs from one run of the ledger to the next: a nonce must never come again.
        let mut seed = [0; 32];
        if let Some(first) = seed.first_mut() {
            *first = u8::try_from(std::fs::read_dir(self.folder.path()).unwrap().count()).unwrap();
        }
        let random = Arc::new(SeededSource::new(seed));
        let ledger = EmbeddedLedger::open(&self.path(), self.clock.clone(), random, self.contract.clone());
        self.ledger = Some(ledger.unwrap());
        std::fs::write(self.folder.path().join(format!("run-{}", seed[0])), []).unwrap();
    }

    pub(crate) fn ledger(&self) -> &EmbeddedLedger {
        self.ledger.as_ref().unwrap()
    }
}

#[async_trait]
impl Factory for Embedded {
    async fn start(&self, contract: Arc<dyn Contract>, _: &mut [Party]) -> Box<dyn LedgerUnderTest> {
        Box::new(Running::start(contract))
    }
}

#[async_trait]
impl LedgerUnderTest for Running {
    fn handle(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.ledger().handle(identity)
    }

    async fn genesis(&self, identity: Identity, call: Call) -> Result<Committed, LedgerError> {
        self.ledger().handle(identity).submit(call).await
    }

    fn administrator(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.ledger().handle(identity)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, millis: u64) -> Told {
        self.clock.advance(millis);
        Ok(())
    }

    async fn send(&self, _: &Party, proposal: IncomingProposal) -> Result<Sent, Skipped> {
        Ok(self.ledger().submit(proposal, NETWORK).await)
    }

    fn alter(&self, organisation: &OrganisationId, contract: Option<Arc<dyn Contract>>) -> Told {
        self.ledger().peers().alter(organisation, contract);
        Ok(())
    }

    async fn set_down(&self, organisation: &OrganisationId, down: bool) -> Told {
        self.ledger().peers().set_down(organisation, down);
        Ok(())
    }

    async fn restart(&mut self) -> Told {
        self.ledger = None;
        self.open();
        Ok(())
    }

    async fn verify(&self) -> Result<Report, Skipped> {
        Ok(self.ledger().verify().await.unwrap())
    }
}

ledger_suite!(Embedded);
