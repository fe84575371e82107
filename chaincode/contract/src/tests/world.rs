//! Two hospitals, `north` and `south`, and two matchers, `alpha` and `beta`, on a ledger in memory.
//!
//! Every call runs as several peers would, and their reads, writes and responses must be equal.

use semblance_core::consent::{Consent, ConsentParts, Scope, Scopes, Withdrawal};
use semblance_core::denial::{Denial, DenialCode};
use semblance_core::encode::Reader;
use semblance_core::epoch::{Profile, SealedEpochKey, VocabularyRelease};
use semblance_core::fingerprint::{Fingerprint, PrivateValue};
use semblance_core::id::{
    CaseHandle, ClinicianPseudonym, ConsentId, DenialId, Digest, NetworkId, OrganisationId, RequestId,
};
use semblance_core::lookup::{LookupEntry, LookupRequest, LookupSlot, Purpose};
use semblance_core::organisation::{
    Genesis, KeyRotation, Network, Organisation, OrganisationKind, SealingKey, Separation, TlsRoot,
};
use semblance_core::patient_key::{KeyOrigin, PatientKeyEntry, PatientKeyRegistration};
use semblance_core::receipt::ReceiptSlots;
use semblance_core::record::Record;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::{SignedBytes, SigningKey, Statement, VerifyingKey};
use semblance_core::time::{Day, Timestamp};
use semblance_core::token::{EpochNumber, Token};

use crate::stub::Role;
use crate::testing::{MemoryStub, Writes};
use crate::wire::{
    Approval, Empty, EpochArgument, Fingerprints, Handle, Handles, List, Membership, Opaque, OpenEpoch, Outcomes,
    PublishCases, PublishItem, RegisterMember, SignedStatement, TRANSIENT_FINGERPRINTS, Withdrawn,
};
use crate::{Code, Contract, ContractError, SemblanceContract};

pub(crate) const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);
pub(crate) const EPOCH: EpochNumber = EpochNumber(1);
/// Noon of day 20,000.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(20_000 * Day::MILLIS + Day::MILLIS / 2);
pub(crate) const TODAY: Day = Day::from_number(20_000);

pub(crate) struct World {
    pub(crate) stub: MemoryStub,
    /// What the last successful call wrote.
    pub(crate) writes: Writes,
    drawn: u32,
}

/// A patient's case at a hospital, with a key and a consent.
#[derive(Clone)]
pub(crate) struct Patient {
    pub(crate) hospital: OrganisationId,
    pub(crate) key: SigningKey,
    pub(crate) case: Digest,
    pub(crate) consent: ConsentId,
}

pub(crate) fn id(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

/// An organisation's node key, the same in every test.
pub(crate) fn node(name: &str) -> SigningKey {
    SigningKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

pub(crate) fn organisation(name: &str, kind: OrganisationKind) -> Organisation {
    Organisation {
        id: id(name),
        kind,
        verifying_key: node(name).verifying_key(),
        sealing_key: sealing_key(name, 1),
        tls_root: TlsRoot::new(vec![1]).unwrap(),
        rotations: 0,
    }
}

pub(crate) fn sealing_key(name: &str, number: u32) -> SealingKey {
    let secret = SealingSecret::from_bytes(*Digest::of(format!("{name}{number}").as_bytes()).as_bytes()).unwrap();
    SealingKey { id: SealingKeyId(number), public: *secret.public() }
}

pub(crate) fn genesis() -> Genesis {
    let network = Network::new(NETWORK, "trial", Separation::Separated).unwrap();
    let hospitals = ["north", "south"].map(|name| organisation(name, OrganisationKind::Hospital));
    let matchers = ["alpha", "beta"].map(|name| organisation(name, OrganisationKind::Matcher));
    Genesis::new(network, hospitals.into_iter().chain(matchers).collect()).unwrap()
}

pub(crate) fn open_epoch(number: u32) -> OpenEpoch {
    let sealed = |name: &str| SealedEpochKey { hospital: id(name), key: SealingKeyId(1), sealed: [1; 80] };
    OpenEpoch {
        number: EpochNumber(number),
        vocabulary: VocabularyRelease::new("2026-02-16", Digest::of(b"vocabulary")).unwrap(),
        profile: Profile::Terms8,
        key_check: Digest::of(b"check"),
        keys: List::new(vec![sealed("north"), sealed("south")]).unwrap(),
    }
}

pub(crate) fn rotation(name: &str, next: impl FnOnce(&mut Organisation)) -> KeyRotation {
    let present = genesis().organisations().iter().find(|member| member.id == id(name)).unwrap().clone();
    let mut rotated = present.clone();
    next(&mut rotated);
    KeyRotation::between(NETWORK, &present, &rotated).unwrap()
}

/// A newcomer's signed statement, approved by these members.
pub(crate) fn newcomer(newcomer: Organisation, approvals: &[&str]) -> RegisterMember {
    let name = newcomer.id.as_str().to_owned();
    let (_, source) = Membership { network: NETWORK, organisation: newcomer }.sign(&node(&name)).into_parts();
    let approve = |member: &&str| Approval { member: id(member), signature: node(member).sign(source.bytes()) };
    let approvals = approvals.iter().map(approve).collect();
    RegisterMember::new(source, approvals)
}

pub(crate) fn private_value(seed: u64) -> PrivateValue {
    PrivateValue::with_salt(
        Fingerprint::new((0..8).map(|n| Token(0xdead_beef_cafe_0000 + seed + n)).collect()).unwrap(),
        [9; 32],
    )
}

pub(crate) fn item(patient: &Patient, handle: CaseHandle, replaces: Option<CaseHandle>) -> PublishItem {
    let private_hash = *private_value(1).sha256().as_bytes();
    PublishItem { handle, consent: patient.consent, epoch: EPOCH, private_hash, replaces }
}

pub(crate) fn publish_cases(items: Vec<PublishItem>) -> PublishCases {
    PublishCases { matcher: id("alpha"), items: List::new(items).unwrap() }
}

pub(crate) fn entry(request: LookupRequest, signer: &SigningKey) -> LookupEntry {
    let (_, request) = request.sign(signer).into_parts();
    let slots = ReceiptSlots::read(&mut Reader::new(&[5; 800])).unwrap();
    LookupEntry { request, index_height: 9, answer: Digest::of(b"answer"), slots }
}

pub(crate) fn denial(organisation: &str, number: u8) -> Denial {
    Denial {
        id: DenialId::from_bytes([number; 16]),
        organisation: id(organisation),
        code: DenialCode::SlotUsed,
        subject: ClinicianPseudonym::from_bytes([2; 32]),
        request: None,
        time: NOW,
    }
}

pub(crate) fn handles(handles: &[CaseHandle]) -> Handles {
    List::new(handles.iter().copied().map(Handle).collect()).unwrap()
}

/// The code with which the only item of a batch was refused.
pub(crate) fn only(outcomes: Outcomes) -> Result<(), Code> {
    assert_eq!(outcomes.items().len(), 1);
    outcomes.items()[0].clone().map_err(|refusal| refusal.code().unwrap())
}

impl Patient {
    pub(crate) fn registration(&self) -> PatientKeyRegistration {
        PatientKeyRegistration {
            network: NETWORK,
            hospital: self.hospital.clone(),
            key: self.key.verifying_key(),
            case: self.case,
            origin: KeyOrigin::Hospital,
            previous: None,
        }
    }

    pub(crate) fn entry(&self) -> PatientKeyEntry {
        PatientKeyEntry::sign(self.registration(), &node(self.hospital.as_str()), None)
    }

    pub(crate) fn consent_parts(&self) -> ConsentParts {
        ConsentParts {
            network: NETWORK,
            hospital: self.hospital.clone(),
            patient_key: self.key.verifying_key(),
            consent: self.consent,
            sequence: 1,
            case: self.case,
            scopes: Scopes::new(&[Scope::BeFound]).unwrap(),
            not_before: NOW,
            expires: NOW.plus(30 * Day::MILLIS),
            text: Digest::of(b"text"),
        }
    }

    pub(crate) fn signed(&self, change: impl FnOnce(&mut ConsentParts)) -> SignedStatement {
        let mut parts = self.consent_parts();
        change(&mut parts);
        SignedStatement(Consent::new(parts).unwrap().sign(&self.key).into_parts().1)
    }

    pub(crate) fn withdrawal(&self) -> Withdrawal {
        let patient_key = self.key.verifying_key();
        Withdrawal { network: NETWORK, consent: self.consent, sequence: 2, patient_key, time: NOW }
    }

    pub(crate) fn signed_withdrawal(&self) -> SignedStatement {
        SignedStatement(self.withdrawal().sign(&self.key).into_parts().1)
    }

    pub(crate) fn request(&self, number: u8) -> LookupRequest {
        LookupRequest {
            network: NETWORK,
            request: RequestId::from_bytes([number; 16]),
            hospital: self.hospital.clone(),
            clinician: ClinicianPseudonym::from_bytes([3; 32]),
            purpose: Purpose::Diagnosis,
            case: self.case,
            epoch: EPOCH,
            query: Digest::of(b"query"),
            short: false,
            slot: LookupSlot::new(TODAY, u16::from(number)).unwrap(),
            matcher: id("alpha"),
            expires: NOW.plus(60_000),
            minimum_height: 3,
        }
    }

    pub(crate) fn entry_of(&self, number: u8, change: impl FnOnce(&mut LookupRequest)) -> LookupEntry {
        let mut request = self.request(number);
        change(&mut request);
        entry(request, &node(self.hospital.as_str()))
    }
}

impl World {
    /// A ledger without genesis.
    pub(crate) fn empty() -> Self {
        Self { stub: MemoryStub::new(&id("north"), Role::Admin, NOW), writes: Writes::default(), drawn: 0 }
    }

    /// A network with its four members.
    pub(crate) fn founded() -> Self {
        let mut world = Self::empty();
        world.admin::<Empty>("north", "genesis", &genesis()).unwrap();
        world
    }

    /// With epoch 1 open.
    pub(crate) fn new() -> Self {
        let mut world = Self::founded();
        world.admin::<Empty>("north", "open_epoch", &open_epoch(1)).unwrap();
        world
    }

    pub(crate) fn node<R: Record>(
        &mut self,
        who: &str,
        function: &str,
        argument: &impl Record,
    ) -> Result<R, ContractError> {
        self.call(who, Role::Node, function, argument)
    }

    pub(crate) fn admin<R: Record>(
        &mut self,
        who: &str,
        function: &str,
        argument: &impl Record,
    ) -> Result<R, ContractError> {
        self.call(who, Role::Admin, function, argument)
    }

    /// Runs a function on the peers of the caller and of `alpha`, commits what it wrote, drops it on a refusal.
    pub(crate) fn call<R: Record>(
        &mut self,
        who: &str,
        role: Role,
        function: &str,
        argument: &impl Record,
    ) -> Result<R, ContractError> {
        let response = self.invoke(who, role, function, argument.encode(), &[]);
        response.map(|bytes| R::decode(&bytes).unwrap())
    }

    pub(crate) fn invoke(
        &mut self,
        who: &str,
        role: Role,
        function: &str,
        argument: Vec<u8>,
        transient: &[(&str, Vec<u8>)],
    ) -> Result<Vec<u8>, ContractError> {
        let arguments = [argument];
        let mut run = |endorser: &str| {
            self.stub.rollback();
            self.stub.set_caller(&id(who), role);
            self.stub.set_endorser(&id(endorser));
            for (name, value) in transient {
                self.stub.set_transient(name, value.clone());
            }
            let result = SemblanceContract.invoke(&mut self.stub, function, &arguments);
            (result, self.stub.reads().clone(), self.stub.writes().clone())
        };
        let other = run("alpha");
        let own = run(who);
        assert!(own == other, "the peers of {who} and alpha came to other results in {function}");
        if own.0.is_ok() {
            self.writes = self.stub.commit();
        }
        own.0
    }

    fn draw(&mut self) -> [u8; 16] {
        self.drawn += 1;
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.drawn.to_be_bytes());
        bytes
    }

    pub(crate) fn handle(&mut self) -> CaseHandle {
        CaseHandle::from_bytes(self.draw())
    }

    /// A patient whom the ledger does not know yet.
    pub(crate) fn stranger(&mut self, hospital: &str) -> Patient {
        let seed = Digest::of(&self.draw());
        let consent = ConsentId::from_bytes(self.draw());
        let key = SigningKey::from_seed(seed.as_bytes());
        Patient { hospital: id(hospital), key, case: Digest::of(seed.as_bytes()), consent }
    }

    pub(crate) fn register(&mut self, hospital: &str, entry: PatientKeyEntry) -> Result<(), Code> {
        let entries = List::<_, 100>::new(vec![entry]).unwrap();
        only(self.node(hospital, "register_patient_key", &entries).unwrap())
    }

    pub(crate) fn grant(&mut self, hospital: &str, consent: SignedStatement) -> Result<(), Code> {
        let consents = List::<_, 100>::new(vec![consent]).unwrap();
        only(self.node(hospital, "grant_consent", &consents).unwrap())
    }

    /// A patient with a registered key.
    pub(crate) fn registered(&mut self, hospital: &str) -> Patient {
        let patient = self.stranger(hospital);
        self.register(hospital, patient.entry()).unwrap();
        patient
    }

    /// A patient with a registered key and a consent.
    pub(crate) fn patient(&mut self, hospital: &str) -> Patient {
        let patient = self.registered(hospital);
        self.grant(hospital, patient.signed(|_| ())).unwrap();
        patient
    }

    pub(crate) fn publish_all(&mut self, hospital: &str, items: Vec<PublishItem>) -> Result<Outcomes, ContractError> {
        let values = items.iter().map(|_| Opaque(private_value(1).encode())).collect();
        let transient = [(TRANSIENT_FINGERPRINTS, Fingerprints::new(values).unwrap().encode())];
        let argument = publish_cases(items).encode();
        let response = self.invoke(hospital, Role::Node, "publish_cases", argument, &transient)?;
        Ok(Outcomes::decode(&response).unwrap())
    }

    pub(crate) fn publish(&mut self, hospital: &str, item: PublishItem) -> Result<(), Code> {
        self.publish_all(hospital, vec![item]).map(only).unwrap()
    }

    /// A patient with a published case.
    pub(crate) fn published(&mut self, hospital: &str) -> (Patient, CaseHandle) {
        let (patient, handle) = (self.patient(hospital), self.handle());
        self.publish(hospital, item(&patient, handle, None)).unwrap();
        (patient, handle)
    }

    pub(crate) fn withdraw(&mut self, who: &str, patient: &Patient) -> Result<Withdrawn, ContractError> {
        self.node(who, "withdraw_consent", &patient.signed_withdrawal())
    }

    pub(crate) fn record(&mut self, matcher: &str, entry: LookupEntry) -> Result<(), Code> {
        let entries = List::<_, 50>::new(vec![entry]).unwrap();
        only(self.node(matcher, "record_lookups", &entries).unwrap())
    }

    pub(crate) fn expire(&mut self, who: &str, handle: CaseHandle) -> Result<(), Code> {
        only(self.node(who, "expire", &handles(&[handle])).unwrap())
    }

    pub(crate) fn purge(&mut self, who: &str, handle: CaseHandle) -> Result<(), Code> {
        only(self.node(who, "purge_case", &handles(&[handle])).unwrap())
    }

    pub(crate) fn close(&mut self, who: &str, epoch: u32) -> Result<Empty, ContractError> {
        self.admin(who, "close_epoch", &EpochArgument(EpochNumber(epoch)))
    }

    /// The new key of a patient whose key was replaced, without the old one's agreement unless `agreed`.
    pub(crate) fn replace_key(&mut self, patient: &Patient, agreed: bool) -> Result<SigningKey, Code> {
        let key = SigningKey::from_seed(Digest::of(&self.draw()).as_bytes());
        let previous: Option<VerifyingKey> = Some(patient.key.verifying_key());
        let registration = PatientKeyRegistration { key: key.verifying_key(), previous, ..patient.registration() };
        let hospital = patient.hospital.as_str();
        let entry = PatientKeyEntry::sign(registration, &node(hospital), agreed.then_some(&patient.key));
        self.register(hospital, entry).map(|()| key)
    }
}

/// Bytes signed by a key that has nothing to do with them.
pub(crate) fn forged(source: &SignedBytes) -> SignedBytes {
    SignedBytes::new(source.bytes().to_vec(), node("nobody").sign(source.bytes()))
}
