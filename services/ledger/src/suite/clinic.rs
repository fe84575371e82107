//! Patients of a test network: their keys, consents, cases and withdrawals, all with the real contract.

use std::sync::Arc;

use semblance_contract::wire::{List, OpenEpoch, Outcomes, PageRequest, PublishItem};
use semblance_contract::{Code, SemblanceContract};
use semblance_core::case::case_commitment;
use semblance_core::consent::{Consent, ConsentParts, Scope, Scopes, Withdrawal};
use semblance_core::encode::Reader;
use semblance_core::epoch::{SealedEpochKey, VocabularyRelease};
use semblance_core::fingerprint::{Fingerprint, PrivateValue};
use semblance_core::id::{CaseHandle, ClinicianPseudonym, ConsentId, Digest, RequestId};
use semblance_core::limits::ANSWER_MAX;
use semblance_core::lookup::{LookupEntry, LookupRequest, LookupSlot, Purpose};
use semblance_core::organisation::{Genesis, OrganisationKind, Role, Separation};
use semblance_core::patient_key::{KeyOrigin, PatientKeyEntry, PatientKeyRegistration};
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::receipt::{ReceiptSlots, SLOT_BYTES};
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::{Day, Timestamp};
use semblance_core::token::{EpochNumber, Token, key_check};

use super::{Factory, NETWORK, Network, Party, organisation};
use crate::Call;
use crate::client::{LedgerClient, Recorded};

/// The first epoch.
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
    /// When its consent was given.
    pub since: Timestamp,
    commitment: Digest,
}

/// The call that founds a network of these parties.
#[must_use]
pub fn founding(parties: &[Party]) -> Call {
    let about = semblance_core::organisation::Network::new(NETWORK, "suite", Separation::Separated);
    let records = parties.iter().map(Party::record).collect();
    let genesis = Genesis::new(about.expect("a name"), records).expect("a genesis");
    Call { function: "genesis".into(), arguments: vec![genesis.encode()], ..Call::default() }
}

impl Network {
    /// Starts a network with the real contract, runs its genesis and opens epoch 1.
    pub async fn semblance(factory: &dyn Factory, hospitals: u8, matchers: u8) -> Self {
        let mut parties = Party::all(hospitals, matchers);
        let ledger = factory.start(Arc::new(SemblanceContract), &mut parties).await;
        let founding = founding(&parties);
        let network = Self::found(ledger, parties, founding).await;
        network.admin("hospital-1").open_epoch(&network.epoch(EPOCH)).await.expect("the epoch opens");
        network
    }

    /// An epoch whose key is sealed to all hospitals.
    #[must_use]
    pub fn epoch(&self, number: EpochNumber) -> OpenEpoch {
        let key = [3; 32];
        let hospitals = self.parties.iter().filter(|party| party.kind == OrganisationKind::Hospital);
        let keys = hospitals.map(|party| {
            let sealed =
                SealedEpochKey::seal(NETWORK, number, &party.id, &party.record().sealing_key, &key, &party.certificate);
            sealed.expect("sealed")
        });
        OpenEpoch {
            number,
            vocabulary: VocabularyRelease::new("2026-02-16", Digest::of(b"vocabulary")).expect("a release"),
            profile: semblance_core::epoch::Profile::Terms8,
            key_check: key_check(&key, number),
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

    /// Makes patients of a hospital with registered keys; `first` keeps calls apart.
    pub async fn registered(&self, hospital: &str, first: u32, count: u32) -> Vec<Patient> {
        let party = self.party(hospital);
        let random = SeededSource::new(*Digest::of(format!("{hospital} {first}").as_bytes()).as_bytes());
        let patients: Vec<Patient> =
            (first..first + count).map(|number| self.patient(party, number, &random)).collect();
        let keys = patients.iter().map(|patient| registration(party, patient)).collect();
        let outcomes = self.client(hospital).register_patient_keys(keys).await.expect("registered");
        assert!(outcomes.response.all_succeeded(), "{:?}", outcomes.response);
        patients
    }

    /// The same, with granted consents.
    pub async fn patients(&self, hospital: &str, first: u32, count: u32) -> Vec<Patient> {
        let patients = self.registered(hospital, first, count).await;
        let consents = patients.iter().map(|patient| consent(self.party(hospital), patient)).collect();
        let outcomes = self.client(hospital).grant_consents(consents).await.expect("granted");
        assert!(outcomes.response.all_succeeded(), "{:?}", outcomes.response);
        patients
    }

    /// The same, with their cases published.
    pub async fn published(&self, hospital: &str, first: u32, count: u32) -> Vec<Patient> {
        let patients = self.patients(hospital, first, count).await;
        let cases = patients.iter().map(Patient::publication).collect();
        let outcomes = self.client(hospital).publish_cases(&organisation("matcher-1"), cases).await.expect("published");
        assert!(outcomes.response.all_succeeded(), "{:?}", outcomes.response);
        patients
    }

    /// The handles that are live in the first epoch.
    pub async fn live(&self) -> Vec<CaseHandle> {
        let page = self.client("hospital-1").live_cases(EPOCH, PageRequest::first(100)).await.expect("answered");
        page.rows.into_iter().map(|case| case.handle).collect()
    }

    fn patient(&self, party: &Party, number: u32, random: &dyn RandomSource) -> Patient {
        let commitment = case_commitment(&random.array(), NETWORK, &party.id, &format!("case {number}"));
        Patient {
            key: SigningKey::random(random),
            consent: ConsentId::random(random),
            handle: CaseHandle::random(random),
            value: value(random),
            since: self.ledger.now(),
            commitment,
        }
    }

    /// A look-up of a hospital from a case, in one of its slots of today.
    #[must_use]
    pub fn request(&self, hospital: &str, matcher: &str, case: &Patient, slot: u16) -> LookupRequest {
        let now = self.ledger.now();
        // A request's id follows from what it asks and when, so that no two have the same.
        let id = Digest::of(format!("{hospital} {matcher} {} {slot}", case.handle).as_bytes());
        let random = SeededSource::new(*id.as_bytes());
        let random: &dyn RandomSource = &random;
        LookupRequest {
            network: NETWORK,
            request: RequestId::random(random),
            hospital: organisation(hospital),
            clinician: ClinicianPseudonym::from_bytes([3; 32]),
            purpose: Purpose::Diagnosis,
            case: case.commitment,
            epoch: EPOCH,
            query: Digest::of(b"query"),
            short: false,
            slot: LookupSlot::new(now.day(), slot).expect("a slot"),
            matcher: organisation(matcher),
            expires: now.plus(60_000),
            minimum_height: 1,
        }
    }

    /// The entry of a look-up that the hospital named in it has signed.
    #[must_use]
    pub fn entry(&self, request: LookupRequest) -> LookupEntry {
        let key = self.party(request.hospital.as_str()).key.clone();
        let slots = [5; ANSWER_MAX * SLOT_BYTES];
        LookupEntry {
            request: request.sign(&key).into_parts().1,
            index_height: 9,
            answer: Digest::of(b"answer"),
            slots: ReceiptSlots::read(&mut Reader::new(&slots)).expect("slots"),
        }
    }

    /// Records one look-up as a matcher; with which code it was refused otherwise.
    pub async fn record(&self, matcher: &str, entry: LookupEntry) -> Result<(), Option<Code>> {
        only(&self.client(matcher).record_lookups(vec![entry]).await.expect("valid"))
    }
}

/// The outcome of a batch of one: the code with which it was refused.
///
/// # Errors
/// It was refused.
pub fn only(recorded: &Recorded<Outcomes>) -> Result<(), Option<Code>> {
    let [outcome] = recorded.response.items() else { panic!("not one outcome: {:?}", recorded.response) };
    outcome.clone().map_err(|refusal| refusal.code())
}

/// A private value of eight tokens.
pub fn value(random: &dyn RandomSource) -> PrivateValue {
    let tokens = (0..8).map(|_| Token(u64::from_be_bytes(random.array()))).collect();
    PrivateValue::new(Fingerprint::new(tokens).expect("eight tokens"), random)
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

/// A patient's consent to be found for thirty days.
pub fn consent(party: &Party, patient: &Patient) -> SignedBytes {
    let parts = ConsentParts {
        network: NETWORK,
        hospital: party.id.clone(),
        patient_key: patient.key.verifying_key(),
        consent: patient.consent,
        sequence: 1,
        case: patient.commitment,
        scopes: Scopes::new(&[Scope::BeFound]).expect("a scope"),
        not_before: patient.since,
        expires: patient.since.plus(30 * Day::MILLIS),
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
            time: self.since,
        };
        withdrawal.sign(&self.key).into_parts().1
    }
}
