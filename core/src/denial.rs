//! Denials: coded notes that something was asked for and refused.

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer};
use crate::id::{ClinicianPseudonym, DenialId, Digest, OrganisationId};
use crate::record::{Record, read_option, write_option};
use crate::time::Timestamp;

coded! {
    /// Why something was refused; a word never changes its meaning.
    DenialCode, "denial code", {
        /// A term is not in the epoch's vocabulary.
        UnknownTerm = 1 "unknown-term",
        /// A term is obsolete and nothing replaces it.
        ObsoleteTerm = 2 "obsolete-term",
        /// The case has too few terms to ask, or to ask so widely.
        TooFewTerms = 3 "too-few-terms",
        /// The case is not one of the asker's own.
        NotOwnCase = 4 "not-own-case",
        /// The case is not published in the epoch.
        NotPublished = 5 "not-published",
        /// The case's consent has expired.
        ExpiredConsent = 6 "expired-consent",
        /// The case's consent was withdrawn.
        WithdrawnConsent = 7 "withdrawn-consent",
        /// The clinician's budget is used up.
        BudgetClinician = 8 "budget-clinician",
        /// The hospital's budget of the day is used up.
        BudgetHospital = 9 "budget-hospital",
        /// The look-up slot is taken.
        SlotUsed = 10 "slot-used",
        /// The request was made before; its stored answer was not asked for with the same bytes.
        ReplayedRequest = 11 "replayed-request",
        /// The request has expired.
        ExpiredRequest = 12 "expired-request",
        /// The request or proposal is of a time that the clock refuses.
        Backdated = 13 "backdated",
        /// A signature does not verify.
        BadSignature = 14 "bad-signature",
        /// The epoch is unknown, closed or not the query's.
        WrongEpoch = 15 "wrong-epoch",
        /// The request names another matcher or network.
        WrongRecipient = 16 "wrong-recipient",
        /// The query is not the one that was committed to.
        QueryMismatch = 17 "query-mismatch",
        /// The index has not reached the height that was asked for; matchers record it no more, the fault is theirs.
        IndexBehind = 18 "index-behind",
        /// The caller may not do this.
        NotAuthorised = 19 "not-authorised",
        /// The input exceeds a limit.
        Oversized = 20 "oversized",
        /// The input is not in its form.
        Malformed = 21 "malformed",
        /// The matcher answered, and the ledger holds no entry of the request where it said.
        NoEntry = 22 "no-entry",
        /// The matcher's answer is not the one that the entry on the ledger stands for.
        EntryMismatch = 23 "entry-mismatch",
    }
}

/// One denial, as its organisation records it on the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denial {
    /// Random.
    pub id: DenialId,
    /// Who refused.
    pub organisation: OrganisationId,
    /// Why.
    pub code: DenialCode,
    /// Who was refused, under a pseudonym.
    pub subject: ClinicianPseudonym,
    /// The digest of the signed request, where there was one.
    pub request: Option<Digest>,
    /// When.
    pub time: Timestamp,
}

impl Record for Denial {
    const NAME: &'static str = "denial";

    fn write(&self, writer: &mut Writer) {
        self.id.write(writer);
        self.organisation.write(writer);
        self.code.write(writer);
        self.subject.write(writer);
        write_option(writer, self.request.as_ref(), Digest::write);
        self.time.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: DenialId::read(reader)?,
            organisation: OrganisationId::read(reader)?,
            code: DenialCode::read(reader)?,
            subject: ClinicianPseudonym::read(reader)?,
            request: read_option(reader, "request digest", Digest::read)?,
            time: Timestamp::read(reader, "time")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;

    #[test]
    fn every_code_has_its_own_word_and_byte() {
        for (code, place) in DenialCode::ALL.iter().zip(1u8..) {
            let mut writer = Writer::default();
            code.write(&mut writer);
            assert_eq!(writer.finish(), [place], "{code}");
            assert_eq!(DenialCode::read(&mut Reader::new(&[place])), Ok(*code));
            assert_eq!(DenialCode::from_word(code.word()), Some(*code));
        }
        assert!(DenialCode::read(&mut Reader::new(&[0])).is_err());
        assert_eq!(DenialCode::from_word("other"), None);
    }

    #[test]
    fn the_decoder_is_strict() {
        for request in [None, Some(Digest::from_bytes([4; 32]))] {
            let denial = Denial {
                id: DenialId::from_bytes([1; 16]),
                organisation: OrganisationId::new("north").unwrap(),
                code: DenialCode::BudgetClinician,
                subject: ClinicianPseudonym::from_bytes([2; 32]),
                request,
                time: Timestamp::from_millis(3),
            };
            assert_strict(&denial.encode(), Denial::decode, Record::encode);
        }
    }
}
