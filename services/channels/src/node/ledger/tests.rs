use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use semblance_contract::state::{ConsentRecord, ConsentTombstone, ConsentView};
use semblance_contract::wire::{Maybe, Page};
use semblance_core::consent::{Consent, ConsentParts, Scope, Scopes};
use semblance_core::id::{ConsentId, Digest, OrganisationId, TransactionId};
use semblance_core::organisation::Organisation;
use semblance_core::random::SeededSource;
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::{ManualClock, Timestamp};
use semblance_ledger::client::LedgerClient;
use semblance_ledger::{Call, Committed, EventStream, Ledger, LedgerError};

use super::{CONSENTS_MAX, LedgerFacts};
use crate::office::Office;
use crate::testing::{NETWORK, organisation};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const CONSENT: ConsentId = ConsentId::from_bytes([3; 16]);

/// A ledger that answers a moment later, says the same of every consent, and counts how often it is asked.
struct Slow {
    organisation: OrganisationId,
    view: Mutex<ConsentView>,
    asked: AtomicU32,
}

#[async_trait]
impl Ledger for Slow {
    fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    async fn submit(&self, _: Call) -> Result<Committed, LedgerError> {
        Err(LedgerError::Unavailable("it only answers".to_owned()))
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        if call.function != "consent" {
            return Ok(Page::<Organisation> { rows: Vec::new(), next: None }.encode());
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(Maybe(Some(self.view.lock().unwrap_or_else(PoisonError::into_inner).clone())).encode())
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        Ok(0)
    }

    async fn blocks(&self, _: u64) -> Result<EventStream, LedgerError> {
        Err(LedgerError::Unavailable("it only answers".to_owned()))
    }
}

struct Scene {
    ledger: Arc<Slow>,
    office: Arc<Mutex<Office>>,
    clock: Arc<ManualClock>,
    facts: Arc<LedgerFacts>,
}

fn source() -> SignedBytes {
    let key = SigningKey::from_seed(&[4; 32]);
    let consent = Consent::new(ConsentParts {
        network: NETWORK,
        hospital: organisation("north"),
        patient_key: key.verifying_key(),
        consent: CONSENT,
        sequence: 1,
        case: Digest::of(b"case"),
        scopes: Scopes::new(&Scope::ALL).unwrap(),
        not_before: NOW,
        expires: NOW.plus(86_400_000),
        text: Digest::of(b"text"),
    });
    consent.unwrap().sign(&key).into_parts().1
}

fn scene() -> Scene {
    let view = ConsentView { consent: ConsentRecord { granted: NOW, source: source() }, tombstone: None };
    let organisation = organisation("north");
    let office = Office::in_memory(NETWORK, organisation.clone(), Arc::new(SeededSource::new([5; 32]))).unwrap();
    let (office, clock) = (Arc::new(Mutex::new(office)), Arc::new(ManualClock::at(NOW)));
    let ledger = Arc::new(Slow { organisation, view: Mutex::new(view), asked: AtomicU32::new(0) });
    let client = LedgerClient::new(ledger.clone());
    let facts = Arc::new(LedgerFacts::new(client, NETWORK, office.clone(), clock.clone()));
    Scene { ledger, office, clock, facts }
}

impl Scene {
    fn bury(&self) {
        let tombstone = Some(ConsentTombstone { at: NOW, source: source() });
        self.ledger.view.lock().unwrap_or_else(PoisonError::into_inner).tombstone = tombstone;
    }

    fn read_block(&self) {
        let withdrawn = [(CONSENT, TransactionId::from_bytes([8; 32]))];
        self.office.lock().unwrap().take_block((1, NOW), &withdrawn, NOW).unwrap();
    }

    fn asked(&self) -> u32 {
        self.ledger.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_is_told_with_its_transaction_or_not_at_all() {
    let scene = scene();
    scene.bury();
    let refused = scene.facts.facts(&BTreeSet::from([CONSENT])).await;
    assert!(refused.unwrap_err().0.contains("has not read yet"), "nothing is said on half the knowledge");
    let facts = scene.facts.clone();
    let asking = tokio::spawn(async move { facts.facts(&BTreeSet::from([CONSENT])).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    scene.read_block();
    let told = asking.await.unwrap().unwrap();
    let fact = &told.consents[&CONSENT];
    assert_eq!(fact.withdrawn, Some((TransactionId::from_bytes([8; 32]), NOW)));
    assert_eq!(fact.expires, NOW.plus(86_400_000), "what it says itself never changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_read_once_and_its_end_at_once() {
    let scene = scene();
    let consents = BTreeSet::from([CONSENT]);
    for _ in 0..3 {
        assert_eq!(scene.facts.facts(&consents).await.unwrap().consents[&CONSENT].withdrawn, None);
    }
    assert_eq!(scene.asked(), 1);
    scene.clock.advance(5_001);
    scene.facts.facts(&consents).await.unwrap();
    assert_eq!(scene.asked(), 2, "whether it stands is asked again after a while");
    scene.read_block();
    assert!(scene.facts.facts(&consents).await.unwrap().consents[&CONSENT].withdrawn.is_some());
    assert_eq!(scene.asked(), 2, "a block that was read says so without any question");
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_are_asked_for_together_and_not_kept_for_ever() {
    let scene = scene();
    let consents: BTreeSet<_> = (0..32).map(|number| ConsentId::from_bytes([number; 16])).collect();
    let before = Instant::now();
    assert_eq!(scene.facts.facts(&consents).await.unwrap().consents.len(), 32);
    assert!(before.elapsed() < Duration::from_secs(2), "one after another it takes 3.2 seconds");
    let known = scene.facts.known(CONSENT).unwrap();
    for number in 0..CONSENTS_MAX as u64 {
        let mut id = [0xff; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        scene.facts.remember(ConsentId::from_bytes(id), known.clone());
    }
    assert!(scene.facts.consents.lock().unwrap().len() <= CONSENTS_MAX);
}
