//! Queries.

use semblance_contract::state::{
    CaseView, ChannelRecord, ConsentView, IntroductionRow, LookupRecord, LookupRow, PatientKeyView, Publication,
    RotationRecord,
};
use semblance_contract::wire::{
    ChannelArgument, ConsentArgument, ConsentInEpoch, ContractVersion, Empty, EpochArgument, EpochKeyArgument,
    FingerprintsFound, FingerprintsOf, GroupTopicArgument, Handle, IntroductionArgument, Maybe, OfDay, OfEpoch,
    OfLookup, OfOrganisation, OfOrganisationOnDay, OrganisationArgument, Page, PageRequest, PatientKeyArgument,
    RequestArgument, Standing, StandingOf,
};
use semblance_core::case::PublishedCase;
use semblance_core::channel::SealedTopic;
use semblance_core::denial::Denial;
use semblance_core::epoch::{Epoch, SealedEpochKey};
use semblance_core::fingerprint::PrivateValue;
use semblance_core::id::{CaseHandle, ChannelId, ConsentId, IntroductionId, OrganisationId, RequestId};
use semblance_core::limits::PAGE_MAX;
use semblance_core::organisation::{Network, Organisation};
use semblance_core::record::Record;
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Day;
use semblance_core::token::EpochNumber;

use super::{LedgerClient, malformed, refused};
use crate::ledger::LedgerError;

/// Every method fails as [`LedgerError`] says; what is not there is `None`. Those that take a [`PageRequest`] answer
/// with one page, whose bookmark asks for the next.
impl LedgerClient {
    /// Which release of the contract a member's peer runs.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn version_at(&self, member: &OrganisationId) -> Result<ContractVersion, LedgerError> {
        self.evaluate_at(member, "version", &Empty).await
    }

    /// What the network is.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn network(&self) -> Result<Network, LedgerError> {
        self.evaluate("network", &Empty).await
    }

    /// One member.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn member(&self, id: &OrganisationId) -> Result<Option<Organisation>, LedgerError> {
        self.find("organisation", &OrganisationArgument(id.clone())).await
    }

    /// All members, by name.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn members(&self) -> Result<Vec<Organisation>, LedgerError> {
        self.all("organisations", |page| page).await
    }

    /// How a member's keys were replaced, oldest first.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn rotations(&self, organisation: &OrganisationId) -> Result<Vec<RotationRecord>, LedgerError> {
        self.all("rotations", |page| OfOrganisation { organisation: organisation.clone(), page }).await
    }

    /// One epoch.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn epoch(&self, number: EpochNumber) -> Result<Option<Epoch>, LedgerError> {
        self.find("epoch", &EpochArgument(number)).await
    }

    /// All epochs, oldest first.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn epochs(&self) -> Result<Vec<Epoch>, LedgerError> {
        self.all("epochs", |page| page).await
    }

    /// An epoch's key as it was sealed to a hospital.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn epoch_key(
        &self,
        epoch: EpochNumber,
        hospital: &OrganisationId,
    ) -> Result<Option<SealedEpochKey>, LedgerError> {
        self.find("epoch_key", &EpochKeyArgument { epoch, hospital: hospital.clone() }).await
    }

    /// A patient's key, with what became of it.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn patient_key(
        &self,
        hospital: &OrganisationId,
        key: &VerifyingKey,
    ) -> Result<Option<PatientKeyView>, LedgerError> {
        self.find("patient_key", &PatientKeyArgument { hospital: hospital.clone(), key: *key }).await
    }

    /// A consent, with its withdrawal.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn consent(&self, id: ConsentId) -> Result<Option<ConsentView>, LedgerError> {
        self.find("consent", &ConsentArgument(id)).await
    }

    /// A case, with what became of it.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn case(&self, handle: CaseHandle) -> Result<Option<CaseView>, LedgerError> {
        self.find("case", &Handle(handle)).await
    }

    /// The newest handle of each of a hospital's cases in each epoch, live or not.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn cases_of_hospital(
        &self,
        hospital: &OrganisationId,
        page: PageRequest,
    ) -> Result<Page<CaseView>, LedgerError> {
        self.evaluate("cases_of_hospital", &OfOrganisation { organisation: hospital.clone(), page }).await
    }

    /// The live cases of an epoch. A page may hold fewer rows than asked for, even none, and still not be the last.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn live_cases(&self, epoch: EpochNumber, page: PageRequest) -> Result<Page<PublishedCase>, LedgerError> {
        self.evaluate("live_cases", &OfEpoch { epoch, page }).await
    }

    /// The newest handle of a consent in an epoch, and how often it was published there.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn publication(
        &self,
        consent: ConsentId,
        epoch: EpochNumber,
    ) -> Result<Option<Publication>, LedgerError> {
        self.find("publication", &ConsentInEpoch { consent, epoch }).await
    }

    /// The private values of cases, at most 500, for matchers; `None` where a case is unknown, ended or purged.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn fingerprints(&self, cases: &[CaseHandle]) -> Result<Vec<Option<PrivateValue>>, LedgerError> {
        let handles = FingerprintsOf::new(cases.iter().copied().map(Handle).collect()).map_err(refused)?;
        let found: FingerprintsFound = self.evaluate("fingerprints", &handles).await?;
        if found.items().len() != cases.len() {
            let message = format!("{} cases came back with {} values", cases.len(), found.items().len());
            return Err(LedgerError::Malformed(message));
        }
        let decode = |Maybe(value): Maybe<semblance_contract::wire::Opaque>| {
            value.map(|value| PrivateValue::decode(&value.0).map_err(|error| malformed(&error))).transpose()
        };
        found.into_items().into_iter().map(decode).collect()
    }

    /// Whether the asker's own case and the found ones are live, of one committed state, for matchers. Refused as
    /// `record_lookups` would be if the own case is not.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn standing(&self, of: &StandingOf) -> Result<Standing, LedgerError> {
        self.evaluate("standing", of).await
    }

    /// A look-up's entry.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn lookup(&self, request: RequestId) -> Result<Option<LookupRecord>, LedgerError> {
        self.find("lookup", &RequestArgument(request)).await
    }

    /// A hospital's look-ups of a day, by slot.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn lookups_of_hospital(
        &self,
        hospital: &OrganisationId,
        day: Day,
        page: PageRequest,
    ) -> Result<Page<LookupRow>, LedgerError> {
        let argument = OfOrganisationOnDay { organisation: hospital.clone(), day, page };
        self.evaluate("lookups_of_hospital", &argument).await
    }

    /// All hospitals' look-ups of a day, by hospital and slot.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn lookups_of_day(&self, day: Day, page: PageRequest) -> Result<Page<LookupRow>, LedgerError> {
        self.evaluate("lookups_of_day", &OfDay { day, page }).await
    }

    /// An organisation's denials of a day.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn denials(
        &self,
        organisation: &OrganisationId,
        day: Day,
        page: PageRequest,
    ) -> Result<Page<Denial>, LedgerError> {
        let argument = OfOrganisationOnDay { organisation: organisation.clone(), day, page };
        self.evaluate("denials", &argument).await
    }

    /// An introduction, with its answer and its channel.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn introduction(&self, id: IntroductionId) -> Result<Option<IntroductionRow>, LedgerError> {
        self.find("introduction", &IntroductionArgument(id)).await
    }

    /// What was proposed on a look-up, by proposer and number.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn introductions_of_lookup(
        &self,
        request: RequestId,
        page: PageRequest,
    ) -> Result<Page<IntroductionRow>, LedgerError> {
        self.evaluate("introductions_of_lookup", &OfLookup { request, page }).await
    }

    /// A channel or symptom group, as its hub opened it last.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn channel(&self, id: ChannelId) -> Result<Option<ChannelRecord>, LedgerError> {
        self.find("channel", &ChannelArgument(id)).await
    }

    /// All channels and symptom groups.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn channels(&self, page: PageRequest) -> Result<Page<ChannelRecord>, LedgerError> {
        self.evaluate("channels", &page).await
    }

    /// What a symptom group is about, as it was sealed to a hospital.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn group_topic(
        &self,
        group: ChannelId,
        hospital: &OrganisationId,
    ) -> Result<Option<SealedTopic>, LedgerError> {
        self.find("group_topic", &GroupTopicArgument { group, hospital: hospital.clone() }).await
    }

    async fn find<R: Record>(&self, function: &str, argument: &impl Record) -> Result<Option<R>, LedgerError> {
        self.evaluate::<Maybe<R>>(function, argument).await.map(|found| found.0)
    }

    /// All pages of a query whose rows are few.
    async fn all<A: Record, R: Record>(
        &self,
        function: &str,
        argument: impl Fn(PageRequest) -> A + Send,
    ) -> Result<Vec<R>, LedgerError> {
        let (mut rows, mut bookmark) = (Vec::new(), None);
        loop {
            let page: Page<R> = self.evaluate(function, &argument(PageRequest::at(bookmark, PAGE_MAX))).await?;
            rows.extend(page.rows);
            match page.next {
                Some(next) => bookmark = Some(next),
                None => return Ok(rows),
            }
        }
    }
}
