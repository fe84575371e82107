//! Why the contract refuses: a stable code for programs, a text for people.

pub mod wire;

use std::fmt;

use semblance_core::encode::DecodeError;

use crate::stub::StubError;

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $word:literal,)*) => {
        /// A stable word for each thing a caller could do differently; a word never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$meta])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word, as it stands first in every message.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The code of a word, unless a newer contract made it up.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// No such function.
    UnknownFunction = "unknown-function",
    /// The bytes are not the layout the function takes.
    InvalidArgument = "invalid-argument",
    /// The layout or a statement in it is of a newer version.
    UnsupportedVersion = "unsupported-version",
    /// A list or field exceeds its limit: send less at once.
    TooLarge = "too-large",
    /// A statement was signed for another network.
    WrongNetwork = "wrong-network",
    /// The bookmark is not one of this query.
    InvalidBookmark = "invalid-bookmark",
    /// The ledger could not serve a read or take a write.
    LedgerState = "ledger-state",
    /// A stored record is not what the contract wrote.
    CorruptState = "corrupt-state",
    /// The network has its genesis already.
    NetworkExists = "network-exists",
    /// The network has no genesis yet.
    NoNetwork = "no-network",
    /// The caller's organisation is no member.
    NotMember = "not-member",
    /// The caller acts in a role that may not do this.
    WrongRole = "wrong-role",
    /// Only the other kind of organisation may do this.
    WrongKind = "wrong-kind",
    /// The thing belongs to another organisation.
    NotOwner = "not-owner",
    /// This organisation's peer must not see the private data: name other endorsers.
    WrongEndorser = "wrong-endorser",
    /// An organisation of this name is a member already.
    MemberExists = "member-exists",
    /// No organisation of this name is a member.
    UnknownMember = "unknown-member",
    /// Fewer than more than half of the members approved the new one.
    ApprovalsMissing = "approvals-missing",
    /// The signing key belongs to a member already.
    KeyReused = "key-reused",
    /// A sequence number is not the next one.
    WrongSequence = "wrong-sequence",
    /// A signature does not verify under the key that had to sign.
    BadSignature = "bad-signature",
    /// The epoch's number is not the next one.
    WrongEpochNumber = "wrong-epoch-number",
    /// Two epochs are open already: close the older one.
    EpochOverlap = "epoch-overlap",
    /// No such epoch.
    UnknownEpoch = "unknown-epoch",
    /// The epoch is closed.
    EpochClosed = "epoch-closed",
    /// The sealed epoch keys are not exactly one for each hospital, under its current sealing key.
    EpochKeysIncomplete = "epoch-keys-incomplete",
    /// The patient's key is registered already.
    PatientKeyExists = "patient-key-exists",
    /// The patient's key is not registered with this hospital.
    UnknownPatientKey = "unknown-patient-key",
    /// Another key has taken the patient's key's place.
    PatientKeyReplaced = "patient-key-replaced",
    /// A case's key was replaced as often as a withdrawal can follow: register a key that takes no other's place.
    PatientKeysExhausted = "patient-keys-exhausted",
    /// The consent id was used before; once withdrawn it is dead for ever.
    ConsentExists = "consent-exists",
    /// No such consent.
    UnknownConsent = "unknown-consent",
    /// The consent was withdrawn.
    ConsentWithdrawn = "consent-withdrawn",
    /// The consent has expired.
    ConsentExpired = "consent-expired",
    /// The consent does not hold yet.
    ConsentNotYetValid = "consent-not-yet-valid",
    /// The consent does not allow this.
    ConsentScope = "consent-scope",
    /// The key's earlier consent still holds: withdraw it first.
    EarlierConsentLive = "earlier-consent-live",
    /// The key does not speak for this case.
    CaseMismatch = "case-mismatch",
    /// No such case.
    UnknownCase = "unknown-case",
    /// The handle was used before.
    HandleUsed = "handle-used",
    /// The case has a live handle in this epoch: name it in `replaces`.
    AlreadyPublished = "already-published",
    /// `replaces` does not name the live handle of this consent and epoch.
    ReplacesMismatch = "replaces-mismatch",
    /// The case was published as often as an epoch allows.
    PublicationsExhausted = "publications-exhausted",
    /// The consent was published in as many epochs as a withdrawal can end: ask for a new one.
    EpochsExhausted = "epochs-exhausted",
    /// The transient data do not hold one fingerprint for each item.
    FingerprintMissing = "fingerprint-missing",
    /// A fingerprint is not in its form: size, count or order of tokens.
    FingerprintInvalid = "fingerprint-invalid",
    /// A fingerprint has another hash than its item says.
    FingerprintHash = "fingerprint-hash",
    /// The case is neither withdrawn, expired nor replaced.
    CaseLive = "case-live",
    /// The consent has not expired yet.
    NotExpired = "not-expired",
    /// The request names another matcher.
    WrongMatcher = "wrong-matcher",
    /// The request has expired.
    RequestExpired = "request-expired",
    /// The request would be valid for longer than a look-up takes: sign one that expires sooner.
    RequestLongLived = "request-long-lived",
    /// The request id was used before: the stored entry is the answer's.
    RequestUsed = "request-used",
    /// The day's slot is taken: take another number.
    SlotUsed = "slot-used",
    /// The slot is not one of the proposal's day.
    SlotDay = "slot-day",
    /// The request is not made from an own case that is published with live consent in its epoch.
    CaseNotPublished = "case-not-published",
    /// The request and the entry do not agree.
    EntryMismatch = "entry-mismatch",
    /// The denial says it is of a time still to come.
    DenialTime = "denial-time",
    /// The denial is older than any that waited for the ledger.
    DenialTooOld = "denial-too-old",
    /// Another denial has this id.
    DenialExists = "denial-exists",
    /// No such look-up.
    UnknownLookup = "unknown-lookup",
    /// The look-up is too old to propose an introduction on it.
    LookupTooOld = "lookup-too-old",
    /// The proposer does not stand on the side of the look-up that it names.
    WrongSide = "wrong-side",
    /// No such introduction.
    UnknownIntroduction = "unknown-introduction",
    /// The introduction's id was used before.
    IntroductionUsed = "introduction-used",
    /// The proposer used this number on this look-up before: take another.
    IntroductionNumberUsed = "introduction-number-used",
    /// The introduction has expired.
    IntroductionExpired = "introduction-expired",
    /// The introduction would wait for its answer for too long: propose one that expires sooner.
    IntroductionLongLived = "introduction-long-lived",
    /// The introduction was answered before.
    IntroductionAnswered = "introduction-answered",
    /// The introduction is not proposed to whoever answers it.
    WrongRecipient = "wrong-recipient",
    /// The introduction is not answered yet, or was declined.
    IntroductionNotAccepted = "introduction-not-accepted",
    /// The channel's id was used for something else: draw a new one.
    ChannelUsed = "channel-used",
    /// The introduction has a channel already: move that one.
    ChannelExists = "channel-exists",
    /// A channel's fence is not the next one.
    WrongFence = "wrong-fence",
    /// The sealed topics are not exactly one for each hospital, by name, under its current sealing key.
    TopicsIncomplete = "topics-incomplete",
    /// The sealed topics are not those that the hub signed for.
    TopicsMismatch = "topics-mismatch",
    /// A group stays about what it was opened for.
    TopicChanged = "topic-changed",
    /// Another item of the same batch wants the same thing.
    DuplicateInBatch = "duplicate-in-batch",
}

impl Code {
    /// Whether the whole transaction must end, and not one item of a batch alone.
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        matches!(self, Self::LedgerState | Self::CorruptState)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A refusal. Displayed as `code: message`, which is how it travels through Fabric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ContractError {
    code: Code,
    message: String,
}

impl ContractError {
    /// Refuses with a code and what, where and what to do.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The text for people, without the code.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the whole transaction must end, and not one item of a batch alone.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        self.code.is_fatal()
    }

    /// A stored record that does not read back.
    #[must_use]
    pub fn corrupt(key: &str, error: &DecodeError) -> Self {
        Self::new(Code::CorruptState, format!("record {key}: {error}"))
    }
}

impl From<StubError> for ContractError {
    fn from(error: StubError) -> Self {
        Self::new(Code::LedgerState, error.0)
    }
}

impl From<DecodeError> for ContractError {
    fn from(error: DecodeError) -> Self {
        let code = match error {
            DecodeError::TooLong { .. } => Code::TooLarge,
            DecodeError::Version { .. } => Code::UnsupportedVersion,
            DecodeError::Network => Code::WrongNetwork,
            DecodeError::Truncated { .. }
            | DecodeError::Domain { .. }
            | DecodeError::Invalid { .. }
            | DecodeError::Trailing { .. } => Code::InvalidArgument,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kebab_unique_and_read_back() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let word = code.as_str();
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{word}");
            assert!(seen.insert(word), "{word} stands twice");
            assert_eq!(Code::from_word(word), Some(*code));
        }
        assert_eq!(Code::from_word("no-such-word"), None);
    }

    #[test]
    fn the_code_stands_first_in_the_message() {
        let error = ContractError::new(Code::SlotUsed, "slot 3 of day 9 is taken");
        assert_eq!(error.to_string(), "slot-used: slot 3 of day 9 is taken");
    }
}
