//! Patients of a test network: their keys, consents, cases and withdrawals, all with the real contract.

use std::sync::Arc;

use semblance_contract::SemblanceContract;
use semblance_contract::wire::{List, OpenEpoch, PublishItem};
use semblance_core::case::case_commitment;
use semblance_core::consent::{Consent, ConsentParts, Scope, Scopes, Withdrawal};
use semblance_core::epoch::{SealedEpochKey, VocabularyRelease};
use semblance_core::fingerprint::{Fingerprint, PrivateValue};
use semblance_core::id::{CaseHandle, ConsentId, Digest};
use semblance_core::organisation::{Genesis, OrganisationKind, Role, Separation};
use semblance_core::patient_key::{KeyOrigin, PatientKeyEntry, PatientKeyRegistration};
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::Day;
use semblance_core::token::{EpochNumber, Token, key_check};

use super::{Factory, NETWORK, Network, Party, START};
use crate::Call;
use crate::client::LedgerClient;

/// The only epoch.
pub const EPOCH: EpochNumber = EpochNumber(1);

/// A case with its patient's key and consent.
#[derive(Clone)]
pub struct Patient {
    /// What speaks for the case.
    pub key: SigningKey,
    /// Its consent.
    pub consent: ConsentId,
    /// Its name.
    pub handle: CaseHandle,
    /// Its fingerprint with its salt.
    pub value: PrivateValue,
    commitment: Digest,
}

impl Network {
    /// Starts a network with the real contract, runs its genesis and opens epoch 1.
    pub async fn semblance(factory: &dyn Factory, hospitals: u8, matchers: u8) -> Self {
        let mut parties = Party::all(hospitals, matchers);
        let ledger = factory.start(Arc::new(SemblanceContract), &mut parties).await;
        let network = Self { ledger, parties };
        let founder = network.parties[0].identity(Role::Admin);
        network.ledger.genesis(founder, network.founding()).await.expect("genesis is valid");
        network.admin("hospital-1").open_epoch(&network.epoch()).await.expect("the epoch opens");
        network
    }

    /// The call that founds this network.
    #[must_use]
    pub fn founding(&self) -> Call {
        let about = semblance_core::organisation::Network::new(NETWORK, "suite", Separation::Separated);
        let records = self.parties.iter().map(Party::record).collect();
        let genesis = Genesis::new(about.expect("a name"), records).expect("a genesis");
        Call { function: "genesis".into(), arguments: vec![genesis.encode()], ..Call::default() }
    }

    fn epoch(&self) -> OpenEpoch {
        let key = [3; 32];
        let hospitals = self.parties.iter().filter(|party| party.kind == OrganisationKind::Hospital);
        let keys = hospitals.map(|party| {
            let sealed =
                SealedEpochKey::seal(NETWORK, EPOCH, &party.id, &party.record().sealing_key, &key, &party.certificate);
            sealed.expect("sealed")
        });
        OpenEpoch {
            number: EPOCH,
            vocabulary: VocabularyRelease::new("2026-02-16", Digest::of(b"vocabulary")).expect("a release"),
            profile: semblance_core::epoch::Profile::Terms8,
            key_check: key_check(&key, EPOCH),
            keys: List::new(keys.collect()).expect("few keys"),
        }
    }

    /// A party's node with the typed client.
    #[must_use]
    pub fn client(&self, name: &str) -> LedgerClient {
        LedgerClient::new(self.node(name))
    }

    /// A party's administrator with the typed client.
    pub fn admin(&self, name: &str) -> LedgerClient {
        let identity = self.party(name).identity(Role::Admin);
        LedgerClient::new(self.ledger.administrator(identity))
    }

    /// Makes patients of a hospital with registered keys and granted consents; `first` keeps calls apart.
    pub async fn patients(&self, hospital: &str, first: u8, count: u8) -> Vec<Patient> {
        let party = self.party(hospital);
        let random = SeededSource::new(*Digest::of(format!("{hospital} {first}").as_bytes()).as_bytes());
        let patients: Vec<Patient> = (first..first + count).map(|number| patient(party, number, &random)).collect();
        let client = self.client(hospital);
        let keys = patients.iter().map(|patient| registration(party, patient)).collect();
        assert!(client.register_patient_keys(keys).await.expect("registered").response.all_succeeded());
        let consents = patients.iter().map(|patient| consent(party, patient)).collect();
        let outcomes = client.grant_consents(consents).await.expect("granted");
        assert!(outcomes.response.all_succeeded(), "{:?}", outcomes.response);
        patients
    }
}

fn patient(party: &Party, number: u8, random: &dyn RandomSource) -> Patient {
    let tokens = (0..8).map(|_| Token(u64::from_be_bytes(random.array()))).collect();
    let fingerprint = Fingerprint::new(tokens).expect("eight tokens");
    Patient {
        key: SigningKey::random(random),
        consent: ConsentId::random(random),
        handle: CaseHandle::random(random),
        value: PrivateValue::new(fingerprint, random),
        commitment: case_commitment(&random.array(), NETWORK, &party.id, &format!("case {number}")),
    }
}

fn registration(party: &Party, patient: &Patient) -> PatientKeyEntry {
    let registration = PatientKeyRegistration {
        network: NETWORK,
        hospital: party.id.clone(),
        key: patient.key.verifying_key(),
        case: patient.commitment,
        origin: KeyOrigin::Hospital,
        previous: None,
    };
    PatientKeyEntry::sign(registration, &party.key, None)
}

fn consent(party: &Party, patient: &Patient) -> SignedBytes {
    let parts = ConsentParts {
        network: NETWORK,
        hospital: party.id.clone(),
        patient_key: patient.key.verifying_key(),
        consent: patient.consent,
        sequence: 1,
        case: patient.commitment,
        scopes: Scopes::new(&[Scope::BeFound]).expect("a scope"),
        not_before: START,
        expires: START.plus(30 * Day::MILLIS),
        text: Digest::of(b"the text shown"),
    };
    Consent::new(parts).expect("a consent").sign(&patient.key).into_parts().1
}

impl Patient {
    /// The case as it is published, with its private value.
    #[must_use]
    pub fn publication(&self) -> (PublishItem, PrivateValue) {
        let item = PublishItem {
            handle: self.handle,
            consent: self.consent,
            epoch: EPOCH,
            private_hash: *self.value.sha256().as_bytes(),
            replaces: None,
        };
        (item, self.value.clone())
    }

    /// The withdrawal of its consent, signed by its key.
    #[must_use]
    pub fn withdrawal(&self) -> SignedBytes {
        let withdrawal = Withdrawal {
            network: NETWORK,
            consent: self.consent,
            sequence: 2,
            patient_key: self.key.verifying_key(),
            time: START,
        };
        withdrawal.sign(&self.key).into_parts().1
    }
}
