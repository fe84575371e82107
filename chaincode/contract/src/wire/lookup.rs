//! Look-ups and denials.

use semblance_core::denial::Denial;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{OrganisationId, RequestId};
use semblance_core::limits::{DENIAL_BATCH_MAX, LOOKUP_BATCH_MAX};
use semblance_core::lookup::LookupEntry;
use semblance_core::record::Record;
use semblance_core::time::Day;

use super::{List, PageRequest};

/// The argument of `record_lookups`.
pub type RecordLookups = List<LookupEntry, LOOKUP_BATCH_MAX>;

/// The argument of `record_denials`.
pub type RecordDenials = List<Denial, DENIAL_BATCH_MAX>;

/// The argument of the query `lookup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestArgument(pub RequestId);

impl Record for RequestArgument {
    const NAME: &'static str = "request id";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        RequestId::read(reader).map(Self)
    }
}

/// A page of what one organisation has on a day: organisation, day (u32), page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfOrganisationOnDay {
    /// Whose.
    pub organisation: OrganisationId,
    /// The day.
    pub day: Day,
    /// Which page.
    pub page: PageRequest,
}

impl Record for OfOrganisationOnDay {
    const NAME: &'static str = "page of an organisation's day";

    fn write(&self, writer: &mut Writer) {
        self.organisation.write(writer);
        writer.u32(self.day.number());
        self.page.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let organisation = OrganisationId::read(reader)?;
        let day = Day::from_number(reader.u32("day")?);
        Ok(Self { organisation, day, page: PageRequest::read(reader)? })
    }
}

/// A page of what all organisations have on a day: day (u32), page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfDay {
    /// The day.
    pub day: Day,
    /// Which page.
    pub page: PageRequest,
}

impl Record for OfDay {
    const NAME: &'static str = "page of a day";

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.day.number());
        self.page.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { day: Day::from_number(reader.u32("day")?), page: PageRequest::read(reader)? })
    }
}
