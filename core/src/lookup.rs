//! A look-up: the signed request, and the entry that stands on the ledger before an answer leaves.

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{ClinicianPseudonym, Digest, NetworkId, OrganisationId, RequestId};
use crate::limits::LOOKUP_SLOTS_A_DAY;
use crate::receipt::ReceiptSlots;
use crate::record::Record;
use crate::signature::{SignedBytes, Statement, Unverified};
use crate::time::{Day, Timestamp};
use crate::token::EpochNumber;

coded! {
    /// What a look-up is for; teaching, curiosity and administration are no purposes.
    Purpose, "purpose", {
        /// To find the diagnosis of an undiagnosed patient.
        Diagnosis = 1 "diagnosis",
        /// To ask colleagues with a similar case about this patient's care.
        SecondOpinion = 2 "second-opinion",
        /// To learn how the condition of this patient may go on.
        NaturalHistory = 3 "natural-history",
        /// To see whether a study or group for patients like this one is feasible.
        CohortFeasibility = 4 "cohort-feasibility",
    }
}

/// One of a hospital's look-ups of a day, across all matchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupSlot {
    day: Day,
    number: u16,
}

/// A look-up slot's number is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a day has the look-up slots 0 to {}, not {number}", LOOKUP_SLOTS_A_DAY - 1)]
pub struct LookupSlotError {
    number: u16,
}

impl LookupSlot {
    /// Checks a number, below [`LOOKUP_SLOTS_A_DAY`].
    ///
    /// # Errors
    /// A larger number.
    pub const fn new(day: Day, number: u16) -> Result<Self, LookupSlotError> {
        if number < LOOKUP_SLOTS_A_DAY { Ok(Self { day, number }) } else { Err(LookupSlotError { number }) }
    }

    /// The day, in UTC.
    #[must_use]
    pub const fn day(self) -> Day {
        self.day
    }

    /// The number, from 0.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.number
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// No slot of a day, or too few bytes left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(Day::from_number(reader.u32("slot day")?), reader.u16("slot number")?)
            .map_err(|_| DecodeError::Invalid { what: "slot number", why: "no slot of a day" })
    }

    /// Writes it to a layout.
    pub fn write(self, writer: &mut Writer) {
        writer.u32(self.day.number()).u16(self.number);
    }
}

/// What a hospital's node signs to look up cases similar to one of its own published ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupRequest {
    /// The network.
    pub network: NetworkId,
    /// Random; the key by which replays are recognised.
    pub request: RequestId,
    /// Who asks, and signs.
    pub hospital: OrganisationId,
    /// Who asks there, under a pseudonym that changes weekly.
    pub clinician: ClinicianPseudonym,
    /// What for.
    pub purpose: Purpose,
    /// The commitment of the own published case it is made from.
    pub case: Digest,
    /// The epoch of the query's tokens, in which that case is published.
    pub epoch: EpochNumber,
    /// The salted commitment to the query.
    pub query: Digest,
    /// Whether the case has fewer terms than a wide query needs.
    pub short: bool,
    /// The slot it takes.
    pub slot: LookupSlot,
    /// Who may answer.
    pub matcher: OrganisationId,
    /// Until when it may be recorded, inclusive.
    pub expires: Timestamp,
    /// The block that the matcher's index must have reached.
    pub minimum_height: u64,
}

impl Statement for LookupRequest {
    const DOMAIN: &'static str = domain::LOOKUP_REQUEST;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.request.write(writer);
        self.hospital.write(writer);
        self.clinician.write(writer);
        self.purpose.write(writer);
        self.case.write(writer);
        writer.u32(self.epoch.0);
        self.query.write(writer);
        writer.bool(self.short);
        self.slot.write(writer);
        self.matcher.write(writer);
        self.expires.write(writer);
        writer.u64(self.minimum_height);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            request: RequestId::read(reader)?,
            hospital: OrganisationId::read(reader)?,
            clinician: ClinicianPseudonym::read(reader)?,
            purpose: Purpose::read(reader)?,
            case: Digest::read(reader)?,
            epoch: EpochNumber(reader.u32("epoch")?),
            query: Digest::read(reader)?,
            short: reader.bool("short")?,
            slot: LookupSlot::read(reader)?,
            matcher: OrganisationId::read(reader)?,
            expires: Timestamp::read(reader, "expires")?,
            minimum_height: reader.u64("minimum height")?,
        })
    }
}

/// What the ledger keeps of a look-up, and the item of `record_lookups`. Nothing in it is verified by decoding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupEntry {
    /// The exact request and the hospital's signature.
    pub request: SignedBytes,
    /// The block that the answer's index had reached.
    pub index_height: u64,
    /// The salted commitment to the answer.
    pub answer: Digest,
    /// The ten receipt slots.
    pub slots: ReceiptSlots,
}

impl LookupEntry {
    /// Decodes the request, not looking at its signature yet.
    ///
    /// # Errors
    /// Not the exact bytes of a request of this network.
    pub fn claim(&self, network: NetworkId) -> Result<Unverified<LookupRequest>, DecodeError> {
        self.request.clone().claim(network)
    }
}

impl Record for LookupEntry {
    const NAME: &'static str = "look-up entry";

    fn write(&self, writer: &mut Writer) {
        self.request.write(writer);
        writer.u64(self.index_height);
        self.answer.write(writer);
        self.slots.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            request: SignedBytes::read(reader)?,
            index_height: reader.u64("index height")?,
            answer: Digest::read(reader)?,
            slots: ReceiptSlots::read(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededSource;
    use crate::receipt::seal_receipts;
    use crate::record::assert_strict;
    use crate::signature::SigningKey;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn request() -> LookupRequest {
        LookupRequest {
            network: NETWORK,
            request: RequestId::from_bytes([1; 16]),
            hospital: OrganisationId::new("north").unwrap(),
            clinician: ClinicianPseudonym::from_bytes([2; 32]),
            purpose: Purpose::Diagnosis,
            case: Digest::from_bytes([3; 32]),
            epoch: EpochNumber(1),
            query: Digest::from_bytes([4; 32]),
            short: false,
            slot: LookupSlot::new(Day::from_number(20_000), 299).unwrap(),
            matcher: OrganisationId::new("matcher").unwrap(),
            expires: Timestamp::from_millis(1_728_000_600_000),
            minimum_height: 12,
        }
    }

    #[test]
    fn slots_end_with_the_day() {
        assert!(LookupSlot::new(Day::from_number(1), LOOKUP_SLOTS_A_DAY).is_err());
        let mut beyond = request();
        beyond.slot.number = LOOKUP_SLOTS_A_DAY;
        assert!(LookupRequest::decode(&beyond.encode(), NETWORK).is_err());
    }

    #[test]
    fn an_entry_stays_small_and_its_request_verifies() {
        let key = SigningKey::from_seed(&[1; 32]);
        let (_, source) = request().sign(&key).into_parts();
        let slots = seal_receipts(NETWORK, &source.digest(), &[], &SeededSource::new([0; 32])).unwrap().slots;
        let entry = LookupEntry { request: source, index_height: 12, answer: Digest::from_bytes([5; 32]), slots };
        let bytes = Record::encode(&entry);
        assert!(bytes.len() < 1500, "{} bytes", bytes.len());
        assert_strict(&bytes, LookupEntry::decode, Record::encode);
        let signed = entry.claim(NETWORK).unwrap().verify(&key.verifying_key()).unwrap();
        assert_eq!(signed.statement(), &request());
    }

    #[test]
    fn the_decoder_is_strict() {
        assert_strict(&request().encode(), |bytes| LookupRequest::decode(bytes, NETWORK), Statement::encode);
    }
}
