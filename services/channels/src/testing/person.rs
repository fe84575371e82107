//! A person's device.

use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafProof, LeafRevocation, PersonRole};
use semblance_core::id::{ChannelId, ConsentId, OrganisationId, ParticipantId};
use semblance_core::signature::{SignedBytes, SigningKey, Statement, VerifyingKey};
use semblance_core::time::Timestamp;

use super::{NETWORK, World};
use crate::client::{Client, ClientError, Event};
use crate::limits::KEY_PACKAGE_MILLIS;
use crate::office::{DeviceId, OfficeError};
use crate::store::MemoryStore;
use crate::wire::{Charter, KeyPackageUpload, Refusal};

/// One device of a person, and what it last heard.
pub struct Person {
    /// The index of its hospital.
    pub hospital: usize,
    /// Its name there.
    pub device: DeviceId,
    /// The consent it takes part on.
    pub consent: ConsentId,
    /// As whom.
    pub role: PersonRole,
    /// Its client.
    pub client: Client<MemoryStore>,
    /// The place in its queue up to which it has kept everything.
    pub kept: u64,
    /// What the items meant, since somebody last looked.
    pub events: Vec<(ChannelId, Event)>,
}

/// What a hospital says of one leaf of its own.
pub(super) struct Attestor<'a> {
    /// The hospital.
    pub(super) hospital: &'a OrganisationId,
    /// Its key.
    pub(super) signing: &'a SigningKey,
    /// The key of the consent, where a patient's leaf is attested.
    pub(super) patient: Option<&'a SigningKey>,
    /// The consent.
    pub(super) consent: ConsentId,
    /// Until when.
    pub(super) expires: Timestamp,
}

impl Attestor<'_> {
    /// The proof of a leaf.
    #[must_use]
    pub(super) fn prove(&self, channel: ChannelId, participant: ParticipantId, leaf_key: VerifyingKey) -> LeafProof {
        let role = if self.patient.is_some() { PersonRole::Patient } else { PersonRole::Clinician };
        let attestation = LeafAttestation {
            network: NETWORK,
            channel,
            hospital: self.hospital.clone(),
            participant,
            leaf_key,
            role,
            consent: self.consent,
            expires: self.expires,
        };
        let pledge = LeafPledge { network: NETWORK, consent: self.consent, leaf_key };
        LeafProof {
            attestation: attestation.sign(self.signing).into_parts().1,
            pledge: self.patient.map(|key| pledge.sign(key).into_parts().1),
        }
    }
}

impl World {
    /// Registers a new device of a new person and leaves its key packages at the hospital.
    pub fn person(&mut self, hospital: usize, consent: ConsentId, role: PersonRole, packages: usize) -> usize {
        let number = self.people.len();
        let client = Client::new(MemoryStore::default(), NETWORK, self.random.clone());
        let registered = self.hospitals[hospital].office.register_device(&format!("person-{number}"), role, self.now);
        let Ok((device, _)) = registered else { panic!("a device is registered") };
        let events = Vec::new();
        self.people.push(Person { hospital, device, consent, role, client, kept: 0, events });
        self.stock(number, packages, true, KEY_PACKAGE_MILLIS);
        number
    }

    /// Leaves more key packages of a device at its hospital.
    pub fn stock(&mut self, person: usize, packages: usize, last_resort: bool, life: u64) {
        let one = &mut self.people[person];
        let Ok(made) = one.client.key_packages(packages, last_resort, life, self.now) else {
            panic!("key packages are made")
        };
        let uploads: Vec<_> = made
            .into_iter()
            .map(|package| KeyPackageUpload { bytes: package.bytes, last_resort: package.last_resort })
            .collect();
        let kept = self.hospitals[one.hospital].office.upload(one.device, &uploads, self.now);
        assert!(kept.is_ok(), "key packages are kept: {kept:?}");
    }

    /// The hospital's word on a leaf of a person's device.
    #[must_use]
    pub fn prove(
        &self,
        person: usize,
        channel: ChannelId,
        participant: ParticipantId,
        leaf_key: VerifyingKey,
    ) -> LeafProof {
        let one = &self.people[person];
        let hospital = &self.hospitals[one.hospital];
        let patient = if one.role == PersonRole::Patient { self.patient_key(one.consent) } else { None };
        let attestor = Attestor {
            hospital: &hospital.id,
            signing: &hospital.signing,
            patient,
            consent: one.consent,
            expires: self.now.plus(365 * 86_400_000),
        };
        attestor.prove(channel, participant, leaf_key)
    }

    /// A person agrees to a channel.
    pub fn agree(&mut self, person: usize, charter: &Charter) -> ChannelId {
        match self.people[person].client.agree(charter, &self.facts) {
            Ok(terms) => terms.channel,
            Err(error) => panic!("a charter is believed: {error}"),
        }
    }

    /// A person's device makes the channel's group and hands it to the hub.
    pub fn create(&mut self, person: usize, charter: &Charter) -> ChannelId {
        let channel = self.agree(person, charter);
        let Ok((participant, key)) = self.people[person].client.leaf(channel) else { panic!("a leaf is made") };
        let proof = self.prove(person, channel, participant, key);
        let hub = self.hub_of(channel, person);
        let one = &mut self.people[person];
        let office = &mut self.hospitals[one.hospital].office;
        let bound = office.bind_leaf(one.device, &proof, &hub, self.now);
        assert!(bound.is_ok(), "a leaf is bound: {bound:?}");
        let created = one.client.create(channel, proof, &self.facts, self.now);
        assert!(created.is_ok(), "a group is made: {created:?}");
        channel
    }

    /// A person's hospital hands a key package of the device to the hub.
    ///
    /// # Errors
    /// The hospital or the hub refuses.
    pub fn admit(&mut self, person: usize, channel: ChannelId) -> Result<(), OfficeError> {
        let hub = self.hub_of(channel, person);
        let one = &self.people[person];
        let (device, home) = (one.device, one.hospital);
        let patient = if one.role == PersonRole::Patient { self.patient_key(one.consent).cloned() } else { None };
        let (consent, now) = (one.consent, self.now);
        let hospital = &mut self.hospitals[home];
        let (id, signing) = (hospital.id.clone(), hospital.signing.clone());
        let expires = now.plus(365 * 86_400_000);
        let next = hospital.office.next_package(device, channel, now)?;
        let attestor = Attestor { hospital: &id, signing: &signing, patient: patient.as_ref(), consent, expires };
        let proof = attestor.prove(channel, next.participant, next.leaf_key);
        let admission = hospital.office.hand_out(device, channel, &hub, &next, proof, now)?;
        let hub = self.hospitals.iter_mut().find(|hospital| hospital.id == hub && hospital.up);
        let hub = hub.ok_or(OfficeError::Refused(Refusal::HubAway))?;
        hub.office.admit(&id, &admission, &self.facts, now)
    }

    /// A person leaves a channel: the hospital revokes the device's leaf.
    ///
    /// # Errors
    /// The hub refuses or is away.
    pub fn leave(&mut self, person: usize, channel: ChannelId) -> Result<(), OfficeError> {
        let revocation = self.revocation(person, channel)?;
        let hub = self.hub_of(channel, person);
        let id = self.hospitals[self.people[person].hospital].id.clone();
        let hub = self.hospitals.iter_mut().find(|hospital| hospital.id == hub && hospital.up);
        let hub = hub.ok_or(OfficeError::Refused(Refusal::HubAway))?;
        hub.office.revoke(&id, &revocation, &self.facts, self.now)
    }

    fn revocation(&mut self, person: usize, channel: ChannelId) -> Result<SignedBytes, OfficeError> {
        let one = &self.people[person];
        let hospital = &mut self.hospitals[one.hospital];
        let (speaker, _) = hospital.office.speaker(one.device, channel, self.now)?;
        let revocation = LeafRevocation {
            network: NETWORK,
            channel,
            hospital: hospital.id.clone(),
            participant: speaker.participant,
            time: self.now,
        };
        Ok(revocation.sign(&hospital.signing).into_parts().1)
    }

    /// Says something, to be encrypted when its turn comes.
    ///
    /// # Errors
    /// The device takes no part.
    pub fn say(&mut self, person: usize, channel: ChannelId, text: &str) -> Result<(), ClientError> {
        self.people[person].client.say(channel, &crate::client::Content::Text(text.to_owned()))
    }
}
