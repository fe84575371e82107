//! Errors as gRPC statuses: a stable word in the metadata, a text without clinical data.

use semblance_ledger::LedgerError;
use tonic::{Code, Status};

use crate::error::{Denied, HospitalError};
use crate::import::{ImportError, SourceError};
use crate::matcher::MatcherError;
use crate::store::StoreError;

/// The metadata key under which an error's stable word is sent.
pub const CODE_KEY: &str = "semblance-code";

/// A field that is not in its form, and what belongs there. Its content is not repeated.
pub(super) fn malformed(field: &str, expected: &str) -> Status {
    coded(Code::InvalidArgument, Denied::Malformed.as_str(), format!("{field}: expected {expected}"))
}

/// The status of a use case's error.
pub(super) fn status(error: &HospitalError) -> Status {
    let code = match error {
        HospitalError::Denied { code, .. } => denied(*code),
        _ if error.may_pass() => Code::Unavailable,
        HospitalError::Import(ImportError::Source(_)) => Code::InvalidArgument,
        HospitalError::Import(ImportError::Stopped) => Code::Cancelled,
        HospitalError::Ledger(LedgerError::Refused { .. } | LedgerError::Skew { .. }) => Code::FailedPrecondition,
        HospitalError::Ledger(LedgerError::Identity(_)) => Code::PermissionDenied,
        HospitalError::Seeds(_) | HospitalError::Matcher(MatcherError::Refused { .. }) => Code::FailedPrecondition,
        HospitalError::Store(StoreError::Stopped) => Code::Aborted,
        HospitalError::Store(_) | HospitalError::Import(_) | HospitalError::Ledger(_) | HospitalError::Matcher(_) => {
            Code::Internal
        }
    };
    // A source's name and SQLite's words stay here.
    let text = match error {
        HospitalError::Import(ImportError::Source(source)) => source_text(source).to_owned(),
        HospitalError::Store(StoreError::Sqlite(_) | StoreError::Damaged(_)) => "the hospital store failed".to_owned(),
        other => other.to_string(),
    };
    coded(code, error.code(), text)
}

const fn source_text(error: &SourceError) -> &'static str {
    match error {
        SourceError::Io { .. } => "the file cannot be read to its end",
        SourceError::Unknown(_) => {
            "the file's name must end in .json, .jsonl, .ndjson (also .gz), .tar, .tar.gz or .tgz"
        }
        SourceError::TooManyEntries { .. } => "the file has too many entries: split it",
        SourceError::TooLarge { .. } => "the file is too large after decompression: split it",
    }
}

const fn denied(code: Denied) -> Code {
    match code {
        Denied::UnknownCase
        | Denied::UnknownRequest
        | Denied::UnknownMatch
        | Denied::UnknownReceipt
        | Denied::UnknownIntroduction
        | Denied::UnknownChannel => Code::NotFound,
        Denied::Malformed
        | Denied::InvalidConsent
        | Denied::TooFewTerms
        | Denied::UnknownTerm
        | Denied::UnknownMatcher
        | Denied::InvalidTopic => Code::InvalidArgument,
        Denied::IntroductionExists => Code::AlreadyExists,
        Denied::BudgetClinician | Denied::BudgetHospital => Code::ResourceExhausted,
        Denied::NoEntry | Denied::EntryMismatch => Code::Aborted,
        Denied::EntryBehind | Denied::ChannelWaits => Code::Unavailable,
        Denied::NotAuthorised => Code::PermissionDenied,
        Denied::NotRegistered
        | Denied::NoConsent
        | Denied::ConsentLive
        | Denied::ExpiredConsent
        | Denied::WithdrawnConsent
        | Denied::NotPublished
        | Denied::NotCurrent
        | Denied::WrongEpoch
        | Denied::VocabularyMismatch
        | Denied::ExpiredRequest
        | Denied::ConsentScope
        | Denied::UnknownHospital
        | Denied::IntroductionEnded
        | Denied::NotAccepted
        | Denied::ChannelEnded => Code::FailedPrecondition,
    }
}

fn coded(code: Code, word: &str, text: String) -> Status {
    let mut status = Status::new(code, text);
    if let Ok(word) = word.parse() {
        status.metadata_mut().insert(CODE_KEY, word);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_status_repeats_what_came_in() {
        let place = "Jane Doe.json".to_owned();
        let secret = std::io::Error::other("HP:0001250");
        let errors: [HospitalError; 3] = [
            ImportError::Source(SourceError::Io { place: place.clone(), error: secret }).into(),
            ImportError::Source(SourceError::Unknown(place)).into(),
            StoreError::Damaged("HP:0001250".to_owned()).into(),
        ];
        for error in errors {
            let status = status(&error);
            let shown = format!("{status:?}");
            assert!(!shown.contains("Jane") && !shown.contains("HP:"), "{shown}");
            assert!(status.metadata().get(CODE_KEY).is_some());
        }
        let busy = status(&StoreError::Busy.into());
        assert_eq!(busy.code(), Code::Unavailable);
    }
}
