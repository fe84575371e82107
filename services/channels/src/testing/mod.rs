//! A small world of hospitals, people and devices, all in memory, with a clock that is set by hand.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a world for tests: what does not hold there must fail the test at once"
)]

mod carry;
mod person;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;

use semblance_core::channel::{ChannelOpening, GroupOpening, Hub};
use semblance_core::consent::{Scope, Scopes};
use semblance_core::id::{ChannelId, ConsentId, Digest, IntroductionId, NetworkId, OrganisationId, TransactionId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::signature::{SigningKey, Statement};
use semblance_core::time::Timestamp;
use zeroize::Zeroizing;

pub use person::Person;
pub use service::{Nowhere, ServiceLine, service};

use crate::office::Office;
use crate::wire::{Charter, ConsentFact, Facts, Opening};

/// The network of every test.
pub const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

/// A hospital with its office.
pub struct Hospital {
    /// Its name.
    pub id: OrganisationId,
    /// Its node's signing key.
    pub signing: SigningKey,
    /// Its office.
    pub office: Office,
    /// Whether its node runs and can be reached.
    pub up: bool,
}

/// Hospitals, people and the ledger's facts.
pub struct World {
    /// The time everywhere.
    pub now: Timestamp,
    /// Where all chance comes from.
    pub random: Arc<SeededSource>,
    /// The hospitals.
    pub hospitals: Vec<Hospital>,
    /// The people's devices.
    pub people: Vec<Person>,
    /// What the ledger says.
    pub facts: Facts,
    patients: BTreeMap<ConsentId, SigningKey>,
    hubs: BTreeMap<ChannelId, usize>,
}

impl World {
    /// So many hospitals, at this moment of the system's clock, which openmls reads when it checks key packages.
    #[must_use]
    pub fn new(seed: [u8; 32], hospitals: usize, now: Timestamp) -> Self {
        let random = Arc::new(SeededSource::new(seed));
        let mut facts = Facts::default();
        let mut made = Vec::new();
        for name in ["north", "south", "east", "west", "centre"].into_iter().take(hospitals) {
            let id = organisation(name);
            let signing = SigningKey::from_seed(&draw(&random));
            facts.hospitals.insert(id.clone(), vec![signing.verifying_key()]);
            let office = Office::in_memory(NETWORK, id.clone(), random.clone());
            let Ok(office) = office else { continue };
            made.push(Hospital { id, signing, office, up: true });
        }
        Self {
            now,
            random,
            hospitals: made,
            people: Vec::new(),
            facts,
            patients: BTreeMap::new(),
            hubs: BTreeMap::new(),
        }
    }

    /// A patient of a hospital gives a consent to everything.
    pub fn consent(&mut self, hospital: usize) -> ConsentId {
        let consent = ConsentId::random(self.random.as_ref());
        let key = SigningKey::from_seed(&draw(&self.random));
        let scopes = Scopes::new(&Scope::ALL);
        if let (Some(hospital), Ok(scopes)) = (self.hospitals.get(hospital), scopes) {
            let fact = ConsentFact {
                hospital: hospital.id.clone(),
                patient_key: key.verifying_key(),
                scopes,
                expires: self.now.plus(365 * 86_400_000),
                withdrawn: None,
            };
            self.facts.consents.insert(consent, fact);
        }
        self.patients.insert(consent, key);
        consent
    }

    /// The key of a consent.
    #[must_use]
    pub fn patient_key(&self, consent: ConsentId) -> Option<&SigningKey> {
        self.patients.get(&consent)
    }

    /// A consent is withdrawn on the ledger; the hospitals that are up learn of it.
    pub fn withdraw(&mut self, consent: ConsentId) {
        let transaction = TransactionId::random(self.random.as_ref());
        if let Some(fact) = self.facts.consents.get_mut(&consent) {
            fact.withdrawn = Some((transaction, self.now));
        }
        for hospital in self.hospitals.iter_mut().filter(|hospital| hospital.up) {
            let _ = hospital.office.end_consent(consent, Some(transaction), self.now);
        }
    }

    /// A hospital that was down reads in the ledger which consents ended meanwhile.
    pub fn follow_ledger(&mut self, hospital: usize) {
        let Some(hospital) = self.hospitals.get_mut(hospital) else { return };
        for (consent, fact) in &self.facts.consents {
            if let Some((transaction, _)) = fact.withdrawn {
                let _ = hospital.office.end_consent(*consent, Some(transaction), self.now);
            }
        }
    }

    /// Opens a channel on a match at its hub.
    pub fn open_match(&mut self, hub: usize, consents: &[ConsentId]) -> Charter {
        let signing = self.hospitals[hub].signing.clone();
        let (charter, seed) = self.draft_match(hub, consents, &signing);
        self.take_up(hub, &charter, &seed);
        charter
    }

    /// The charter of a channel on a match, signed as its hub, and the seed of the hub's key in it.
    pub fn draft_match(
        &mut self,
        hub: usize,
        consents: &[ConsentId],
        signing: &SigningKey,
    ) -> (Charter, Zeroizing<[u8; 32]>) {
        let opening = |consent: &ConsentId| ConsentOpening { consent: *consent, salt: draw(&self.random) };
        let consents: Vec<_> = consents.iter().map(opening).collect();
        let commitments = consents.iter().map(|consent| consent.commitment(NETWORK)).collect();
        let (hub, seed) = self.hub(hub, commitments);
        let introduction = IntroductionId::random(self.random.as_ref());
        let opening = ChannelOpening { network: NETWORK, hub, introduction, patients_alone: false };
        (Charter { opening: Opening::Channel(opening.sign(signing).into_parts().1), consents }, seed)
    }

    /// Opens a symptom group at its hub.
    pub fn open_group(&mut self, hub: usize, consent: ConsentId) -> Charter {
        let commitment = ConsentOpening { consent, salt: draw(&self.random) }.commitment(NETWORK);
        let (statement, seed) = self.hub(hub, vec![commitment]);
        let topic = Digest::from_bytes(draw(&self.random));
        let opening = GroupOpening { network: NETWORK, hub: statement, topic, topics: topic };
        let signed = opening.sign(&self.hospitals[hub].signing).into_parts().1;
        let charter = Charter { opening: Opening::Group(signed), consents: Vec::new() };
        self.take_up(hub, &charter, &seed);
        charter
    }

    fn hub(&self, hub: usize, consents: Vec<Digest>) -> (Hub, Zeroizing<[u8; 32]>) {
        let seed = Zeroizing::new(draw(&self.random));
        let statement = Hub {
            channel: ChannelId::random(self.random.as_ref()),
            hub: self.hospitals[hub].id.clone(),
            hub_key: SigningKey::from_seed(&seed).verifying_key(),
            fence: 1,
            consents,
            time: self.now,
        };
        (statement, seed)
    }

    fn take_up(&mut self, hub: usize, charter: &Charter, seed: &Zeroizing<[u8; 32]>) {
        let opened = self.hospitals[hub].office.open_channel(charter, seed, &self.facts, self.now);
        match opened {
            Ok(terms) => self.hubs.insert(terms.channel, hub),
            Err(error) => panic!("a hub takes up its own channel: {error}"),
        };
    }
}

/// An organisation's name.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn organisation(name: &str) -> OrganisationId {
    match OrganisationId::new(name) {
        Ok(id) => id,
        Err(error) => panic!("{error}"),
    }
}

fn draw(random: &Arc<SeededSource>) -> [u8; 32] {
    let random: &dyn RandomSource = random.as_ref();
    random.array()
}
