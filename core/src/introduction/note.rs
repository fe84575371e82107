//! What an introduction says to the other hospital alone: notes of one size, sealed with HPKE.

use std::fmt;

use zeroize::Zeroizing;

use super::{ConsentOpening, DeclineReason, Outcome, Parties, Reason};
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{CaseHandle, IntroductionId, NetworkId};
use crate::receipt::{SlotIndex, SlotKey};
use crate::sealing::{SEALING_OVERHEAD, SealingError, SealingPublicKey, SealingSecret};

const NOTE_BYTES: usize = 160;
/// Bytes of a sealed note.
pub const SEALED_NOTE_BYTES: usize = NOTE_BYTES + SEALING_OVERHEAD;

/// A note that only its recipient reads.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedNote([u8; SEALED_NOTE_BYTES]);

/// Why a note could not be sealed or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It does not open or cannot be sealed.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// It opens, and is not in its form.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

impl SealedNote {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SEALED_NOTE_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SEALED_NOTE_BYTES] {
        &self.0
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array("sealed note").map(Self)
    }

    fn seal(
        info: &[u8],
        recipient: &SealingPublicKey,
        note: &[u8],
        randomness: &[u8; 32],
    ) -> Result<Self, SealingError> {
        let sealed = recipient.seal(info, &[], note, randomness)?;
        sealed.try_into().map(Self).map_err(|_| SealingError::Seal)
    }
}

impl fmt::Debug for SealedNote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealedNote(..)")
    }
}

/// What shows that two cases met in a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The asker knows what the found case's receipt was sealed with.
    Match(SlotKey),
    /// The found hospital opened the receipt in this slot.
    Receipt(SlotIndex),
}

/// What the proposer tells the other hospital; debug output does not show the salts.
#[derive(Clone, PartialEq, Eq)]
pub struct ProposalNote {
    /// Opens the proposal's commitment to the recipient.
    pub salt: [u8; 32],
    /// That the cases met.
    pub evidence: Evidence,
    /// The found case.
    pub handle: CaseHandle,
    /// The consent of the proposer's own case.
    pub consent: ConsentOpening,
    /// Who takes part on the proposer's side.
    pub parties: Parties,
    /// Why contact is asked for.
    pub reason: Reason,
}

impl ProposalNote {
    /// Seals it to the other hospital. `randomness` is fresh for every note.
    ///
    /// # Errors
    /// The hospital's key cannot be sealed to.
    pub fn seal(
        &self,
        network: NetworkId,
        introduction: IntroductionId,
        recipient: &SealingPublicKey,
        randomness: &[u8; 32],
    ) -> Result<SealedNote, SealingError> {
        let info = info(domain::INTRODUCTION_NOTE, network, introduction);
        SealedNote::seal(&info, recipient, &self.encode(), randomness)
    }

    /// Opens a note.
    ///
    /// # Errors
    /// It is not sealed to this secret for this introduction, or not in its form.
    pub fn open(
        note: &SealedNote,
        network: NetworkId,
        introduction: IntroductionId,
        secret: &SealingSecret,
    ) -> Result<Self, NoteError> {
        let plain = secret.open(&info(domain::INTRODUCTION_NOTE, network, introduction), &[], &note.0)?;
        Ok(Self::decode(&plain)?)
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::record(1);
        writer.raw(&self.salt);
        match &self.evidence {
            Evidence::Match(key) => key.write(writer.u8(1)),
            Evidence::Receipt(slot) => {
                writer.u8(2).u8(slot.get());
            }
        }
        self.handle.write(&mut writer);
        self.consent.write(&mut writer);
        self.parties.write(&mut writer);
        self.reason.write(&mut writer);
        Zeroizing::new(writer.pad_to(NOTE_BYTES).finish())
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "introduction note", 1)?;
        let note = Self {
            salt: reader.array("salt")?,
            evidence: match reader.u8("evidence")? {
                1 => Evidence::Match(SlotKey::read(&mut reader)?),
                2 => SlotIndex::new(reader.u8("receipt slot")?)
                    .map(Evidence::Receipt)
                    .ok_or(DecodeError::Invalid { what: "receipt slot", why: "there are ten" })?,
                _ => return Err(DecodeError::Invalid { what: "evidence", why: "unknown code" }),
            },
            handle: CaseHandle::read(&mut reader)?,
            consent: ConsentOpening::read(&mut reader)?,
            parties: Parties::read(&mut reader)?,
            reason: Reason::read(&mut reader)?,
        };
        reader.finish_padded(NOTE_BYTES).map(|()| note)
    }
}

impl fmt::Debug for ProposalNote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProposalNote").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// What the answering hospital tells the proposer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerNote {
    /// It agrees.
    Accepted {
        /// The consent of its own case.
        consent: ConsentOpening,
        /// Who takes part on its side.
        parties: Parties,
    },
    /// It does not.
    Declined(DeclineReason),
}

impl AnswerNote {
    /// The outcome that stands in the open beside it.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Accepted { .. } => Outcome::Accepted,
            Self::Declined(_) => Outcome::Declined,
        }
    }

    /// Seals it to the proposer. `randomness` is fresh for every note.
    ///
    /// # Errors
    /// The proposer's key cannot be sealed to.
    pub fn seal(
        &self,
        network: NetworkId,
        introduction: IntroductionId,
        proposer: &SealingPublicKey,
        randomness: &[u8; 32],
    ) -> Result<SealedNote, SealingError> {
        let info = info(domain::INTRODUCTION_ANSWER_NOTE, network, introduction);
        SealedNote::seal(&info, proposer, &self.encode(), randomness)
    }

    /// Opens a note.
    ///
    /// # Errors
    /// It is not sealed to this secret for this introduction, or not in its form.
    pub fn open(
        note: &SealedNote,
        network: NetworkId,
        introduction: IntroductionId,
        secret: &SealingSecret,
    ) -> Result<Self, NoteError> {
        let plain = secret.open(&info(domain::INTRODUCTION_ANSWER_NOTE, network, introduction), &[], &note.0)?;
        Ok(Self::decode(&plain)?)
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::record(1);
        self.outcome().write(&mut writer);
        match self {
            Self::Accepted { consent, parties } => {
                consent.write(&mut writer);
                parties.write(&mut writer);
            }
            Self::Declined(reason) => reason.write(&mut writer),
        }
        Zeroizing::new(writer.pad_to(NOTE_BYTES).finish())
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "introduction answer note", 1)?;
        let note = match Outcome::read(&mut reader)? {
            Outcome::Accepted => {
                let consent = ConsentOpening::read(&mut reader)?;
                Self::Accepted { consent, parties: Parties::read(&mut reader)? }
            }
            Outcome::Declined => Self::Declined(DeclineReason::read(&mut reader)?),
        };
        reader.finish_padded(NOTE_BYTES).map(|()| note)
    }
}

/// The info of a note's HPKE message: the statement with this tag, version 1 (network), the introduction.
fn info(tag: &'static str, network: NetworkId, introduction: IntroductionId) -> Vec<u8> {
    let mut writer = Writer::statement(tag, 1, network);
    introduction.write(&mut writer);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ConsentId;
    use crate::receipt::SlotSeed;
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);
    const INTRODUCTION: IntroductionId = IntroductionId::from_bytes([1; 16]);

    fn consent() -> ConsentOpening {
        ConsentOpening { consent: ConsentId::from_bytes([2; 16]), salt: [3; 32] }
    }

    fn note(evidence: Evidence) -> ProposalNote {
        ProposalNote {
            salt: [4; 32],
            evidence,
            handle: CaseHandle::from_bytes([5; 16]),
            consent: consent(),
            parties: Parties { clinicians: true, patient: true },
            reason: Reason::Compare,
        }
    }

    fn evidence() -> [Evidence; 2] {
        let slot = SlotIndex::new(3).unwrap();
        [Evidence::Match(SlotKey { slot, seed: SlotSeed::from_bytes([6; 32]) }), Evidence::Receipt(slot)]
    }

    #[test]
    fn notes_are_of_one_size_and_strict() {
        for note in evidence().map(note) {
            assert_eq!(note.encode().len(), NOTE_BYTES);
            assert_strict(&note.encode(), ProposalNote::decode, |note| note.encode().to_vec());
        }
        let accepted =
            AnswerNote::Accepted { consent: consent(), parties: Parties { clinicians: true, patient: false } };
        for note in [accepted, AnswerNote::Declined(DeclineReason::Other)] {
            assert_eq!(note.encode().len(), NOTE_BYTES);
            assert_strict(&note.encode(), AnswerNote::decode, |note| note.encode().to_vec());
        }
    }

    #[test]
    fn a_note_opens_for_its_introduction_alone() {
        let secret = SealingSecret::from_bytes([9; 32]).unwrap();
        let [evidence, _] = evidence();
        let sealed = note(evidence.clone()).seal(NETWORK, INTRODUCTION, secret.public(), &[8; 32]).unwrap();
        assert_eq!(ProposalNote::open(&sealed, NETWORK, INTRODUCTION, &secret).unwrap(), note(evidence));
        let other = IntroductionId::from_bytes([2; 16]);
        assert!(ProposalNote::open(&sealed, NETWORK, other, &secret).is_err());
        assert!(AnswerNote::open(&sealed, NETWORK, INTRODUCTION, &secret).is_err());
        assert_eq!(format!("{sealed:?}"), "SealedNote(..)");
    }
}
