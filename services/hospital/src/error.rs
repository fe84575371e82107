//! Why a use case did not do what was asked.

use semblance_keys::SeedError;
use semblance_ledger::LedgerError;

use crate::import::ImportError;
use crate::matcher::MatcherError;
use crate::store::StoreError;

/// Why a use case did not do what was asked. The texts hold no symptom, name or local id, so that they may be logged.
#[derive(Debug, thiserror::Error)]
pub enum HospitalError {
    /// The own database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The import failed.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The ledger failed or refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There are no seeds for the terms.
    #[error(transparent)]
    Seeds(#[from] SeedError),
    /// The matcher failed or refused.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    /// The request was refused here, before anything left the hospital.
    #[error("{code}: {message}")]
    Denied {
        /// The stable code.
        code: Denied,
        /// What and what to do, for people.
        message: String,
    },
}

crate::store::words! {
    /// Why a request is refused here.
    Denied {
        /// This hospital has no such case.
        UnknownCase = "unknown-case",
        /// The case has fewer than three observed symptoms, or fewer than five for a wide look-up.
        TooFewTerms = "too-few-terms",
        /// One of the case's terms is unknown to the epoch's vocabulary, or no symptom.
        UnknownTerm = "unknown-term",
        /// The case has no patient key yet.
        NotRegistered = "not-registered",
        /// There is no consent, or it is not acknowledged by the ledger.
        NoConsent = "no-consent",
        /// The consent still holds.
        ConsentLive = "consent-live",
        /// The consent has expired.
        ExpiredConsent = "expired-consent",
        /// The consent was withdrawn.
        WithdrawnConsent = "withdrawn-consent",
        /// The consent cannot be: no scope, no time.
        InvalidConsent = "invalid-consent",
        /// The case is not published in the open epoch.
        NotPublished = "not-published",
        /// The case was corrected since it was published: publish the correction first.
        NotCurrent = "not-current",
        /// No epoch is open, or this hospital was given no key of it.
        WrongEpoch = "wrong-epoch",
        /// The open epoch uses another vocabulary than this node.
        VocabularyMismatch = "vocabulary-mismatch",
        /// All look-ups of the day are used up.
        BudgetHospital = "budget-hospital",
        /// The clinician's look-ups of the day or week are used up.
        BudgetClinician = "budget-clinician",
        /// No such matcher is configured.
        UnknownMatcher = "unknown-matcher",
        /// This hospital asked no such look-up.
        UnknownRequest = "unknown-request",
        /// The request is not in its form.
        Malformed = "malformed",
        /// The request's time is over; it left no entry.
        ExpiredRequest = "expired-request",
        /// The own ledger has not reached the block that the matcher named.
        EntryBehind = "entry-behind",
        /// The matcher answered, but the own ledger does not show the entry where it said.
        NoEntry = "no-entry",
        /// The answer does not agree with the entry on the own ledger.
        EntryMismatch = "entry-mismatch",
        /// The consent does not allow this: contact, or symptom groups.
        ConsentScope = "consent-scope",
        /// The look-up showed no case at that place.
        UnknownMatch = "unknown-match",
        /// No receipt of that look-up is of that place.
        UnknownReceipt = "unknown-receipt",
        /// The other hospital's record on the ledger cannot be used.
        UnknownHospital = "unknown-hospital",
        /// This hospital has no such introduction.
        UnknownIntroduction = "unknown-introduction",
        /// The introduction was proposed before.
        IntroductionExists = "introduction-exists",
        /// The introduction was answered, has expired, or a consent that it rests on has ended.
        IntroductionEnded = "introduction-ended",
        /// The introduction is not accepted by both sides.
        NotAccepted = "not-accepted",
        /// This hospital knows no such channel.
        UnknownChannel = "unknown-channel",
        /// The channel is not open: the ledger refused it, or a consent that it rests on has ended.
        ChannelEnded = "channel-ended",
        /// The opening waits for the ledger.
        ChannelWaits = "channel-waits",
        /// The symptoms are no topic of a group.
        InvalidTopic = "invalid-topic",
        /// The caller is none of this hospital's people.
        NotAuthorised = "not-authorised",
    }
}

impl HospitalError {
    /// Refuses a request.
    pub(crate) fn denied(code: Denied, message: impl Into<String>) -> Self {
        Self::Denied { code, message: message.into() }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Store(StoreError::Busy) => "store-busy",
            Self::Store(_) => "store",
            Self::Import(ImportError::Stopped) => "stopped",
            Self::Import(ImportError::Store(_)) => "store",
            Self::Import(ImportError::Source(_)) => "source",
            Self::Ledger(error) => ledger_code(error),
            Self::Seeds(SeedError::NoKey(_)) => "no-epoch-key",
            Self::Seeds(SeedError::Budget { .. }) => "seed-budget",
            Self::Seeds(SeedError::Unavailable(_)) => "seeds-unavailable",
            Self::Matcher(error) => error.code(),
            Self::Denied { code, .. } => code.as_str(),
        }
    }

    /// Whether the same call may succeed later without a change.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Busy)
                | Self::Ledger(
                    LedgerError::Unavailable(_) | LedgerError::OutcomeUnknown { .. } | LedgerError::Invalid { .. }
                )
                | Self::Seeds(SeedError::Unavailable(_))
                | Self::Matcher(MatcherError::Unavailable(_))
                | Self::Denied { code: Denied::EntryBehind | Denied::ChannelWaits, .. }
        )
    }
}

/// The stable word of a ledger's error.
pub(crate) fn ledger_code(error: &LedgerError) -> &str {
    match error {
        LedgerError::Unavailable(_) => "ledger-unavailable",
        LedgerError::OutcomeUnknown { .. } => "ledger-outcome-unknown",
        LedgerError::Refused { code, .. } => code,
        LedgerError::Invalid { .. } => "ledger-conflict",
        LedgerError::Skew { .. } => "ledger-skew",
        LedgerError::Identity(_) => "ledger-identity",
        LedgerError::TooLarge { .. } => "ledger-too-large",
        LedgerError::Malformed(_) => "ledger-malformed",
        LedgerError::Storage(_) => "ledger-storage",
    }
}
