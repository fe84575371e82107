//! Published cases.

use semblance_core::case::{CaseStatus, PublishedCase};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::CaseHandle;
use semblance_core::record::{Record, read_option, write_option};
use semblance_core::time::Timestamp;

/// `case-tombstone/<handle>`: that a case is no longer live, for ever. `case/<handle>` itself holds a [`PublishedCase`]
/// that never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseTombstone {
    /// What became of it: anything but live.
    pub status: CaseStatus,
    /// The time of the proposal that ended it.
    pub at: Timestamp,
}

impl Record for CaseTombstone {
    const NAME: &'static str = "case tombstone";

    fn write(&self, writer: &mut Writer) {
        match self.status {
            CaseStatus::Live => writer.u8(0),
            CaseStatus::Withdrawn => writer.u8(1),
            CaseStatus::Expired => writer.u8(2),
            CaseStatus::Replaced { by } => writer.u8(3).raw(by.as_bytes()),
        };
        self.at.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let status = match reader.u8("reason of the end")? {
            1 => CaseStatus::Withdrawn,
            2 => CaseStatus::Expired,
            3 => CaseStatus::Replaced { by: CaseHandle::read(reader)? },
            _ => return Err(DecodeError::Invalid { what: "reason of the end", why: "not a known reason" }),
        };
        Ok(Self { status, at: Timestamp::read(reader, "end")? })
    }
}

/// `case-purge/<handle>`: that the private data of a case were purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CasePurge {
    /// The time of the first proposal that did.
    pub at: Timestamp,
}

impl Record for CasePurge {
    const NAME: &'static str = "case purge";

    fn write(&self, writer: &mut Writer) {
        self.at.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { at: Timestamp::read(reader, "purge")? })
    }
}

/// A case with what became of it: what queries answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseView {
    /// The case, with its present status.
    pub case: PublishedCase,
    /// The purge of its private data.
    pub purge: Option<CasePurge>,
}

impl Record for CaseView {
    const NAME: &'static str = "case";

    fn write(&self, writer: &mut Writer) {
        self.case.write(writer);
        write_option(writer, self.purge.as_ref(), CasePurge::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { case: PublishedCase::read(reader)?, purge: read_option(reader, "case purge", CasePurge::read)? })
    }
}

/// `live/<consent>/<epoch>` and `published/<hospital>/<commitment>/<epoch>`: the newest handle of a consent, and of a
/// case under whatever consent, in an epoch. Whether that handle is live, its tombstone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The newest handle.
    pub handle: CaseHandle,
    /// Publications of the case in the epoch until then, this one counted.
    pub count: u8,
}

impl Record for Publication {
    const NAME: &'static str = "publication";

    fn write(&self, writer: &mut Writer) {
        self.handle.write(writer);
        writer.u8(self.count);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { handle: CaseHandle::read(reader)?, count: reader.u8("publications")? })
    }
}
