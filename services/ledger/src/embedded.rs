//! The embedded ledger: one machine, one file, the meaning of Hyperledger Fabric.
//!
//! A proposal is checked and executed on a snapshot, once for each organisation that is named or chosen to endorse it
//! (`simulate`, `stub`); the writer validates and commits it in a block with all others that wait (`writer`, `validate`,
//! `apply`); followers read blocks from the file (`events`). Purged private data leave the files within two seconds, or,
//! where a verification compares the tables at that time, after its end (`slots`, `writer`). `verify` walks over all
//! blocks (`walk`), executes every transaction again (`reexecute`, `private_input`, `replay`) and compares the tables.
//!
//! What it is not for: many machines, or protection from the one who runs it. One process executes for every
//! organisation, so that endorsement holds among the members and not against that process's operator.

mod apply;
pub mod block;
mod chain;
pub mod effects;
mod events;
mod member;
mod policy;
mod private;
mod private_input;
pub(crate) mod reexecute;
mod remote;
pub(crate) mod replay;
mod server;
mod simulate;
mod slots;
mod store;
mod stub;
mod tables;
#[cfg(test)]
mod tests;
mod validate;
pub mod verify;
mod view;
mod walk;
mod wire;
mod writer;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use semblance_contract::Contract;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::random::RandomSource;
use semblance_core::time::Clock;
use tokio::sync::{Semaphore, watch};

pub use chain::Head;
pub use member::Member;
pub use remote::RemoteLedger;
pub use server::LedgerService;
pub use simulate::Peers;
pub use store::OpenError;

use crate::identity::{Identity, IncomingProposal};
use crate::listen::MemberRoots;
use crate::{Call, Committed, EventStream, Ledger, LedgerError};
use simulate::{Endorsed, Endorser};
use store::Readers;
use view::Tables;
use writer::Writer;

/// Calls that may be under way at once; more wait.
const CALLS_MAX: usize = 1024;
/// Executions that may hold a reader at once; more wait.
const EXECUTIONS_MAX: usize = 16;

/// The ledger of this process. Clones share it; the file is given back when the last one is dropped.
#[derive(Clone)]
pub struct EmbeddedLedger {
    engine: Arc<Engine>,
}

struct Engine {
    readers: Arc<Readers>,
    writer: Writer,
    head: watch::Receiver<Option<Head>>,
    peers: Peers,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
    calls: Semaphore,
    executions: Semaphore,
    stopped: watch::Sender<bool>,
}

impl EmbeddedLedger {
    /// Opens the ledger's file or makes a new one, and takes it for this process.
    ///
    /// # Errors
    /// Another process owns the file, it is another kind of file or from a newer program, or its newest block is
    /// damaged.
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
        contract: Arc<dyn Contract>,
    ) -> Result<Self, OpenError> {
        let owned = store::lock(path)?;
        let connection = store::open_writer(path)?;
        let newest = chain::head(&connection).map_err(|error| OpenError::Damaged(error.to_string()))?;
        let (sender, head) = watch::channel(newest);
        let writer = Writer::start(connection, Arc::clone(&clock), sender, owned)
            .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        let engine = Engine {
            readers: Arc::new(Readers::new(path)),
            writer,
            head,
            peers: Peers::new(contract),
            clock,
            random,
            calls: Semaphore::new(CALLS_MAX),
            executions: Semaphore::new(EXECUTIONS_MAX),
            stopped: watch::channel(false).0,
        };
        Ok(Self { engine: Arc::new(engine) })
    }

    /// The ledger as one identity sees it. The first transaction of a new ledger is its genesis: whoever submits it
    /// must be one of the members that it makes.
    #[must_use]
    pub fn handle(&self, identity: Identity) -> Arc<dyn Ledger> {
        Arc::new(Handle { ledger: self.clone(), identity })
    }

    /// The newest block; none before genesis.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        *self.engine.head.borrow()
    }

    /// The peers that execute the contract.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.engine.peers
    }

    /// All members with their present keys.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn members(&self) -> Result<Vec<Member>, LedgerError> {
        self.read(|connection, _| Ok(Tables(connection).all_members()?)).await
    }

    /// A member with its present keys.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn member(&self, organisation: OrganisationId) -> Result<Option<Member>, LedgerError> {
        self.read(move |connection, _| Ok(Tables(connection).member(&organisation)?)).await
    }

    /// Takes a proposal of whoever signed it: checks, executes, orders and commits it.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn submit(&self, proposal: IncomingProposal, network: NetworkId) -> Result<Committed, LedgerError> {
        let _permit = permit(&self.engine.calls).await?;
        let endorsed: Endorsed =
            self.read(move |connection, engine| engine.endorser(connection)?.endorse(proposal, network)).await?;
        let transaction = endorsed.proposal.id();
        self.engine.writer.order(endorsed).await.unwrap_or_else(|_| {
            Err(LedgerError::OutcomeUnknown { transaction, reason: "the ledger stopped while writing".into() })
        })
    }

    /// Runs a query of whoever signed it.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn evaluate(&self, proposal: IncomingProposal) -> Result<Vec<u8>, LedgerError> {
        let _permit = permit(&self.engine.calls).await?;
        self.read(move |connection, engine| engine.endorser(connection)?.evaluate(proposal)).await
    }

    /// Verifies the whole file.
    ///
    /// # Errors
    /// The file cannot be opened. What is wrong inside is a finding of the report.
    pub async fn verify(&self) -> Result<verify::Report, LedgerError> {
        let engine = Arc::clone(&self.engine);
        let verifying = move || {
            let contract = engine.peers.common_contract();
            verify::verify_file_of(contract, engine.readers.path(), &mut |_| ())
        };
        let report =
            tokio::task::spawn_blocking(verifying).await.map_err(|error| LedgerError::Storage(error.to_string()))?;
        report.map_err(|error| LedgerError::Storage(error.to_string()))
    }

    /// Follows the blocks from this number on.
    #[must_use]
    pub fn blocks(&self, from: u64) -> EventStream {
        let engine = &self.engine;
        events::follow(Arc::clone(&engine.readers), engine.head.clone(), engine.stopped.subscribe(), from)
    }

    /// The present moment by the ledger's clock.
    #[must_use]
    pub fn now(&self) -> semblance_core::time::Timestamp {
        self.engine.clock.now()
    }

    /// Takes no more calls and ends the streams of followers; what is under way is finished.
    pub fn stop(&self) {
        self.engine.calls.close();
        self.engine.stopped.send_replace(true);
    }

    /// Runs a reader on a snapshot, outside of the threads that serve.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Engine) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let _permit = permit(&self.engine.executions).await?;
        let engine = Arc::clone(&self.engine);
        let reading = move || engine.readers.snapshot(|connection| read(connection, &engine));
        tokio::task::spawn_blocking(reading).await.map_err(|error| LedgerError::Storage(error.to_string()))?
    }
}

impl Engine {
    fn endorser<'a>(&'a self, snapshot: &'a Connection) -> Result<Endorser<'a>, LedgerError> {
        let network = chain::network(snapshot)?;
        Ok(Endorser { peers: &self.peers, snapshot, network, now: self.clock.now() })
    }
}

async fn permit(semaphore: &Semaphore) -> Result<tokio::sync::SemaphorePermit<'_>, LedgerError> {
    semaphore.acquire().await.map_err(|_| LedgerError::Unavailable("the ledger is stopping".into()))
}

impl MemberRoots for EmbeddedLedger {
    fn root(&self, organisation: &OrganisationId) -> Option<Vec<u8>> {
        let find = |connection: &Connection| Ok(Tables(connection).member(organisation)?);
        match self.engine.readers.snapshot(find) {
            Ok(member) => member.map(|member| member.tls_root),
            Err(error) => {
                tracing::warn!(%error, "root of a client not read");
                None
            }
        }
    }
}

/// One identity's handle.
struct Handle {
    ledger: EmbeddedLedger,
    identity: Identity,
}

impl Handle {
    fn propose(&self, call: Call) -> Result<IncomingProposal, LedgerError> {
        let engine = &self.ledger.engine;
        let signed = self.identity.propose(&call, engine.clock.as_ref(), engine.random.as_ref())?;
        Ok(IncomingProposal::new(&signed, call.transient))
    }
}

#[async_trait]
impl Ledger for Handle {
    fn organisation(&self) -> &OrganisationId {
        &self.identity.organisation
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        self.ledger.submit(self.propose(call)?, self.identity.network).await
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        self.ledger.evaluate(self.propose(call)?).await
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        Ok(self.ledger.head().map_or(0, |head| head.height))
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        Ok(self.ledger.blocks(from))
    }
}
