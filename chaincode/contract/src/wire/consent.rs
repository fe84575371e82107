//! Patients' keys, consents and withdrawals.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{CaseHandle, ConsentId, OrganisationId};
use semblance_core::limits::{CONSENT_EPOCHS_MAX, PUBLISH_BATCH_MAX};
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, VerifyingKey};

use super::List;

/// The argument of `register_patient_key`.
pub type PatientKeys = List<PatientKeyEntry, PUBLISH_BATCH_MAX>;

/// A signed statement as it arrived: bytes and signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement(pub SignedBytes);

impl Record for SignedStatement {
    const NAME: &'static str = "signed statement";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        SignedBytes::read(reader).map(Self)
    }
}

/// The argument of `grant_consent`.
pub type SignedStatements = List<SignedStatement, PUBLISH_BATCH_MAX>;

/// The response of `withdraw_consent`: the hospital and the handles whose private data are now to be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// Whose cases they were.
    pub hospital: OrganisationId,
    /// The newest handle of each epoch.
    pub handles: Vec<CaseHandle>,
}

impl Record for Withdrawn {
    const NAME: &'static str = "withdrawn cases";

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        writer.count(self.handles.len());
        for handle in &self.handles {
            handle.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let hospital = OrganisationId::read(reader)?;
        let count = reader.count("withdrawn cases", CONSENT_EPOCHS_MAX as usize)?;
        let handles = (0..count).map(|_| CaseHandle::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { hospital, handles })
    }
}

/// The argument of the query `consent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentArgument(pub ConsentId);

impl Record for ConsentArgument {
    const NAME: &'static str = "consent id";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ConsentId::read(reader).map(Self)
    }
}

/// The argument of the query `patient_key`: hospital, key (32).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientKeyArgument {
    /// Who registered it.
    pub hospital: OrganisationId,
    /// The key.
    pub key: VerifyingKey,
}

impl Record for PatientKeyArgument {
    const NAME: &'static str = "patient key";

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.key.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { hospital: OrganisationId::read(reader)?, key: VerifyingKey::read(reader, "patient key")? })
    }
}
