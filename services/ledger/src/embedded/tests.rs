//! What only the embedded ledger promises: its file, its journal, its blocks.

mod blocks;
mod files;
mod forgery;
mod operated;
mod ordering;
mod tampering;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use semblance_contract::Contract;
use semblance_core::organisation::Role;
use semblance_core::random::SeededSource;
use semblance_core::time::ManualClock;

use super::simulate::{Endorsed, Endorser, Peers};
use super::verify::{Report, verify_file_of};
use super::{EmbeddedLedger, OpenError, chain, store};
use crate::identity::{Identity, IncomingProposal};
use crate::suite::scratch::{ScratchContract, collection, endorsed, genesis};
use crate::suite::{Party, START};
use crate::{Call, Committed, Ledger};

/// A ledger in a folder that goes away.
struct Fixture {
    folder: tempfile::TempDir,
    parties: Vec<Party>,
    ledger: Option<EmbeddedLedger>,
}

impl Fixture {
    async fn new(hospitals: u8, matchers: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&folder.path().join("ledger.db"), 1).unwrap();
        let fixture = Self { folder, parties: Party::all(hospitals, matchers), ledger: Some(ledger) };
        let founder = fixture.ledger().handle(fixture.parties[0].identity(Role::Admin));
        founder.submit(genesis(&fixture.parties)).await.unwrap();
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn ledger(&self) -> &EmbeddedLedger {
        self.ledger.as_ref().unwrap()
    }

    fn node(&self, party: usize) -> Arc<dyn Ledger> {
        self.ledger().handle(self.parties[party].identity(Role::Node))
    }

    async fn put_private(&self, key: &str, value: &[u8]) -> Committed {
        let mut put = private("put_private", key);
        put.transient.insert("value".into(), value.to_vec());
        self.node(0).submit(put).await.unwrap()
    }
}

/// A call about a private key of hospital 1, endorsed as its collection asks.
fn private(function: &str, key: &str) -> Call {
    endorsed(function, &[&collection("hospital-1"), key], &["hospital-1", "matcher-1"])
}

/// Endorses calls on one and the same state, without ordering any.
fn endorsed_on(path: &Path, contract: Arc<dyn Contract>, identity: &Identity, calls: &[Call]) -> Vec<Endorsed> {
    let connection = store::open_reader(path).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let network = chain::network(&connection).unwrap();
    let (peers, random) = (Peers::new(contract), SeededSource::new([42; 32]));
    let endorser = Endorser { peers: &peers, snapshot: &connection, network, now: START };
    let endorse = |call: &Call| {
        let signed = identity.propose(call, &ManualClock::at(START), &random).unwrap();
        endorser.endorse(IncomingProposal::new(&signed, call.transient.clone()), identity.network).unwrap()
    };
    calls.iter().map(endorse).collect()
}

/// Verifies a file whose ledger ran the scratch contract.
fn verify_scratch(path: &Path) -> Result<Report, OpenError> {
    verify_file_of(&ScratchContract, path, &mut |_| ())
}

fn open(path: &Path, seed: u8) -> Result<EmbeddedLedger, OpenError> {
    let clock = Arc::new(ManualClock::at(START));
    let random = Arc::new(SeededSource::new([seed; 32]));
    EmbeddedLedger::open(path, clock, random, Arc::new(ScratchContract))
}
