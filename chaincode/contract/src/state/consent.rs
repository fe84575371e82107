//! Patients' keys, consents and withdrawals: always with the exact bytes that were signed.

use semblance_core::consent::{Consent, Withdrawal};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ConsentId, NetworkId};
use semblance_core::patient_key::{PatientKeyEntry, PatientKeyRegistration};
use semblance_core::record::{Record, read_option, write_option};
use semblance_core::signature::{SignedBytes, VerifyingKey};
use semblance_core::time::Timestamp;

/// `patient-key/<hospital>/<key>`: a key that speaks for the patient of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientKeyRecord {
    /// The time of the proposal that registered it.
    pub registered: Timestamp,
    /// The hospital's signed registration, with the previous key's signature where there is one.
    pub entry: PatientKeyEntry,
}

impl PatientKeyRecord {
    /// What the hospital said. The contract verified its signature before it stored it.
    ///
    /// # Errors
    /// Not a registration of this network.
    pub fn registration(&self, network: NetworkId) -> Result<PatientKeyRegistration, DecodeError> {
        Ok(self.entry.claim(network)?.claims().clone())
    }
}

impl Record for PatientKeyRecord {
    const NAME: &'static str = "patient key";

    fn write(&self, writer: &mut Writer) {
        self.registered.write(writer);
        self.entry.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { registered: Timestamp::read(reader, "registered")?, entry: PatientKeyEntry::read(reader)? })
    }
}

/// `patient-key-successor/<hospital>/<key>`: the key that took this one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successor(pub VerifyingKey);

impl Record for Successor {
    const NAME: &'static str = "successor of a patient key";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        VerifyingKey::read(reader, "successor").map(Self)
    }
}

/// `patient-consent/<hospital>/<key>`: the newest consent of the case for which a patient's key speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewestConsent(pub ConsentId);

impl Record for NewestConsent {
    const NAME: &'static str = "newest consent";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ConsentId::read(reader).map(Self)
    }
}

/// `consent/<id>`: a consent. Never changes; its end is a tombstone or its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRecord {
    /// The time of the proposal that granted it.
    pub granted: Timestamp,
    /// The patient's signed [`Consent`].
    pub source: SignedBytes,
}

impl ConsentRecord {
    /// What the patient signed. The contract verified the signature before it stored it.
    ///
    /// # Errors
    /// Not a consent of this network.
    pub fn consent(&self, network: NetworkId) -> Result<Consent, DecodeError> {
        Ok(self.source.clone().claim::<Consent>(network)?.claims().clone())
    }
}

impl Record for ConsentRecord {
    const NAME: &'static str = "consent";

    fn write(&self, writer: &mut Writer) {
        self.granted.write(writer);
        self.source.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { granted: Timestamp::read(reader, "granted")?, source: SignedBytes::read(reader)? })
    }
}

/// `consent-tombstone/<id>`: that a consent was withdrawn, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentTombstone {
    /// The time of the proposal that withdrew it.
    pub at: Timestamp,
    /// The patient's signed [`Withdrawal`].
    pub source: SignedBytes,
}

impl ConsentTombstone {
    /// What the patient signed. The contract verified the signature before it stored it.
    ///
    /// # Errors
    /// Not a withdrawal of this network.
    pub fn withdrawal(&self, network: NetworkId) -> Result<Withdrawal, DecodeError> {
        Ok(self.source.clone().claim::<Withdrawal>(network)?.claims().clone())
    }
}

impl Record for ConsentTombstone {
    const NAME: &'static str = "consent tombstone";

    fn write(&self, writer: &mut Writer) {
        self.at.write(writer);
        self.source.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { at: Timestamp::read(reader, "withdrawn")?, source: SignedBytes::read(reader)? })
    }
}

/// A consent with what became of it: what queries answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentView {
    /// The consent.
    pub consent: ConsentRecord,
    /// Its withdrawal.
    pub tombstone: Option<ConsentTombstone>,
}

impl Record for ConsentView {
    const NAME: &'static str = "consent";

    fn write(&self, writer: &mut Writer) {
        self.consent.write(writer);
        write_option(writer, self.tombstone.as_ref(), ConsentTombstone::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            consent: ConsentRecord::read(reader)?,
            tombstone: read_option(reader, "consent tombstone", ConsentTombstone::read)?,
        })
    }
}

/// A patient's key with what became of it: what queries answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientKeyView {
    /// The key.
    pub record: PatientKeyRecord,
    /// The key that took its place.
    pub successor: Option<Successor>,
    /// The newest consent of its case.
    pub newest_consent: Option<NewestConsent>,
}

impl Record for PatientKeyView {
    const NAME: &'static str = "patient key";

    fn write(&self, writer: &mut Writer) {
        self.record.write(writer);
        write_option(writer, self.successor.as_ref(), Successor::write);
        write_option(writer, self.newest_consent.as_ref(), NewestConsent::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            record: PatientKeyRecord::read(reader)?,
            successor: read_option(reader, "successor", Successor::read)?,
            newest_consent: read_option(reader, "newest consent", NewestConsent::read)?,
        })
    }
}
