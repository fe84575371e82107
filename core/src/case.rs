//! A hospital's case, as far as others may know of it.

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{CaseHandle, ConsentId, Digest, NetworkId, OrganisationId};
use crate::record::Record;
use crate::time::Timestamp;
use crate::token::EpochNumber;

/// The salted commitment to a local case: BLAKE3 keyed with the salt over the statement `semblance/case-commitment`
/// version 1 (network), hospital, local case id.
///
/// The salt is drawn once for a case, with its first key, and stays at the hospital: whoever knows it and the local id
/// can show that consents, published case and look-ups speak of one case, and nobody else can guess the id.
#[must_use]
pub fn case_commitment(salt: &[u8; 32], network: NetworkId, hospital: &OrganisationId, local_id: &str) -> Digest {
    let mut writer = Writer::statement(domain::CASE_COMMITMENT, 1, network);
    hospital.write(&mut writer);
    writer.text(local_id);
    Digest::from_bytes(*blake3::keyed_hash(salt, &writer.finish()).as_bytes())
}

/// Whether a published case can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaseStatus {
    /// It can.
    Live,
    /// Its consent was withdrawn.
    Withdrawn,
    /// Its consent has expired.
    Expired,
    /// It was corrected: another handle has taken its place.
    Replaced {
        /// That handle.
        by: CaseHandle,
    },
}

/// The public record of a published case, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublishedCase {
    /// Its public name.
    pub handle: CaseHandle,
    /// The hospital that published it.
    pub owner: OrganisationId,
    /// The consent it was published under.
    pub consent: ConsentId,
    /// The epoch of its tokens.
    pub epoch: EpochNumber,
    /// SHA-256 of the private value, as Fabric hashes private data.
    pub private_hash: [u8; 32],
    /// [`case_commitment`] of the case.
    pub commitment: Digest,
    /// When it was published.
    pub published: Timestamp,
    /// When its consent expires.
    pub expires: Timestamp,
    /// Whether it can be found.
    pub status: CaseStatus,
}

impl PublishedCase {
    /// Whether it can be found at this moment: live, and its consent not expired.
    #[must_use]
    pub fn is_live_at(&self, moment: Timestamp) -> bool {
        self.status == CaseStatus::Live && moment < self.expires
    }
}

impl Record for PublishedCase {
    const NAME: &'static str = "published case";

    fn write(&self, writer: &mut Writer) {
        self.handle.write(writer);
        self.owner.write(writer);
        self.consent.write(writer);
        writer.u32(self.epoch.0).raw(&self.private_hash);
        self.commitment.write(writer);
        self.published.write(writer);
        self.expires.write(writer);
        match self.status {
            CaseStatus::Live => writer.u8(1),
            CaseStatus::Withdrawn => writer.u8(2),
            CaseStatus::Expired => writer.u8(3),
            CaseStatus::Replaced { by } => writer.u8(4).raw(by.as_bytes()),
        };
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            handle: CaseHandle::read(reader)?,
            owner: OrganisationId::read(reader)?,
            consent: ConsentId::read(reader)?,
            epoch: EpochNumber(reader.u32("epoch")?),
            private_hash: reader.array("private hash")?,
            commitment: Digest::read(reader)?,
            published: Timestamp::read(reader, "published")?,
            expires: Timestamp::read(reader, "expires")?,
            status: match reader.u8("status")? {
                1 => CaseStatus::Live,
                2 => CaseStatus::Withdrawn,
                3 => CaseStatus::Expired,
                4 => CaseStatus::Replaced { by: CaseHandle::read(reader)? },
                _ => return Err(DecodeError::Invalid { what: "status", why: "unknown code" }),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;

    fn published(status: CaseStatus) -> PublishedCase {
        PublishedCase {
            handle: CaseHandle::from_bytes([1; 16]),
            owner: OrganisationId::new("north").unwrap(),
            consent: ConsentId::from_bytes([2; 16]),
            epoch: EpochNumber(1),
            private_hash: [3; 32],
            commitment: Digest::from_bytes([4; 32]),
            published: Timestamp::from_millis(10),
            expires: Timestamp::from_millis(20),
            status,
        }
    }

    #[test]
    fn only_live_cases_can_be_found() {
        let replaced = CaseStatus::Replaced { by: CaseHandle::from_bytes([9; 16]) };
        for status in [CaseStatus::Live, CaseStatus::Withdrawn, CaseStatus::Expired, replaced] {
            let case = published(status);
            assert_eq!(case.is_live_at(Timestamp::from_millis(19)), status == CaseStatus::Live);
            assert!(!case.is_live_at(Timestamp::from_millis(20)));
            assert_strict(&case.encode(), PublishedCase::decode, Record::encode);
        }
    }

    #[test]
    fn every_part_counts() {
        let commit = |salt, network, hospital: &str, id: &str| {
            let hospital = OrganisationId::new(hospital).unwrap();
            case_commitment(&[salt; 32], NetworkId::from_bytes([network; 16]), &hospital, id)
        };
        let base = commit(1, 1, "north", "4711");
        assert_eq!(base, commit(1, 1, "north", "4711"));
        let others = [commit(2, 1, "north", "4711"), commit(1, 2, "north", "4711"), commit(1, 1, "south", "4711")];
        assert!(others.iter().all(|other| *other != base) && base != commit(1, 1, "north", "4712"));
    }
}
