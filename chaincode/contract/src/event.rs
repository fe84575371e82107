//! What followers learn from a transaction: one event, carrying only what took effect.

use semblance_core::case::PublishedCase;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{
    CaseHandle, ChannelId, ClinicianPseudonym, ConsentId, DenialId, IntroductionId, OrganisationId, RequestId,
};
use semblance_core::introduction::Outcome;
use semblance_core::lookup::LookupSlot;
use semblance_core::record::{read_option, write_option};
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;
use semblance_core::token::EpochNumber;

use crate::wire::read_epoch;

/// More items than any event has; the ledger bounds an event's bytes as well.
const ITEMS_MAX: usize = 10_000;

/// A case that was published: handle, hospital, consent, epoch, expiry of the consent, SHA-256 of the private value,
/// handle it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CasePublication {
    /// Its name.
    pub handle: CaseHandle,
    /// Whose it is.
    pub hospital: OrganisationId,
    /// Its consent.
    pub consent: ConsentId,
    /// The epoch of its tokens.
    pub epoch: EpochNumber,
    /// When the consent expires.
    pub expires: Timestamp,
    /// SHA-256 of the private value.
    pub private_hash: [u8; 32],
    /// The handle that is no longer live because of it.
    pub replaces: Option<CaseHandle>,
}

/// A look-up that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedLookup {
    /// Its request.
    pub request: RequestId,
    /// Who asked.
    pub hospital: OrganisationId,
    /// The matcher that searched.
    pub matcher: OrganisationId,
    /// The clinician's weekly pseudonym.
    pub clinician: ClinicianPseudonym,
    /// The slot it took.
    pub slot: LookupSlot,
}

/// A case and its hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedCase {
    /// The case.
    pub handle: CaseHandle,
    /// Whose it is.
    pub hospital: OrganisationId,
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The network exists, with these members.
    NetworkCreated(Vec<OrganisationId>),
    /// A member joined.
    MemberRegistered(OrganisationId),
    /// A member's keys changed.
    KeyRotated(OrganisationId),
    /// An epoch opened.
    EpochOpened(EpochNumber),
    /// An epoch closed.
    EpochClosed(EpochNumber),
    /// This hospital registered patients' keys.
    PatientKeysRegistered(OrganisationId, Vec<VerifyingKey>),
    /// Consents were granted to this hospital.
    ConsentsGranted(OrganisationId, Vec<ConsentId>),
    /// A consent was withdrawn; these cases are no longer live.
    ConsentWithdrawn(ConsentId, Vec<OwnedCase>),
    /// The consents of these cases expired.
    CasesExpired(Vec<OwnedCase>),
    /// Cases were published.
    CasesPublished(Vec<CasePublication>),
    /// The private data of these cases were purged.
    CasesPurged(Vec<OwnedCase>),
    /// Look-ups were recorded.
    LookupsRecorded(Vec<RecordedLookup>),
    /// Denials of this organisation were recorded.
    DenialsRecorded(OrganisationId, Vec<DenialId>),
    /// This hospital proposed an introduction.
    IntroductionProposed(IntroductionId, OrganisationId),
    /// This hospital answered a proposed introduction.
    IntroductionAnswered(IntroductionId, OrganisationId, Outcome),
    /// A channel between the sides of a match was opened, or moved to this hub, with this fence.
    ChannelOpened(ChannelId, OrganisationId, u32),
    /// A symptom group was opened, or opened anew, by this hub, with this fence.
    GroupOpened(ChannelId, OrganisationId, u32),
}

impl Event {
    /// Its name on the ledger.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NetworkCreated(_) => "network-created",
            Self::MemberRegistered(_) => "member-registered",
            Self::KeyRotated(_) => "key-rotated",
            Self::EpochOpened(_) => "epoch-opened",
            Self::EpochClosed(_) => "epoch-closed",
            Self::PatientKeysRegistered(..) => "patient-keys-registered",
            Self::ConsentsGranted(..) => "consents-granted",
            Self::ConsentWithdrawn(..) => "consent-withdrawn",
            Self::CasesExpired(_) => "cases-expired",
            Self::CasesPublished(_) => "cases-published",
            Self::CasesPurged(_) => "cases-purged",
            Self::LookupsRecorded(_) => "lookups-recorded",
            Self::DenialsRecorded(..) => "denials-recorded",
            Self::IntroductionProposed(..) => "introduction-proposed",
            Self::IntroductionAnswered(..) => "introduction-answered",
            Self::ChannelOpened(..) => "channel-opened",
            Self::GroupOpened(..) => "group-opened",
        }
    }

    /// Its bytes on the ledger: a version byte and the fields.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::record(1);
        match self {
            Self::NetworkCreated(members) => write_items(&mut writer, members, OrganisationId::write),
            Self::MemberRegistered(member) | Self::KeyRotated(member) => member.write(&mut writer),
            Self::EpochOpened(epoch) | Self::EpochClosed(epoch) => {
                writer.u32(epoch.0);
            }
            Self::PatientKeysRegistered(hospital, keys) => {
                hospital.write(&mut writer);
                write_items(&mut writer, keys, VerifyingKey::write);
            }
            Self::ConsentsGranted(hospital, consents) => {
                hospital.write(&mut writer);
                write_items(&mut writer, consents, ConsentId::write);
            }
            Self::ConsentWithdrawn(consent, cases) => {
                consent.write(&mut writer);
                write_items(&mut writer, cases, OwnedCase::write);
            }
            Self::CasesExpired(cases) | Self::CasesPurged(cases) => write_items(&mut writer, cases, OwnedCase::write),
            Self::CasesPublished(cases) => write_items(&mut writer, cases, CasePublication::write),
            Self::LookupsRecorded(lookups) => write_items(&mut writer, lookups, RecordedLookup::write),
            Self::DenialsRecorded(organisation, ids) => {
                organisation.write(&mut writer);
                write_items(&mut writer, ids, DenialId::write);
            }
            Self::IntroductionProposed(introduction, proposer) => {
                introduction.write(&mut writer);
                proposer.write(&mut writer);
            }
            Self::IntroductionAnswered(introduction, hospital, outcome) => {
                introduction.write(&mut writer);
                hospital.write(&mut writer);
                outcome.write(&mut writer);
            }
            Self::ChannelOpened(channel, hub, fence) | Self::GroupOpened(channel, hub, fence) => {
                channel.write(&mut writer);
                hub.write(&mut writer);
                writer.u32(*fence);
            }
        }
        writer.finish()
    }

    /// Reads an event; none if a newer contract made its name up.
    ///
    /// # Errors
    /// The payload is not the one of this name.
    pub fn decode(name: &str, payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let (_, mut reader) = Reader::record(payload, "event", 1)?;
        let r = &mut reader;
        let event = match name {
            "network-created" => Self::NetworkCreated(read_items(r, OrganisationId::read)?),
            "member-registered" => Self::MemberRegistered(OrganisationId::read(r)?),
            "key-rotated" => Self::KeyRotated(OrganisationId::read(r)?),
            "epoch-opened" => Self::EpochOpened(read_epoch(r)?),
            "epoch-closed" => Self::EpochClosed(read_epoch(r)?),
            "patient-keys-registered" => {
                let keys = |r: &mut Reader<'_>| VerifyingKey::read(r, "patient key");
                Self::PatientKeysRegistered(OrganisationId::read(r)?, read_items(r, keys)?)
            }
            "consents-granted" => Self::ConsentsGranted(OrganisationId::read(r)?, read_items(r, ConsentId::read)?),
            "consent-withdrawn" => Self::ConsentWithdrawn(ConsentId::read(r)?, read_items(r, OwnedCase::read)?),
            "cases-expired" => Self::CasesExpired(read_items(r, OwnedCase::read)?),
            "cases-published" => Self::CasesPublished(read_items(r, CasePublication::read)?),
            "cases-purged" => Self::CasesPurged(read_items(r, OwnedCase::read)?),
            "lookups-recorded" => Self::LookupsRecorded(read_items(r, RecordedLookup::read)?),
            "denials-recorded" => Self::DenialsRecorded(OrganisationId::read(r)?, read_items(r, DenialId::read)?),
            "introduction-proposed" => Self::IntroductionProposed(IntroductionId::read(r)?, OrganisationId::read(r)?),
            "introduction-answered" => {
                Self::IntroductionAnswered(IntroductionId::read(r)?, OrganisationId::read(r)?, Outcome::read(r)?)
            }
            "channel-opened" => Self::ChannelOpened(ChannelId::read(r)?, OrganisationId::read(r)?, r.u32("fence")?),
            "group-opened" => Self::GroupOpened(ChannelId::read(r)?, OrganisationId::read(r)?, r.u32("fence")?),
            _ => return Ok(None),
        };
        reader.finish()?;
        Ok(Some(event))
    }
}

fn write_items<T>(writer: &mut Writer, items: &[T], write: impl Fn(&T, &mut Writer)) {
    writer.count(items.len());
    for item in items {
        write(item, writer);
    }
}

fn read_items<T>(
    reader: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count("items of an event", ITEMS_MAX)?;
    (0..count).map(|_| read(reader)).collect()
}

impl CasePublication {
    pub(crate) fn of(record: &PublishedCase, replaces: Option<CaseHandle>) -> Self {
        Self {
            handle: record.handle,
            hospital: record.owner.clone(),
            consent: record.consent,
            epoch: record.epoch,
            expires: record.expires,
            private_hash: record.private_hash,
            replaces,
        }
    }
}

impl CasePublication {
    fn write(&self, writer: &mut Writer) {
        self.handle.write(writer);
        self.hospital.write(writer);
        self.consent.write(writer);
        writer.u32(self.epoch.0);
        self.expires.write(writer);
        writer.raw(&self.private_hash);
        write_option(writer, self.replaces.as_ref(), CaseHandle::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            handle: CaseHandle::read(reader)?,
            hospital: OrganisationId::read(reader)?,
            consent: ConsentId::read(reader)?,
            epoch: read_epoch(reader)?,
            expires: Timestamp::read(reader, "expires")?,
            private_hash: reader.array("private hash")?,
            replaces: read_option(reader, "replaces", CaseHandle::read)?,
        })
    }
}

impl RecordedLookup {
    fn write(&self, writer: &mut Writer) {
        self.request.write(writer);
        self.hospital.write(writer);
        self.matcher.write(writer);
        self.clinician.write(writer);
        self.slot.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            request: RequestId::read(reader)?,
            hospital: OrganisationId::read(reader)?,
            matcher: OrganisationId::read(reader)?,
            clinician: ClinicianPseudonym::read(reader)?,
            slot: LookupSlot::read(reader)?,
        })
    }
}

impl OwnedCase {
    fn write(&self, writer: &mut Writer) {
        self.handle.write(writer);
        self.hospital.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { handle: CaseHandle::read(reader)?, hospital: OrganisationId::read(reader)? })
    }
}
