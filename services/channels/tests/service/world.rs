//! Hospitals in one process, each with its service; the ledger is a table of facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use semblance_channels::client::Client;
use semblance_channels::driver::Driver;
use semblance_channels::node::{Authority, AuthorityError, ChannelService, Part, Parts, Peers};
use semblance_channels::office::{Device, Office, Token};
use semblance_channels::store::MemoryStore;
use semblance_channels::testing::{NETWORK, ServiceLine, World, organisation};
use semblance_channels::wire::{Answer, Charter, Facts, HubCall, Refusal};
use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafRevocation, PersonRole};
use semblance_core::id::{ConsentId, OrganisationId, TransactionId};
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::{Clock, Timestamp};

/// The system's clock, which openmls reads too.
pub(super) struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "openmls checks lifetimes against this clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
    }
}

/// What everybody reads in the ledger.
#[derive(Default)]
pub(super) struct Ledger {
    facts: Mutex<Facts>,
    patients: Mutex<BTreeMap<ConsentId, SigningKey>>,
}

/// A hospital: who of its people may take part where.
struct Hospital {
    signing: SigningKey,
    ledger: Arc<Ledger>,
    parts: Mutex<BTreeMap<String, Vec<Part>>>,
}

#[async_trait]
impl Authority for Hospital {
    async fn facts(&self, consents: &BTreeSet<ConsentId>) -> Result<Facts, AuthorityError> {
        Ok(self.ledger.facts.lock().unwrap().about(consents))
    }

    async fn parts(&self, person: &str, _role: PersonRole) -> Result<Vec<Part>, AuthorityError> {
        let mut parts = self.parts.lock().unwrap().get(person).cloned().unwrap_or_default();
        let facts = self.ledger.facts.lock().unwrap();
        parts.retain(|part| facts.consents.get(&part.consent).is_some_and(|fact| fact.ended(Wall.now()).is_none()));
        Ok(parts)
    }

    fn attest(&self, leaf: LeafAttestation) -> SignedBytes {
        leaf.sign(&self.signing).into_parts().1
    }

    async fn pledge(&self, pledge: LeafPledge) -> Result<Option<SignedBytes>, AuthorityError> {
        let patients = self.ledger.patients.lock().unwrap();
        Ok(patients.get(&pledge.consent).map(|key| pledge.sign(key).into_parts().1))
    }

    fn revoke(&self, revocation: LeafRevocation) -> SignedBytes {
        revocation.sign(&self.signing).into_parts().1
    }
}

/// The other hospitals' nodes, in this process.
#[derive(Default)]
struct Street {
    nodes: Mutex<BTreeMap<OrganisationId, ChannelService>>,
}

struct Door {
    own: OrganisationId,
    street: Arc<Street>,
}

#[async_trait]
impl Peers for Door {
    async fn call(&self, hospital: &OrganisationId, call: HubCall) -> Result<Answer, Refusal> {
        let node = self.street.nodes.lock().unwrap().get(hospital).cloned();
        node.ok_or(Refusal::HubAway)?.serve(&self.own, call).await
    }
}

/// A client on its line.
pub(super) type Phone = Driver<MemoryStore, ServiceLine>;

/// Hospitals with their nodes.
pub(super) struct Town {
    pub(super) world: World,
    pub(super) ledger: Arc<Ledger>,
    hospitals: Vec<Arc<Hospital>>,
    pub(super) offices: Vec<Arc<Mutex<Office>>>,
    pub(super) services: Vec<ChannelService>,
    random: Arc<SeededSource>,
}

impl Town {
    pub(super) fn new(seed: u8, count: usize) -> Self {
        let world = World::new([seed; 32], count, Wall.now());
        let random = Arc::new(SeededSource::new([seed.wrapping_add(100); 32]));
        let ledger = Arc::new(Ledger::default());
        let street = Arc::new(Street::default());
        let (mut hospitals, mut offices, mut services) = (Vec::new(), Vec::new(), Vec::new());
        for name in ["north", "south", "east"].into_iter().take(count) {
            let signing = SigningKey::from_seed(&draw(&random));
            let own = organisation(name);
            ledger.facts.lock().unwrap().hospitals.insert(own.clone(), vec![signing.verifying_key()]);
            let hospital = Arc::new(Hospital { signing, ledger: ledger.clone(), parts: Mutex::default() });
            let office = Office::in_memory(NETWORK, own.clone(), random.clone()).unwrap();
            let office = Arc::new(Mutex::new(office));
            offices.push(Arc::clone(&office));
            let peers = Arc::new(Door { own: own.clone(), street: street.clone() });
            let parts = Parts { office, authority: hospital.clone(), peers, clock: Arc::new(Wall) };
            let service = ChannelService::open(parts);
            street.nodes.lock().unwrap().insert(own, service.clone());
            let running = service.clone();
            tokio::spawn(async move { running.run(std::future::pending()).await });
            hospitals.push(hospital);
            services.push(service);
        }
        Self { world, ledger, hospitals, offices, services, random }
    }

    /// A patient of a hospital gives a consent; the ledger knows it.
    pub(super) fn consent(&mut self, hospital: usize) -> ConsentId {
        let consent = self.world.consent(hospital);
        let fact = self.world.facts.consents[&consent].clone();
        self.ledger.facts.lock().unwrap().consents.insert(consent, fact);
        let key = self.world.patient_key(consent).unwrap().clone();
        self.ledger.patients.lock().unwrap().insert(consent, key);
        consent
    }

    /// The ledger says that a consent is withdrawn, and the nodes hear of it.
    pub(super) async fn withdraw(&self, consent: ConsentId) {
        let transaction = TransactionId::random(self.random.as_ref());
        if let Some(fact) = self.ledger.facts.lock().unwrap().consents.get_mut(&consent) {
            fact.withdrawn = Some((transaction, Wall.now()));
        }
        for service in &self.services {
            service.end_consent(consent, Some(transaction)).await.unwrap();
        }
    }

    /// A channel on a match, opened at its hub.
    pub(super) async fn open(&mut self, hub: usize, consents: &[ConsentId]) -> Charter {
        let (charter, seed) = self.world.draft_match(hub, consents, &self.hospitals[hub].signing);
        self.services[hub].take_up(charter.clone(), seed).await.unwrap();
        charter
    }

    /// A device of a person to whom the hospital offers a channel.
    pub(super) async fn device(
        &self,
        hospital: usize,
        person: &str,
        role: PersonRole,
        part: (&Charter, ConsentId),
    ) -> Phone {
        self.offer(hospital, person, part);
        let (_, device) = self.register(hospital, person, role).await;
        let mut phone = self.phone(hospital, device);
        phone.provision(Wall.now()).await.unwrap();
        phone
    }

    /// The hospital offers a channel to a person.
    pub(super) fn offer(&self, hospital: usize, person: &str, (charter, consent): (&Charter, ConsentId)) {
        let part = Part { charter: charter.clone(), consent, about: String::new() };
        self.hospitals[hospital].parts.lock().unwrap().entry(person.to_owned()).or_default().push(part);
    }

    /// A new device of a person, and what it shows.
    pub(super) async fn register(&self, hospital: usize, person: &str, role: PersonRole) -> (Token, Device) {
        let service = &self.services[hospital];
        let token = service.register(person.to_owned(), role).await.unwrap();
        let device = service.authenticate(token.clone()).await.unwrap();
        (token, device)
    }

    /// The client of a device, on its line.
    pub(super) fn phone(&self, hospital: usize, device: Device) -> Phone {
        let client = Client::new(MemoryStore::default(), NETWORK, self.random.clone());
        let name = format!("{} of {hospital}", device.person);
        Driver::new(client, ServiceLine::of(self.services[hospital].clone(), device), NETWORK, name)
    }

    /// The key of a hospital's node.
    pub(super) fn signing(&self, hospital: usize) -> &SigningKey {
        &self.hospitals[hospital].signing
    }
}

fn draw(random: &Arc<SeededSource>) -> [u8; 32] {
    let random: &dyn RandomSource = random.as_ref();
    random.array()
}
