//! Why a search has no answer.

use semblance_core::denial::DenialCode;
use semblance_core::encode::DecodeError;
use semblance_core::signature::SignatureError;
use semblance_index::IndexError;
use semblance_ledger::LedgerError;

use crate::budget::BudgetError;
use crate::store::StoreError;
use semblance_core::limits::LOOKUP_VALIDITY_MILLIS;

/// Why a search has no answer. None of the texts names a symptom, a token or a person.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The request or the query is not in its form.
    #[error("the request is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The hospital is no member.
    #[error("{hospital} is no hospital of this network")]
    UnknownHospital {
        /// The hospital that was named.
        hospital: String,
    },
    /// The caller's certificate is of another organisation than the request.
    #[error("the request was signed for {signed}, the certificate is of {caller}: each hospital asks for itself")]
    NotAuthorised {
        /// Whose request it is.
        signed: String,
        /// Who sent it.
        caller: String,
    },
    /// The certificate is not a node's.
    #[error("a search is asked for by a hospital's node: this certificate is an administrator's")]
    WrongRole,
    /// The signature is not by the hospital's present key.
    #[error("the request is not signed with the hospital's present key: {0}")]
    BadSignature(#[from] SignatureError),
    /// The request names another matcher.
    #[error("the request is for the matcher {named}, this is {this}")]
    WrongRecipient {
        /// Who was named.
        named: String,
        /// Who this is.
        this: String,
    },
    /// The request has expired.
    #[error("the request has expired: make a new one")]
    ExpiredRequest,
    /// The request would hold longer than any may.
    #[error("the request expires more than {} minutes from now: make one that expires sooner, and check this machine's clock", LOOKUP_VALIDITY_MILLIS / 60_000)]
    ExpiresTooLate,
    /// The slot's day is not today.
    #[error("the request's slot is of another day (UTC): take one of today, and check this machine's clock")]
    Backdated,
    /// The index has not reached the ledger's height, or the one that was asked for.
    #[error("this matcher has reached block {reached} and must reach {wanted}: try again in a moment")]
    Behind {
        /// How far the index is.
        reached: u64,
        /// How far it must be.
        wanted: u64,
    },
    /// The index does not hold the asker's own case as it is live now.
    #[error("this matcher does not hold the fingerprint of the asker's own case yet: try again in a moment")]
    CaseNotIndexed,
    /// The query asks for a symptom that the asker's own published case does not have.
    #[error(
        "the query is not made from the named case's published fingerprint: publish the case as it is and ask anew"
    )]
    NotOwnCase,
    /// The query is not the one that was committed to.
    #[error("the query is not the one that the request commits to")]
    QueryMismatch,
    /// The epoch is not open, or the query is of another one.
    #[error("epoch {0} is not open here, or the query is of another one")]
    WrongEpoch(u32),
    /// The case has too few symptoms for this breadth, or is marked wrongly.
    #[error("a case with 3 or 4 symptoms is asked close and marked short; one with more is not marked")]
    TooFewTerms,
    /// The request id was used for other bytes.
    #[error("the request id was used before for another request: draw a new one")]
    Replayed,
    /// A budget is used up.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The contract refused the entry or the case it is made from; there is no answer.
    #[error("the ledger refused the look-up, {code}: {message}")]
    Refused {
        /// The contract's stable word.
        code: String,
        /// Its text.
        message: String,
    },
    /// The ledger cannot be reached; there is no answer.
    #[error("the ledger could not be asked or written, so there is no answer: {0}")]
    Ledger(LedgerError),
    /// The index's files failed.
    #[error("the index failed: {0}")]
    Index(#[from] IndexError),
    /// The matcher's own file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that cannot be, was: a defect of this program.
    #[error("the answer could not be made: {0}")]
    Defect(String),
}

/// Contract codes that say in their own words what a denial code says.
const CONTRACT_DENIALS: &[(&str, DenialCode)] = &[
    ("bad-signature", DenialCode::BadSignature),
    ("wrong-matcher", DenialCode::WrongRecipient),
    ("wrong-network", DenialCode::WrongRecipient),
    ("request-expired", DenialCode::ExpiredRequest),
    ("request-long-lived", DenialCode::Backdated),
    ("request-used", DenialCode::ReplayedRequest),
    ("duplicate-in-batch", DenialCode::SlotUsed),
    ("slot-used", DenialCode::SlotUsed),
    ("slot-day", DenialCode::Backdated),
    ("case-not-published", DenialCode::NotPublished),
    ("consent-expired", DenialCode::ExpiredConsent),
    ("consent-withdrawn", DenialCode::WithdrawnConsent),
    ("unknown-epoch", DenialCode::WrongEpoch),
    ("epoch-closed", DenialCode::WrongEpoch),
    ("consent-scope", DenialCode::NotAuthorised),
    ("unknown-member", DenialCode::NotAuthorised),
    ("wrong-kind", DenialCode::NotAuthorised),
];

impl From<LedgerError> for SearchError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused { code, message } => Self::Refused { code, message },
            other => Self::Ledger(other),
        }
    }
}

impl SearchError {
    /// Whether an entry that met this error is on the ledger may still be asked: it may have been recorded before.
    pub(crate) fn may_be_recorded(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "request-used" || code == "duplicate-in-batch")
    }

    /// Whether an entry that met this error is surely not on the ledger, now or later.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Ledger(
                    LedgerError::Invalid { .. }
                        | LedgerError::Skew { .. }
                        | LedgerError::Identity(_)
                        | LedgerError::TooLarge { .. }
                )
        )
    }

    /// The code under which it is recorded, unless it is nobody's refusal but a failure.
    #[must_use]
    pub fn denial(&self) -> Option<DenialCode> {
        Some(match self {
            Self::Malformed(DecodeError::TooLong { .. }) => DenialCode::Oversized,
            Self::Malformed(DecodeError::Network) | Self::WrongRecipient { .. } => DenialCode::WrongRecipient,
            Self::Malformed(_) => DenialCode::Malformed,
            Self::UnknownHospital { .. } | Self::NotAuthorised { .. } | Self::WrongRole => DenialCode::NotAuthorised,
            Self::BadSignature(_) => DenialCode::BadSignature,
            Self::ExpiredRequest => DenialCode::ExpiredRequest,
            Self::Backdated | Self::ExpiresTooLate => DenialCode::Backdated,
            Self::NotOwnCase => DenialCode::NotOwnCase,
            Self::QueryMismatch => DenialCode::QueryMismatch,
            Self::WrongEpoch(_) => DenialCode::WrongEpoch,
            Self::TooFewTerms => DenialCode::TooFewTerms,
            Self::Replayed | Self::Budget(BudgetError::Recorded) => DenialCode::ReplayedRequest,
            Self::Budget(BudgetError::SlotUsed) => DenialCode::SlotUsed,
            Self::Budget(BudgetError::ClinicianDay { .. } | BudgetError::ClinicianWeek { .. }) => {
                DenialCode::BudgetClinician
            }
            Self::Budget(BudgetError::HospitalDay { .. }) => DenialCode::BudgetHospital,
            // What the contract says that is none of these is a fault of the ledger or of this program.
            Self::Refused { code, .. } => {
                return CONTRACT_DENIALS.iter().find(|(word, _)| word == code).map(|(_, of)| *of);
            }
            // That the index lags is this matcher's fault, not the clinician's.
            Self::Behind { .. }
            | Self::CaseNotIndexed
            | Self::Budget(BudgetError::Busy { .. } | BudgetError::UnderWay)
            | Self::Ledger(_)
            | Self::Index(_)
            | Self::Store(_)
            | Self::Defect(_) => return None,
        })
    }

    /// A stable word for programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Budget(BudgetError::UnderWay) => "under-way",
            Self::Budget(BudgetError::Busy { .. }) => "busy",
            Self::Behind { .. } | Self::CaseNotIndexed => "index-behind",
            Self::Ledger(_) => "ledger-unavailable",
            Self::Index(_) | Self::Store(_) | Self::Defect(_) => "internal",
            _ => self.denial().map_or("internal", DenialCode::word),
        }
    }
}

#[cfg(test)]
mod tests {
    use semblance_contract::Code;

    use super::*;

    #[test]
    fn every_translated_word_is_one_of_the_contract() {
        for (word, _) in CONTRACT_DENIALS {
            assert!(Code::from_word(word).is_some(), "{word}");
        }
    }

    #[test]
    fn a_failure_is_nobodys_denial() {
        assert_eq!(SearchError::Ledger(LedgerError::Unavailable("down".into())).denial(), None);
        let refused = SearchError::Refused { code: "slot-used".into(), message: String::new() };
        assert_eq!((refused.denial(), refused.word()), (Some(DenialCode::SlotUsed), "slot-used"));
        for fault in ["endorsement-mismatch", "ledger-state", "corrupt-state", "invalid-proposal", "of-tomorrow"] {
            let refused = SearchError::Refused { code: fault.into(), message: String::new() };
            assert_eq!((refused.denial(), refused.word()), (None, "internal"), "{fault}");
        }
        let behind = SearchError::Behind { reached: 1, wanted: 2 };
        assert_eq!((behind.denial(), behind.word()), (None, "index-behind"));
    }
}
