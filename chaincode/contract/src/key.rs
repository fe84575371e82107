//! Every key of the ledger's public state, one fact each; prefixes beside the keys they cover.
//!
//! Numbers are padded so that the order of bytes is the order of numbers; ids are hexadecimal. A prefix ends in `/`,
//! so that no key of one family lies in the range of another.

use semblance_core::id::{
    CaseHandle, ChannelId, ConsentId, DenialId, Digest, IntroductionId, OrganisationId, RequestId,
};
use semblance_core::lookup::LookupSlot;
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Day;
use semblance_core::token::EpochNumber;

/// The network's own record.
pub const NETWORK: &str = "network";
/// All members.
pub const ORGANISATIONS: &str = "organisation/";
/// All epochs.
pub const EPOCHS: &str = "epoch/";
/// All published cases, live or not.
pub const CASES: &str = "case/";
/// All channels, symptom groups too.
pub const CHANNELS: &str = "channel/";

/// A member.
#[must_use]
pub fn organisation(id: &OrganisationId) -> String {
    format!("{ORGANISATIONS}{id}")
}

/// One rotation of a member's keys, for those who verify old signatures.
#[must_use]
pub fn rotation(id: &OrganisationId, sequence: u32) -> String {
    format!("{}{sequence:010}", rotations(id))
}

/// All rotations of a member's keys.
#[must_use]
pub fn rotations(id: &OrganisationId) -> String {
    format!("rotation/{id}/")
}

/// An epoch.
#[must_use]
pub fn epoch(number: EpochNumber) -> String {
    format!("{EPOCHS}{:010}", number.0)
}

/// The epoch's key, sealed to a hospital.
#[must_use]
pub fn epoch_key(number: EpochNumber, hospital: &OrganisationId) -> String {
    format!("epoch-key/{:010}/{hospital}", number.0)
}

/// A patient's key, registered by a hospital.
#[must_use]
pub fn patient_key(hospital: &OrganisationId, key: &VerifyingKey) -> String {
    format!("patient-key/{hospital}/{key}")
}

/// The key that took a patient's key's place.
#[must_use]
pub fn patient_key_successor(hospital: &OrganisationId, key: &VerifyingKey) -> String {
    format!("patient-key-successor/{hospital}/{key}")
}

/// A consent.
#[must_use]
pub fn consent(id: ConsentId) -> String {
    format!("consent/{id}")
}

/// That a consent was withdrawn; any member may write it, once.
#[must_use]
pub fn consent_tombstone(id: ConsentId) -> String {
    format!("consent-tombstone/{id}")
}

/// The newest consent of the case for which a patient's key speaks.
#[must_use]
pub fn patient_consent(hospital: &OrganisationId, key: &VerifyingKey) -> String {
    format!("patient-consent/{hospital}/{key}")
}

/// A published case.
#[must_use]
pub fn case(handle: CaseHandle) -> String {
    format!("{CASES}{handle}")
}

/// That a case is withdrawn, expired or replaced; any member may write it, once.
#[must_use]
pub fn case_tombstone(handle: CaseHandle) -> String {
    format!("case-tombstone/{handle}")
}

/// That a case's private data were purged.
#[must_use]
pub fn case_purge(handle: CaseHandle) -> String {
    format!("case-purge/{handle}")
}

/// The newest handle of a consent in an epoch.
#[must_use]
pub fn live(consent: ConsentId, epoch: EpochNumber) -> String {
    format!("{}{:010}", live_of_consent(consent), epoch.0)
}

/// The newest handles of a consent in all epochs.
#[must_use]
pub fn live_of_consent(consent: ConsentId) -> String {
    format!("live/{consent}/")
}

/// The newest handle of a hospital's case, by its commitment, in an epoch, whatever the consent.
#[must_use]
pub fn published(hospital: &OrganisationId, commitment: Digest, epoch: EpochNumber) -> String {
    format!("{}{commitment}/{:010}", published_by(hospital), epoch.0)
}

/// The newest handles of all of a hospital's cases.
#[must_use]
pub fn published_by(hospital: &OrganisationId) -> String {
    format!("published/{hospital}/")
}

/// The entry of a look-up.
#[must_use]
pub fn lookup(request: RequestId) -> String {
    format!("lookup/{request}")
}

/// One of a hospital's look-up slots on a day.
#[must_use]
pub fn lookup_slot(hospital: &OrganisationId, slot: LookupSlot) -> String {
    format!("{}{:03}", lookup_slots(hospital, slot.day()), slot.number())
}

/// A hospital's look-up slots on a day.
#[must_use]
pub fn lookup_slots(hospital: &OrganisationId, day: Day) -> String {
    format!("lookup-slot/{hospital}/{:010}/", day.number())
}

/// A denial.
#[must_use]
pub fn denial(organisation: &OrganisationId, day: Day, id: DenialId) -> String {
    format!("{}{id}", denials_on(organisation, day))
}

/// An organisation's denials on a day.
#[must_use]
pub fn denials_on(organisation: &OrganisationId, day: Day) -> String {
    format!("denial/{organisation}/{:010}/", day.number())
}

/// A proposed introduction.
#[must_use]
pub fn introduction(id: IntroductionId) -> String {
    format!("introduction/{id}")
}

/// One of the introductions that a hospital proposed on a look-up.
#[must_use]
pub fn introduction_of(lookup: RequestId, proposer: &OrganisationId, number: u8) -> String {
    format!("{}{proposer}/{number:03}", introductions_of(lookup))
}

/// All introductions that were proposed on a look-up.
#[must_use]
pub fn introductions_of(lookup: RequestId) -> String {
    format!("introduction-of/{lookup}/")
}

/// The answer to an introduction.
#[must_use]
pub fn introduction_answer(id: IntroductionId) -> String {
    format!("introduction-answer/{id}")
}

/// The channel that was opened on an introduction.
#[must_use]
pub fn introduction_channel(id: IntroductionId) -> String {
    format!("introduction-channel/{id}")
}

/// A channel.
#[must_use]
pub fn channel(id: ChannelId) -> String {
    format!("{CHANNELS}{id}")
}

/// What a symptom group is about, sealed to a hospital.
#[must_use]
pub fn group_topic(group: ChannelId, hospital: &OrganisationId) -> String {
    format!("group-topic/{group}/{hospital}")
}

/// The first key after all keys of a prefix.
#[must_use]
pub fn end(prefix: &str) -> String {
    // Every prefix ends in '/', whose successor in ASCII is '0'.
    let mut end = prefix.trim_end_matches('/').to_owned();
    end.push('0');
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_numbers_do() {
        let hospital = OrganisationId::new("north").unwrap();
        let slot = |day, number| lookup_slot(&hospital, LookupSlot::new(Day::from_number(day), number).unwrap());
        assert_eq!(slot(20_000, 7), "lookup-slot/north/0000020000/007");
        assert!(slot(20_000, 7) < slot(20_000, 10) && slot(20_000, 299) < slot(20_001, 0));
        assert!(epoch(EpochNumber(9)) < epoch(EpochNumber(10)));
    }

    #[test]
    fn a_prefix_covers_its_keys_and_no_others() {
        let (north, northeast) = (OrganisationId::new("north").unwrap(), OrganisationId::new("north-east").unwrap());
        let prefix = published_by(&north);
        let inside = |key: &str| key >= prefix.as_str() && key < end(&prefix).as_str();
        assert!(inside(&published(&north, Digest::of(b"a"), EpochNumber(u32::MAX))));
        assert!(!inside(&published(&northeast, Digest::of(b"a"), EpochNumber(1))));
        let lookup = RequestId::from_bytes([1; 16]);
        let prefix = introductions_of(lookup);
        let inside = |key: &str| key >= prefix.as_str() && key < end(&prefix).as_str();
        assert!(inside(&introduction_of(lookup, &northeast, 9)));
        assert!(!inside(&introduction_of(RequestId::from_bytes([2; 16]), &north, 0)));
        let epochs = |key: &str| key >= EPOCHS && key < end(EPOCHS).as_str();
        assert!(epochs(&epoch(EpochNumber(1))) && !epochs(&epoch_key(EpochNumber(1), &north)));
    }
}
