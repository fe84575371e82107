//! What a ledger makes up is not shown as another member's word.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use semblance_contract::event::{Event, RecordedLookup};
use semblance_contract::state::LookupRecord;
use semblance_contract::wire::Maybe;
use semblance_core::id::OrganisationId;
use semblance_core::lookup::{LookupRequest, Purpose};
use semblance_core::organisation::{Organisation, Role};
use semblance_core::query::Breadth;
use semblance_core::random::SeededSource;
use semblance_core::receipt::{Receipt, seal_receipts};
use semblance_core::record::Record;
use semblance_core::sealing::SealingPublicKey;
use semblance_core::signature::{SigningKey, Statement};
use semblance_ledger::{Call, Committed, EventStream, Ledger, LedgerError};

use crate::life_of_a_lookup::three_hospitals;
use crate::world::{IDLE, NETWORK, World, ask, id};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forgery {
    None,
    /// West asked, for another purpose, signed by whoever.
    Asker,
    /// The asker's record is another than it was, with the forger's key.
    Member,
    /// The event names another matcher than the signed request.
    Matcher,
    /// The entry is not there.
    Entry,
    /// The event is not what the contract writes.
    Event,
    /// The event is of a kind that nobody knows.
    Kind,
}

/// A ledger that shows south something else than it holds.
struct Forger {
    ledger: Arc<dyn Ledger>,
    forgery: Arc<Mutex<Forgery>>,
    victim: SealingPublicKey,
}

fn forger() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

fn alter(forgery: Forgery, request: &mut LookupRequest) {
    if forgery == Forgery::Asker {
        (request.hospital, request.purpose) = (id("west"), Purpose::CohortFeasibility);
    }
}

fn forged_record(forgery: Forgery, record: LookupRecord, victim: &SealingPublicKey) -> LookupRecord {
    let mut request = LookupRequest::decode(record.entry.request.bytes(), NETWORK).unwrap();
    alter(forgery, &mut request);
    let (_, source) = request.sign(&forger()).into_parts();
    let receipt = Receipt { handle: semblance_core::id::CaseHandle::from_bytes([1; 16]), rank: 1, index_height: 1 };
    let random = SeededSource::new([4; 32]);
    let slots = seal_receipts(NETWORK, &source.digest(), &[(receipt, *victim)], &random).unwrap().slots;
    let mut entry = record.entry;
    (entry.request, entry.slots) = (source, slots);
    LookupRecord { entry, ..record }
}

fn forged_event(forgery: Forgery, name: String, payload: Vec<u8>) -> (String, Vec<u8>) {
    let Ok(Some(Event::LookupsRecorded(lookups))) = Event::decode(&name, &payload) else { return (name, payload) };
    let told = |lookup: RecordedLookup| match forgery {
        Forgery::Asker => RecordedLookup { hospital: id("west"), ..lookup },
        Forgery::Matcher => RecordedLookup { matcher: id("west"), ..lookup },
        _ => lookup,
    };
    match forgery {
        Forgery::Event => (name, payload[..payload.len() - 1].to_vec()),
        Forgery::Kind => ("look-ups-of-tomorrow".to_owned(), payload),
        _ => (name, Event::LookupsRecorded(lookups.into_iter().map(told).collect()).payload()),
    }
}

#[async_trait]
impl Ledger for Forger {
    fn organisation(&self) -> &OrganisationId {
        self.ledger.organisation()
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        self.ledger.submit(call).await
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        let (function, forgery) = (call.function.clone(), *self.forgery.lock().unwrap());
        let bytes = self.ledger.evaluate(call).await?;
        Ok(match (function.as_str(), forgery) {
            ("lookup", Forgery::Entry) => Maybe::<LookupRecord>(None).encode(),
            ("lookup", Forgery::Asker | Forgery::Member) => {
                let found = Maybe::<LookupRecord>::decode(&bytes).unwrap().0;
                Maybe(found.map(|record| forged_record(forgery, record, &self.victim))).encode()
            }
            ("organisation", Forgery::Member) => {
                let found = Maybe::<Organisation>::decode(&bytes).unwrap().0.unwrap();
                let verifying_key = forger().verifying_key();
                Maybe(Some(Organisation { verifying_key, ..found })).encode()
            }
            _ => bytes,
        })
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        self.ledger.height().await
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        let forgery = Arc::clone(&self.forgery);
        let blocks = self.ledger.blocks(from).await?.map(move |block| {
            let mut block = block?;
            for outcome in &mut block.transactions {
                let event = outcome.event.take();
                outcome.event = event.map(|(name, payload)| forged_event(*forgery.lock().unwrap(), name, payload));
            }
            Ok(block)
        });
        Ok(blocks.boxed())
    }
}

async fn codes(world: &World, forgery: Forgery) -> (Vec<String>, usize) {
    let victim = *world.sealing("south")[0].public();
    let told = Arc::new(Mutex::new(Forgery::None));
    let ledger = Forger { ledger: world.handle("south", Role::Node), forgery: Arc::clone(&told), victim };
    let south = world.hospital_with("south", Arc::new(ledger));
    // Until then it was honest.
    south.catch_up(IDLE).await.unwrap();
    let before = south.receipts(None, 0, 500).await.unwrap().len();
    *told.lock().unwrap() = forgery;
    let north = world.hospital("north");
    north.look_up(ask("n-1", Breadth::Close)).await.unwrap();
    south.catch_up(IDLE).await.unwrap();
    let lines = south.audit(0, 500).await.unwrap();
    let codes = lines.into_iter().filter(|line| line.actor == "ledger").map(|line| line.code).collect();
    (codes, south.receipts(None, 0, 500).await.unwrap().len() - before)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_asker_did_not_sign_is_reported_and_not_shown() {
    let (world, north, south) = three_hospitals().await;
    // South never read north's record from the ledger: it knows north from the genesis.
    drop((north, south));
    let mut expected = Vec::new();
    for (forgery, code) in [
        (Forgery::Asker, Some("bad-signature")),
        (Forgery::Member, Some("broken-rotations")),
        (Forgery::Matcher, Some("entry-mismatch")),
        (Forgery::Entry, Some("no-entry")),
        (Forgery::Event, Some("malformed-event")),
        (Forgery::Kind, Some("unknown-event")),
        (Forgery::None, None),
    ] {
        world.clock.advance(1_000);
        expected.extend(code.map(str::to_owned));
        let shown = if forgery == Forgery::None { 2 } else { 0 };
        assert_eq!(codes(&world, forgery).await, (expected.clone(), shown), "{forgery:?}");
    }
}
