//! Arguments and responses. Every function takes exactly one argument, a record; every response is one.
//!
//! | function | argument | response |
//! |---|---|---|
//! | `genesis` | [`Genesis`](semblance_core::organisation::Genesis) | [`Empty`] |
//! | `register_hospital`, `register_matcher` | [`RegisterMember`] | [`Empty`] |
//! | `rotate_key` | [`SignedStatement`] of a [`KeyRotation`](semblance_core::organisation::KeyRotation) | [`Empty`] |
//! | `open_epoch` | [`OpenEpoch`] | [`Empty`] |
//! | `close_epoch` | [`EpochArgument`] | [`Empty`] |
//! | `register_patient_key` | [`PatientKeys`] | [`Outcomes`] |
//! | `grant_consent` | [`SignedStatements`] of [`Consent`](semblance_core::consent::Consent)s | [`Outcomes`] |
//! | `withdraw_consent` | [`SignedStatement`] of a [`Withdrawal`](semblance_core::consent::Withdrawal) | [`Withdrawn`] |
//! | `publish_cases` | [`PublishCases`], transient [`Fingerprints`] | [`Outcomes`] |
//! | `expire`, `purge_case` | [`Handles`] | [`Outcomes`] |
//! | `record_lookups` | [`RecordLookups`] | [`Outcomes`] |
//! | `record_denials` | [`RecordDenials`] | [`Outcomes`] |
//! | `propose_introduction` | [`SignedStatement`] of an [`IntroductionProposal`](semblance_core::introduction::IntroductionProposal) | [`Empty`] |
//! | `answer_introduction` | [`SignedStatement`] of an [`IntroductionAnswer`](semblance_core::introduction::IntroductionAnswer) | [`Empty`] |
//! | `open_channel` | [`SignedStatement`] of a [`ChannelOpening`](semblance_core::channel::ChannelOpening) | [`Empty`] |
//! | `open_group` | [`OpenGroup`] | [`Empty`] |
//! | *queries* | | |
//! | `version` | [`Empty`] | [`ContractVersion`] |
//! | `network` | [`Empty`] | [`Network`](semblance_core::organisation::Network) |
//! | `organisation` | [`OrganisationArgument`] | [`Maybe`] [`Organisation`](semblance_core::organisation::Organisation) |
//! | `organisations` | [`PageRequest`] | [`Page`] of `Organisation` |
//! | `rotations` | [`OfOrganisation`] | [`Page`] of [`RotationRecord`](crate::state::RotationRecord) |
//! | `epoch` | [`EpochArgument`] | [`Maybe`] [`Epoch`](semblance_core::epoch::Epoch) |
//! | `epochs` | [`PageRequest`] | [`Page`] of `Epoch` |
//! | `epoch_key` | [`EpochKeyArgument`] | [`Maybe`] [`SealedEpochKey`](semblance_core::epoch::SealedEpochKey) |
//! | `patient_key` | [`PatientKeyArgument`] | [`Maybe`] [`PatientKeyView`](crate::state::PatientKeyView) |
//! | `consent` | [`ConsentArgument`] | [`Maybe`] [`ConsentView`](crate::state::ConsentView) |
//! | `case` | [`Handle`] | [`Maybe`] [`CaseView`](crate::state::CaseView) |
//! | `cases_of_hospital` | [`OfOrganisation`] | [`Page`] of `CaseView` |
//! | `live_cases` | [`OfEpoch`] | [`Page`] of [`PublishedCase`](semblance_core::case::PublishedCase) |
//! | `publication` | [`ConsentInEpoch`] | [`Maybe`] [`Publication`](crate::state::Publication) |
//! | `fingerprints` | [`FingerprintsOf`] | [`FingerprintsFound`] |
//! | `standing` | [`StandingOf`] | [`Standing`] |
//! | `lookup` | [`RequestArgument`] | [`Maybe`] [`LookupRecord`](crate::state::LookupRecord) |
//! | `lookups_of_hospital` | [`OfOrganisationOnDay`] | [`Page`] of [`LookupRow`](crate::state::LookupRow) |
//! | `lookups_of_day` | [`OfDay`] | [`Page`] of `LookupRow` |
//! | `denials` | [`OfOrganisationOnDay`] | [`Page`] of [`Denial`](semblance_core::denial::Denial) |
//! | `introduction` | [`IntroductionArgument`] | [`Maybe`] [`IntroductionRow`](crate::state::IntroductionRow) |
//! | `introductions_of_lookup` | [`OfLookup`] | [`Page`] of `IntroductionRow` |
//! | `channel` | [`ChannelArgument`] | [`Maybe`] [`ChannelRecord`](crate::state::ChannelRecord) |
//! | `channels` | [`PageRequest`] | [`Page`] of `ChannelRecord` |
//! | `group_topic` | [`GroupTopicArgument`] | [`Maybe`] [`SealedTopic`](semblance_core::channel::SealedTopic) |

mod batch;
mod case;
mod channel;
mod consent;
mod epoch;
mod lookup;
mod member;
mod page;

use semblance_core::encode::{DecodeError, Reader};
use semblance_core::token::EpochNumber;

pub use batch::{List, Outcomes, Refusal};
pub use case::{
    ConsentInEpoch, Fingerprints, FingerprintsFound, FingerprintsOf, Handle, Handles, OfEpoch, OfOrganisation, Opaque,
    PublishCases, PublishItem, Standing, StandingOf, TRANSIENT_FINGERPRINTS,
};
pub use channel::{ChannelArgument, GroupTopicArgument, IntroductionArgument, OfLookup, OpenGroup};
pub use consent::{ConsentArgument, PatientKeyArgument, PatientKeys, SignedStatement, SignedStatements, Withdrawn};
pub use epoch::{EpochArgument, EpochKeyArgument, OpenEpoch};
pub use lookup::{OfDay, OfOrganisationOnDay, RecordDenials, RecordLookups, RequestArgument};
pub use member::{Approval, ContractVersion, Membership, OrganisationArgument, RegisterMember};
pub use page::{Empty, Maybe, Page, PageRequest};

/// Reads an epoch's number.
pub(crate) fn read_epoch(reader: &mut Reader<'_>) -> Result<EpochNumber, DecodeError> {
    reader.u32("epoch").map(EpochNumber)
}
