//! Introductions: a hospital asks the hospital of a matching case for contact, and that one accepts or declines.
//!
//! The ledger sees that an introduction was proposed on a look-up and whether somebody accepted it; which case it is
//! about, which consents it rests on and who shall talk is sealed to the other side.

mod note;

pub use note::{AnswerNote, Evidence, NoteError, ProposalNote, SEALED_NOTE_BYTES, SealedNote};

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{ConsentId, Digest, IntroductionId, NetworkId, OrganisationId, RequestId};
use crate::limits::ANSWER_MAX;
use crate::signature::Statement;
use crate::time::Timestamp;

coded! {
    /// On which side of a look-up a proposer stands.
    Side, "side", {
        /// It asked, and the other side's case was shown to it.
        Asker = 1 "asker",
        /// Its case was found, and it opened the receipt.
        Found = 2 "found",
    }
}

coded! {
    /// What became of a proposed introduction.
    Outcome, "outcome", {
        /// The other side agrees to talk.
        Accepted = 1 "accepted",
        /// It does not.
        Declined = 2 "declined",
    }
}

coded! {
    /// Why contact is asked for.
    Reason, "reason", {
        /// To compare the two cases.
        Compare = 1 "compare-cases",
        /// To ask about the course or the treatment.
        Care = 2 "care",
        /// The families wish to know each other.
        Families = 3 "families",
        /// To plan a study.
        Study = 4 "study",
    }
}

coded! {
    /// Why an introduction is declined.
    DeclineReason, "decline reason", {
        /// The cases are not alike enough.
        NotSimilar = 1 "not-similar",
        /// The patient does not wish it.
        PatientDeclined = 2 "patient-declined",
        /// The consent does not allow contact, or has ended.
        NoConsent = 3 "no-consent",
        /// Another reason, not told.
        Other = 4 "other",
    }
}

/// Who of a side takes part: its clinicians, its patient, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parties {
    /// The clinicians who look after the case.
    pub clinicians: bool,
    /// The patient, or whoever acts for them.
    pub patient: bool,
}

impl Parties {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("parties")? {
            bits @ 1..=3 => Ok(Self { clinicians: bits & 1 != 0, patient: bits & 2 != 0 }),
            _ => Err(DecodeError::Invalid { what: "parties", why: "nobody, or somebody unknown" }),
        }
    }

    fn write(self, writer: &mut Writer) {
        writer.u8(u8::from(self.clinicians) | u8::from(self.patient) << 1);
    }
}

/// A consent, and the salt of the commitment to it on the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConsentOpening {
    /// The consent.
    pub consent: ConsentId,
    /// Random; without it the commitment confirms no guess.
    pub salt: [u8; 32],
}

impl ConsentOpening {
    /// The commitment: BLAKE3 keyed with the salt over the statement `semblance/consent-commitment` version 1
    /// (network), consent.
    #[must_use]
    pub fn commitment(&self, network: NetworkId) -> Digest {
        let mut writer = Writer::statement(domain::CONSENT_COMMITMENT, 1, network);
        self.consent.write(&mut writer);
        keyed(&self.salt, &writer.finish())
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { consent: ConsentId::read(reader)?, salt: reader.array("consent salt")? })
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        self.consent.write(writer);
        writer.raw(&self.salt);
    }
}

/// The commitment to whom an introduction is proposed: BLAKE3 keyed with the salt over the statement
/// `semblance/introduction-recipient` version 1 (network), introduction, organisation.
#[must_use]
pub fn recipient_commitment(
    salt: &[u8; 32],
    network: NetworkId,
    introduction: IntroductionId,
    recipient: &OrganisationId,
) -> Digest {
    let mut writer = Writer::statement(domain::INTRODUCTION_RECIPIENT, 1, network);
    introduction.write(&mut writer);
    recipient.write(&mut writer);
    keyed(salt, &writer.finish())
}

pub(crate) fn keyed(salt: &[u8; 32], bytes: &[u8]) -> Digest {
    Digest::from_bytes(*blake3::keyed_hash(salt, bytes).as_bytes())
}

/// What a hospital's node signs to ask for contact on a match or an opened receipt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IntroductionProposal {
    /// The network.
    pub network: NetworkId,
    /// Its random name.
    pub introduction: IntroductionId,
    /// The look-up in which the two cases met.
    pub lookup: RequestId,
    /// Who proposes, and signs.
    pub proposer: OrganisationId,
    /// On which side it stands.
    pub side: Side,
    /// One of the ten that a side may propose on one look-up, from 0.
    pub number: u8,
    /// [`recipient_commitment`] of the other hospital.
    pub recipient: Digest,
    /// Until when it may be answered, inclusive.
    pub expires: Timestamp,
    /// A [`ProposalNote`] sealed to the other hospital.
    pub note: SealedNote,
}

impl Statement for IntroductionProposal {
    const DOMAIN: &'static str = domain::INTRODUCTION;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.introduction.write(writer);
        self.lookup.write(writer);
        self.proposer.write(writer);
        self.side.write(writer);
        writer.u8(self.number);
        self.recipient.write(writer);
        self.expires.write(writer);
        writer.raw(self.note.as_bytes());
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            introduction: IntroductionId::read(reader)?,
            lookup: RequestId::read(reader)?,
            proposer: OrganisationId::read(reader)?,
            side: Side::read(reader)?,
            number: match reader.u8("number")? {
                number if usize::from(number) < ANSWER_MAX => number,
                _ => return Err(DecodeError::Invalid { what: "number", why: "a side proposes at most ten" }),
            },
            recipient: Digest::read(reader)?,
            expires: Timestamp::read(reader, "expires")?,
            note: SealedNote::read(reader)?,
        })
    }
}

/// What the other hospital's node signs in answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IntroductionAnswer {
    /// The network.
    pub network: NetworkId,
    /// What is answered.
    pub introduction: IntroductionId,
    /// Who answers, and signs.
    pub hospital: OrganisationId,
    /// Opens the proposal's commitment to the recipient.
    pub salt: [u8; 32],
    /// Yes or no.
    pub outcome: Outcome,
    /// When, by the signer's clock.
    pub time: Timestamp,
    /// An [`AnswerNote`] sealed to the proposer.
    pub note: SealedNote,
}

impl Statement for IntroductionAnswer {
    const DOMAIN: &'static str = domain::INTRODUCTION_ANSWER;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.introduction.write(writer);
        self.hospital.write(writer);
        writer.raw(&self.salt);
        self.outcome.write(writer);
        self.time.write(writer);
        writer.raw(self.note.as_bytes());
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            introduction: IntroductionId::read(reader)?,
            hospital: OrganisationId::read(reader)?,
            salt: reader.array("salt")?,
            outcome: Outcome::read(reader)?,
            time: Timestamp::read(reader, "time")?,
            note: SealedNote::read(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    #[test]
    fn the_decoders_are_strict() {
        let proposal = IntroductionProposal {
            network: NETWORK,
            introduction: IntroductionId::from_bytes([1; 16]),
            lookup: RequestId::from_bytes([2; 16]),
            proposer: OrganisationId::new("north").unwrap(),
            side: Side::Asker,
            number: 9,
            recipient: Digest::from_bytes([3; 32]),
            expires: Timestamp::from_millis(5),
            note: SealedNote::from_bytes([4; SEALED_NOTE_BYTES]),
        };
        assert_strict(&proposal.encode(), |bytes| IntroductionProposal::decode(bytes, NETWORK), Statement::encode);
        let eleventh = IntroductionProposal { number: 10, ..proposal.clone() };
        assert!(IntroductionProposal::decode(&eleventh.encode(), NETWORK).is_err());
        let answer = IntroductionAnswer {
            network: NETWORK,
            introduction: proposal.introduction,
            hospital: OrganisationId::new("south").unwrap(),
            salt: [5; 32],
            outcome: Outcome::Accepted,
            time: Timestamp::from_millis(6),
            note: proposal.note,
        };
        assert_strict(&answer.encode(), |bytes| IntroductionAnswer::decode(bytes, NETWORK), Statement::encode);
    }

    #[test]
    fn commitments_speak_of_one_thing() {
        let opening =
            |consent, salt| ConsentOpening { consent: ConsentId::from_bytes([consent; 16]), salt: [salt; 32] };
        let base = opening(1, 1).commitment(NETWORK);
        assert_eq!(base, opening(1, 1).commitment(NETWORK));
        for other in [opening(2, 1), opening(1, 2)] {
            assert_ne!(base, other.commitment(NETWORK));
        }
        let recipient = |id, name| {
            let id = IntroductionId::from_bytes([id; 16]);
            recipient_commitment(&[1; 32], NETWORK, id, &OrganisationId::new(name).unwrap())
        };
        assert!(recipient(1, "north") != recipient(2, "north") && recipient(1, "north") != recipient(1, "south"));
    }
}
