//! A ledger between a matcher and the real one, where a test holds things up, loses them or hides them.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use semblance_contract::wire::{FingerprintsFound, FingerprintsOf, Maybe, StandingOf};
use semblance_core::id::{CaseHandle, OrganisationId, TransactionId};
use semblance_core::organisation::Role;
use semblance_core::record::Record;
use semblance_ledger::{Call, Committed, EventStream, Ledger, LedgerError};
use tokio::sync::{oneshot, watch};

use crate::network::TestNetwork;

/// What becomes of one transaction with look-ups' entries.
pub enum Fate {
    /// It waits until the test lets it go.
    Held(oneshot::Receiver<()>),
    /// It never arrives, and nobody knows.
    Lost,
    /// It arrives twice, and the second outcome is what is heard.
    Doubled,
}

/// Something that happens on the real ledger.
type Happening = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The ledger.
pub struct Between {
    ledger: Arc<dyn Ledger>,
    /// Later blocks than this one are not told.
    blocks: watch::Sender<u64>,
    fates: Mutex<VecDeque<Fate>>,
    /// How many transactions have been held.
    held: watch::Sender<usize>,
    hidden: Mutex<BTreeSet<CaseHandle>>,
    fails: Mutex<bool>,
    happening: Mutex<Option<Happening>>,
}

impl Between {
    /// Stands before a network's ledger, as its matcher sees it, and changes nothing yet.
    #[must_use]
    pub fn of(network: &TestNetwork) -> Arc<Self> {
        Arc::new(Self {
            ledger: network.handle(&network.matcher().id, Role::Node),
            blocks: watch::channel(u64::MAX).0,
            fates: Mutex::default(),
            held: watch::channel(0).0,
            hidden: Mutex::default(),
            fails: Mutex::default(),
            happening: Mutex::default(),
        })
    }

    /// Tells blocks up to this one only.
    pub fn tell_blocks_to(&self, last: u64) {
        self.blocks.send_replace(last);
    }

    /// Decides what becomes of the next entries' transaction that nothing is decided for.
    pub fn next_entries(&self, fate: Fate) {
        self.fates.lock().unwrap().push_back(fate);
    }

    /// Waits until an entries' transaction is held.
    ///
    /// # Panics
    ///
    /// Never: the ledger keeps the sender that it waits for.
    pub async fn until_held(&self) {
        self.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    }

    /// Says that these cases' private data have not come.
    pub fn hide(&self, cases: impl IntoIterator<Item = CaseHandle>) {
        *self.hidden.lock().unwrap() = cases.into_iter().collect();
    }

    /// Lets the next reading of private data fail.
    pub fn fail_fingerprints(&self) {
        *self.fails.lock().unwrap() = true;
    }

    /// Whether the failure has happened.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !*self.fails.lock().unwrap()
    }

    /// Lets something happen between the matcher's search and its last question about what it found.
    pub fn before_answering(&self, happening: impl Future<Output = ()> + Send + 'static) {
        *self.happening.lock().unwrap() = Some(Box::pin(happening));
    }

    async fn fingerprints(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        if std::mem::take(&mut *self.fails.lock().unwrap()) {
            return Err(LedgerError::Unavailable("a test wants it so".into()));
        }
        let asked = FingerprintsOf::decode(&call.arguments[0]).unwrap().into_items();
        let found = FingerprintsFound::decode(&self.ledger.evaluate(call).await?).unwrap().into_items();
        let hidden = self.hidden.lock().unwrap().clone();
        let told =
            asked.iter().zip(found).map(|(handle, value)| Maybe(value.0.filter(|_| !hidden.contains(&handle.0))));
        Ok(FingerprintsFound::new(told.collect()).unwrap().encode())
    }
}

#[async_trait]
impl Ledger for Between {
    fn organisation(&self) -> &OrganisationId {
        self.ledger.organisation()
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        let fate = match call.function.as_str() {
            "record_lookups" => self.fates.lock().unwrap().pop_front(),
            _ => None,
        };
        match fate {
            None => {}
            Some(Fate::Held(gate)) => {
                self.held.send_modify(|held| *held += 1);
                gate.await.unwrap();
            }
            Some(Fate::Lost) => {
                let transaction = TransactionId::from_bytes([0; 32]);
                return Err(LedgerError::OutcomeUnknown { transaction, reason: "a test wants it so".into() });
            }
            Some(Fate::Doubled) => drop(self.ledger.submit(call.clone()).await?),
        }
        self.ledger.submit(call).await
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        if call.function == "fingerprints" {
            return self.fingerprints(call).await;
        }
        if call.function == "standing" && !StandingOf::decode(&call.arguments[0]).unwrap().found.is_empty() {
            let happening = self.happening.lock().unwrap().take();
            if let Some(happening) = happening {
                happening.await;
            }
        }
        self.ledger.evaluate(call).await
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        self.ledger.height().await
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        let allowed = self.blocks.subscribe();
        let held = move |block: Result<semblance_ledger::BlockEvents, LedgerError>| {
            let mut allowed = allowed.clone();
            async move {
                let number = block.as_ref().map_or(0, |block| block.number);
                allowed.wait_for(|last| number <= *last).await.unwrap();
                block
            }
        };
        Ok(self.ledger.blocks(from).await?.then(held).boxed())
    }
}
