//! Every limit on a size or a count, in one place.

/// Fewest observed terms of a case that can be published.
pub const TERMS_MIN: usize = 3;
/// Most observed terms in a fingerprint; of more, those of highest information content are kept.
pub const TERMS_MAX: usize = 32;
/// From so many terms on a look-up may be wide; with fewer it is *short* and close.
pub const TERMS_FOR_WIDE: usize = 5;
/// A fingerprint's length is a multiple of this.
pub const FINGERPRINT_STEP: usize = 8;
/// Fewest dummies in a fingerprint.
pub const DUMMIES_MIN: usize = 2;
/// Symptoms that dummies are drawn from: the commonest ones of the vocabulary.
pub const DUMMY_TERMS: usize = 200;
/// Longest fingerprint: 32 terms, two dummies, padded.
pub const FINGERPRINT_MAX: usize = 40;
/// Tokens in each group of a wide query.
pub const GROUP_TOKENS: usize = 8;
/// Most matches in an answer, and the number of receipt slots in every entry.
pub const ANSWER_MAX: usize = 10;
/// Fewest exact tokens a shown case shares with the asker's.
pub const SHARED_TOKENS_MIN: u32 = 3;
/// Look-ups of one hospital on one day.
pub const LOOKUP_SLOTS_A_DAY: u16 = 300;
/// Look-ups of one clinician on one day.
pub const CLINICIAN_LOOKUPS_A_DAY: u32 = 20;
/// Look-ups of one clinician in one week.
pub const CLINICIAN_LOOKUPS_A_WEEK: u32 = 60;
/// How far a proposal's time may be from the endorser's clock, in milliseconds.
pub const PROPOSAL_SKEW_MILLIS: u64 = 5 * 60 * 1000;
/// How long a look-up's request may be recorded after it was signed, in milliseconds.
pub const LOOKUP_VALIDITY_MILLIS: u64 = 15 * 60 * 1000;
/// How long both epochs stay open before any hospital, and not the older one's opener alone, may close the older one.
pub const EPOCH_OVERLAP_MILLIS: u64 = 30 * 86_400_000;
/// How late a denial may be recorded, in milliseconds: a ledger may have been down in between.
pub const DENIAL_AGE_MILLIS_MAX: u64 = 31 * 86_400_000;
/// Cases in one `publish_cases`.
pub const PUBLISH_BATCH_MAX: usize = 100;
/// Look-ups in one `record_lookups`.
pub const LOOKUP_BATCH_MAX: usize = 50;
/// Denials in one `record_denials`.
pub const DENIAL_BATCH_MAX: usize = 100;
/// Bytes of one ledger proposal, arguments and transient data together.
pub const PROPOSAL_BYTES_MAX: usize = 1 << 20;
/// Bytes of one gRPC message.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Bytes of one event.
pub const EVENT_BYTES_MAX: usize = 256 << 10;
/// Longest key of the ledger's state, in bytes.
pub const STATE_KEY_MAX: usize = 512;
/// Largest value of the ledger's state, in bytes.
pub const STATE_VALUE_MAX: usize = 1 << 20;
/// Rows on one page of a ledger query.
pub const PAGE_MAX: usize = 500;
/// Cases another hospital must hold before a token is explained.
pub const EXPLAIN_CASES_MIN: u32 = 5;
/// Other hospitals that must hold one of them.
pub const EXPLAIN_HOSPITALS_MIN: usize = 2;
/// Bytes of one signed statement, other than a ledger proposal.
pub const STATEMENT_BYTES_MAX: usize = 8 << 10;
/// Bytes of an organisation's root certificate (DER).
pub const TLS_ROOT_BYTES_MAX: usize = 4 << 10;
/// Bytes of a network's name.
pub const NETWORK_NAME_MAX: usize = 80;
/// Member organisations of a network.
pub const ORGANISATIONS_MAX: usize = 256;
/// Characters of a contract function's name.
pub const FUNCTION_NAME_MAX: usize = 64;
/// Arguments of one proposal.
pub const ARGUMENTS_MAX: usize = 128;
/// Private values of one proposal.
pub const TRANSIENTS_MAX: usize = 16;
/// Bytes of a private value's name.
pub const TRANSIENT_NAME_MAX: usize = 64;
/// How long a consent holds at most, in milliseconds: five years, one or two of them leap years.
pub const CONSENT_MILLIS_MAX: u64 = (5 * 365 + 2) * 86_400_000;
/// Keys of one case, each in the place of the one before: so many does a withdrawal look through.
pub const PATIENT_KEYS_MAX: usize = 32;
/// Epochs from the first to the last in which one consent is published: so many does one withdrawal end.
pub const CONSENT_EPOCHS_MAX: u32 = 500;
/// Characters of a hospital's own name of a case.
pub const LOCAL_CASE_ID_MAX: usize = 200;
/// Characters of a vocabulary release's name.
pub const VOCABULARY_RELEASE_MAX: usize = 32;
/// Publications of one case in one epoch, under whatever consent, corrections included: the difference of two exposes
/// real tokens.
pub const PUBLICATIONS_MAX: u8 = 3;
/// How old a look-up may be for an introduction to be proposed on it, in milliseconds.
pub const INTRODUCTION_LOOKUP_AGE_MILLIS_MAX: u64 = 90 * 86_400_000;
/// How long a proposed introduction may wait for its answer, in milliseconds.
pub const INTRODUCTION_VALIDITY_MILLIS: u64 = 30 * 86_400_000;
/// Consents that a channel rests on when it is opened.
pub const CHANNEL_CONSENTS_MAX: usize = 8;
/// Symptoms that a group is about.
pub const TOPIC_TERMS_MAX: usize = 16;
