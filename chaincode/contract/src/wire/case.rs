//! Publishing, expiring, purging and reading cases.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{CaseHandle, ConsentId, Digest, OrganisationId};
use semblance_core::limits::{ANSWER_MAX, PAGE_MAX, PUBLISH_BATCH_MAX};
use semblance_core::record::{Record, read_option, write_option};
use semblance_core::token::EpochNumber;

use super::{List, Maybe, PageRequest, read_epoch};

/// The name of the transient field that carries the private values of `publish_cases`: their [`Fingerprints`].
pub const TRANSIENT_FINGERPRINTS: &str = "fingerprints";

/// One case to publish: handle (16), consent (16), epoch (u32), SHA-256 of the private value (32), optional handle it
/// replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishItem {
    /// Its new random name.
    pub handle: CaseHandle,
    /// The consent under which it is published.
    pub consent: ConsentId,
    /// The epoch of its tokens.
    pub epoch: EpochNumber,
    /// SHA-256 of the private value.
    pub private_hash: [u8; 32],
    /// The live handle of this consent and epoch that it corrects.
    pub replaces: Option<CaseHandle>,
}

impl Record for PublishItem {
    const NAME: &'static str = "case to publish";

    fn write(&self, writer: &mut Writer) {
        self.handle.write(writer);
        self.consent.write(writer);
        writer.u32(self.epoch.0);
        writer.raw(&self.private_hash);
        write_option(writer, self.replaces.as_ref(), CaseHandle::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            handle: CaseHandle::read(reader)?,
            consent: ConsentId::read(reader)?,
            epoch: read_epoch(reader)?,
            private_hash: reader.array("private hash")?,
            replaces: read_option(reader, "replaces", CaseHandle::read)?,
        })
    }
}

/// The argument of `publish_cases`: the matcher that endorses beside the hospital, then the items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishCases {
    /// The only other organisation whose peer sees the fingerprints on their way.
    pub matcher: OrganisationId,
    /// The cases.
    pub items: List<PublishItem, PUBLISH_BATCH_MAX>,
}

impl Record for PublishCases {
    const NAME: &'static str = "publish_cases";

    fn write(&self, writer: &mut Writer) {
        self.matcher.write(writer);
        self.items.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { matcher: OrganisationId::read(reader)?, items: List::read(reader)? })
    }
}

/// A private value, not looked into: length and bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque(pub Vec<u8>);

impl Opaque {
    /// Longer than any private value.
    const LIMIT: usize = 1024;
}

impl std::fmt::Debug for Opaque {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Opaque(..)")
    }
}

impl Record for Opaque {
    const NAME: &'static str = "private value";

    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bytes("private value", Self::LIMIT).map(|bytes| Self(bytes.to_vec()))
    }
}

/// The transient field `fingerprints`: one private value for each item, in the items' order.
pub type Fingerprints = List<Opaque, PUBLISH_BATCH_MAX>;

/// A case's handle as an item of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(pub CaseHandle);

impl Record for Handle {
    const NAME: &'static str = "case handle";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        CaseHandle::read(reader).map(Self)
    }
}

/// The argument of `expire` and `purge_case`.
pub type Handles = List<Handle, PUBLISH_BATCH_MAX>;

/// The argument of the query `fingerprints`.
pub type FingerprintsOf = List<Handle, PAGE_MAX>;

/// A consent in an epoch: consent (16), epoch (u32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentInEpoch {
    /// The consent.
    pub consent: ConsentId,
    /// The epoch.
    pub epoch: EpochNumber,
}

impl Record for ConsentInEpoch {
    const NAME: &'static str = "consent in epoch";

    fn write(&self, writer: &mut Writer) {
        self.consent.write(writer);
        writer.u32(self.epoch.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { consent: ConsentId::read(reader)?, epoch: read_epoch(reader)? })
    }
}

/// A page of one organisation's things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfOrganisation {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which page.
    pub page: PageRequest,
}

impl Record for OfOrganisation {
    const NAME: &'static str = "page of an organisation";

    fn write(&self, writer: &mut Writer) {
        self.organisation.write(writer);
        self.page.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { organisation: OrganisationId::read(reader)?, page: PageRequest::read(reader)? })
    }
}

/// A page of one epoch's things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfEpoch {
    /// Which epoch.
    pub epoch: EpochNumber,
    /// Which page.
    pub page: PageRequest,
}

impl Record for OfEpoch {
    const NAME: &'static str = "page of an epoch";

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.epoch.0);
        self.page.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { epoch: read_epoch(reader)?, page: PageRequest::read(reader)? })
    }
}

/// The response of the query `fingerprints`: for each handle its private value, or none.
pub type FingerprintsFound = List<Maybe<Opaque>, PAGE_MAX>;

/// The argument of the query `standing`: hospital, commitment (32) and epoch (u32) of the asker's own case, then the
/// handles of the found ones, at most as many as an answer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingOf {
    /// Who asks.
    pub hospital: OrganisationId,
    /// The commitment of the own case.
    pub case: Digest,
    /// The epoch.
    pub epoch: EpochNumber,
    /// The cases found so far; none before the search.
    pub found: Vec<CaseHandle>,
}

impl Record for StandingOf {
    const NAME: &'static str = "standing of";

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.case.write(writer);
        writer.u32(self.epoch.0);
        write_handles(writer, &self.found);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hospital: OrganisationId::read(reader)?,
            case: Digest::read(reader)?,
            epoch: read_epoch(reader)?,
            found: read_handles(reader)?,
        })
    }
}

/// The response of the query `standing`: the live handle of the asker's own case, and which of the found are live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The asker's own case.
    pub own: CaseHandle,
    /// Those found that are live, in the order asked.
    pub live: Vec<CaseHandle>,
}

impl Record for Standing {
    const NAME: &'static str = "standing";

    fn write(&self, writer: &mut Writer) {
        self.own.write(writer);
        write_handles(writer, &self.live);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { own: CaseHandle::read(reader)?, live: read_handles(reader)? })
    }
}

fn write_handles(writer: &mut Writer, handles: &[CaseHandle]) {
    writer.count(handles.len());
    for handle in handles {
        handle.write(writer);
    }
}

fn read_handles(reader: &mut Reader<'_>) -> Result<Vec<CaseHandle>, DecodeError> {
    (0..reader.count("found cases", ANSWER_MAX)?).map(|_| CaseHandle::read(reader)).collect()
}
