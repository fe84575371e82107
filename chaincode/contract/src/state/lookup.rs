//! Look-ups: the entry, and the row that its slot holds.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ClinicianPseudonym, OrganisationId, RequestId};
use semblance_core::lookup::{LookupEntry, LookupSlot, Purpose};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

/// `lookup/<request>`: a look-up as it was recorded before its answer left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRecord {
    /// The time of the proposal.
    pub recorded: Timestamp,
    /// The exact signed request, the answer's commitment and the ten receipt slots.
    pub entry: LookupEntry,
}

impl Record for LookupRecord {
    const NAME: &'static str = "look-up";

    fn write(&self, writer: &mut Writer) {
        self.recorded.write(writer);
        self.entry.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { recorded: Timestamp::read(reader, "recorded")?, entry: LookupEntry::read(reader)? })
    }
}

/// `lookup-slot/<hospital>/<day>/<n>`: which look-up took a slot, with what budgets and audit pages need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRow {
    /// Who asked.
    pub hospital: OrganisationId,
    /// The slot.
    pub slot: LookupSlot,
    /// The request.
    pub request: RequestId,
    /// Who asked there, under a weekly pseudonym.
    pub clinician: ClinicianPseudonym,
    /// What for.
    pub purpose: Purpose,
    /// Whether the case has fewer terms than a wide query needs.
    pub short: bool,
    /// Who answered.
    pub matcher: OrganisationId,
    /// The time of the proposal.
    pub recorded: Timestamp,
}

impl Record for LookupRow {
    const NAME: &'static str = "look-up slot";

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.slot.write(writer);
        self.request.write(writer);
        self.clinician.write(writer);
        self.purpose.write(writer);
        writer.bool(self.short);
        self.matcher.write(writer);
        self.recorded.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hospital: OrganisationId::read(reader)?,
            slot: LookupSlot::read(reader)?,
            request: RequestId::read(reader)?,
            clinician: ClinicianPseudonym::read(reader)?,
            purpose: Purpose::read(reader)?,
            short: reader.bool("short")?,
            matcher: OrganisationId::read(reader)?,
            recorded: Timestamp::read(reader, "recorded")?,
        })
    }
}
