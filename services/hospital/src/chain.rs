//! The contract's functions as this hospital calls them.

use std::collections::BTreeMap;
use std::sync::Arc;

use semblance_contract::state::{
    CaseView, ChannelRecord, ConsentView, IntroductionRow, LookupRecord, LookupRow, RotationRecord,
};
use semblance_contract::wire::{
    ChannelArgument, ConsentArgument, EpochKeyArgument, Fingerprints, GroupTopicArgument, Handle, Handles,
    IntroductionArgument, List, Maybe, OfLookup, OfOrganisation, OfOrganisationOnDay, Opaque, OpenGroup,
    OrganisationArgument, Outcomes, Page, PageRequest, PublishCases, PublishItem, RequestArgument, SignedStatement,
    SignedStatements, TRANSIENT_FINGERPRINTS, Withdrawn,
};
use semblance_core::channel::SealedTopic;
use semblance_core::denial::Denial;
use semblance_core::encode::DecodeError;
use semblance_core::epoch::{Epoch, SealedEpochKey};
use semblance_core::id::{CaseHandle, ChannelId, ConsentId, IntroductionId, OrganisationId, RequestId};
use semblance_core::organisation::Organisation;
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use semblance_core::time::Day;
use semblance_core::token::EpochNumber;
use semblance_ledger::{Call, EventStream, Ledger, LedgerError, Validation};

/// How often a transaction that lost a race is tried again, each time under a new id.
const CONFLICT_RETRIES: u32 = 5;

/// What became of each item of a batch.
pub(crate) type ItemOutcomes = Vec<Result<(), semblance_contract::wire::Refusal>>;

/// The ledger as this hospital's node sees it.
pub(crate) struct Chain {
    ledger: Arc<dyn Ledger>,
}

impl Chain {
    pub(crate) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger }
    }

    fn own(&self) -> Vec<OrganisationId> {
        vec![self.ledger.organisation().clone()]
    }

    pub(crate) async fn register_keys(&self, keys: Vec<PatientKeyEntry>) -> Result<ItemOutcomes, LedgerError> {
        let keys = list::<_, { semblance_core::limits::PUBLISH_BATCH_MAX }>(keys)?;
        self.own_batch("register_patient_key", &keys).await
    }

    pub(crate) async fn grant(&self, consents: Vec<SignedBytes>) -> Result<ItemOutcomes, LedgerError> {
        let consents: SignedStatements = list(consents.into_iter().map(SignedStatement).collect())?;
        self.own_batch("grant_consent", &consents).await
    }

    pub(crate) async fn withdraw(&self, withdrawal: SignedBytes) -> Result<Vec<CaseHandle>, LedgerError> {
        let response = self.own_submit("withdraw_consent", &SignedStatement(withdrawal)).await?;
        Ok(decoded(Withdrawn::decode(&response))?.handles)
    }

    /// The fingerprints travel as transient data to the peers of the two endorsers alone.
    pub(crate) async fn publish(
        &self,
        matcher: &OrganisationId,
        cases: Vec<(PublishItem, Vec<u8>)>,
    ) -> Result<ItemOutcomes, LedgerError> {
        let (items, values): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let values: Fingerprints = list(values.into_iter().map(Opaque).collect())?;
        let argument = PublishCases { matcher: matcher.clone(), items: list(items)? };
        let transient = BTreeMap::from([(TRANSIENT_FINGERPRINTS.to_owned(), values.encode())]);
        let endorsers = vec![self.ledger.organisation().clone(), matcher.clone()];
        self.batch("publish_cases", &argument, endorsers, transient).await
    }

    /// The collection's rule wants the hospital and a matcher.
    pub(crate) async fn purge(
        &self,
        matcher: &OrganisationId,
        handles: Vec<CaseHandle>,
    ) -> Result<ItemOutcomes, LedgerError> {
        let handles: Handles = list(handles.into_iter().map(Handle).collect())?;
        let endorsers = vec![self.ledger.organisation().clone(), matcher.clone()];
        self.batch("purge_case", &handles, endorsers, BTreeMap::new()).await
    }

    pub(crate) async fn expire(&self, handles: Vec<CaseHandle>) -> Result<ItemOutcomes, LedgerError> {
        let handles: Handles = list(handles.into_iter().map(Handle).collect())?;
        self.own_batch("expire", &handles).await
    }

    pub(crate) async fn deny(&self, denials: Vec<Denial>) -> Result<ItemOutcomes, LedgerError> {
        let denials = list::<_, { semblance_core::limits::DENIAL_BATCH_MAX }>(denials)?;
        self.own_batch("record_denials", &denials).await
    }

    pub(crate) async fn propose(&self, proposal: SignedBytes) -> Result<(), LedgerError> {
        self.own_submit("propose_introduction", &SignedStatement(proposal)).await.map(|_| ())
    }

    pub(crate) async fn answer(&self, answer: SignedBytes) -> Result<(), LedgerError> {
        self.own_submit("answer_introduction", &SignedStatement(answer)).await.map(|_| ())
    }

    pub(crate) async fn open_channel(&self, opening: SignedBytes) -> Result<(), LedgerError> {
        self.own_submit("open_channel", &SignedStatement(opening)).await.map(|_| ())
    }

    pub(crate) async fn open_group(&self, group: &OpenGroup) -> Result<(), LedgerError> {
        self.own_submit("open_group", group).await.map(|_| ())
    }

    pub(crate) async fn introduction(&self, id: IntroductionId) -> Result<Option<IntroductionRow>, LedgerError> {
        Ok(self.query::<Maybe<IntroductionRow>>("introduction", &IntroductionArgument(id)).await?.0)
    }

    /// What was proposed on a look-up.
    pub(crate) async fn introductions_of(&self, request: RequestId) -> Result<Vec<IntroductionRow>, LedgerError> {
        self.pages("introductions_of_lookup", |page| OfLookup { request, page }).await
    }

    pub(crate) async fn channel(&self, id: ChannelId) -> Result<Option<ChannelRecord>, LedgerError> {
        Ok(self.query::<Maybe<ChannelRecord>>("channel", &ChannelArgument(id)).await?.0)
    }

    /// A symptom group's topic, as it was sealed to this hospital.
    pub(crate) async fn own_topic(&self, group: ChannelId) -> Result<Option<SealedTopic>, LedgerError> {
        let argument = GroupTopicArgument { group, hospital: self.ledger.organisation().clone() };
        Ok(self.query::<Maybe<SealedTopic>>("group_topic", &argument).await?.0)
    }

    /// All members, in order of name.
    pub(crate) async fn members(&self) -> Result<Vec<Organisation>, LedgerError> {
        self.pages("organisations", |page| page).await
    }

    pub(crate) async fn case(&self, handle: CaseHandle) -> Result<Option<CaseView>, LedgerError> {
        Ok(self.query::<Maybe<CaseView>>("case", &Handle(handle)).await?.0)
    }

    pub(crate) async fn consent(&self, consent: ConsentId) -> Result<Option<ConsentView>, LedgerError> {
        Ok(self.query::<Maybe<ConsentView>>("consent", &ConsentArgument(consent)).await?.0)
    }

    pub(crate) async fn lookup(&self, request: RequestId) -> Result<Option<LookupRecord>, LedgerError> {
        Ok(self.query::<Maybe<LookupRecord>>("lookup", &RequestArgument(request)).await?.0)
    }

    pub(crate) async fn member(&self, organisation: &OrganisationId) -> Result<Option<Organisation>, LedgerError> {
        Ok(self.query::<Maybe<Organisation>>("organisation", &OrganisationArgument(organisation.clone())).await?.0)
    }

    /// How a member's keys were replaced, oldest first.
    pub(crate) async fn rotations(&self, organisation: &OrganisationId) -> Result<Vec<RotationRecord>, LedgerError> {
        self.pages("rotations", |page| OfOrganisation { organisation: organisation.clone(), page }).await
    }

    pub(crate) async fn sealed_epoch_key(&self, epoch: EpochNumber) -> Result<Option<SealedEpochKey>, LedgerError> {
        let argument = EpochKeyArgument { epoch, hospital: self.ledger.organisation().clone() };
        Ok(self.query::<Maybe<SealedEpochKey>>("epoch_key", &argument).await?.0)
    }

    pub(crate) async fn epochs(&self) -> Result<Vec<Epoch>, LedgerError> {
        self.pages("epochs", |page| page).await
    }

    /// The look-up slots of a day that this hospital has used on the ledger.
    pub(crate) async fn slots(&self, day: Day) -> Result<Vec<LookupRow>, LedgerError> {
        let organisation = self.ledger.organisation().clone();
        self.pages("lookups_of_hospital", move |page| OfOrganisationOnDay {
            organisation: organisation.clone(),
            day,
            page,
        })
        .await
    }

    pub(crate) async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        self.ledger.blocks(from).await
    }

    async fn pages<A: Record, R: Record>(
        &self,
        function: &str,
        argument: impl Fn(PageRequest) -> A + Send,
    ) -> Result<Vec<R>, LedgerError> {
        let (mut rows, mut bookmark) = (Vec::new(), None);
        loop {
            let request = argument(PageRequest::at(bookmark, semblance_core::limits::PAGE_MAX));
            let page: Page<R> = self.query(function, &request).await?;
            rows.extend(page.rows);
            match page.next {
                Some(next) => bookmark = Some(next),
                None => return Ok(rows),
            }
        }
    }

    async fn query<R: Record>(&self, function: &str, argument: &impl Record) -> Result<R, LedgerError> {
        let (function, arguments) = (function.to_owned(), vec![argument.encode()]);
        let call = Call { function, arguments, endorsers: self.own(), ..Call::default() };
        decoded(R::decode(&self.ledger.evaluate(call).await?))
    }

    async fn own_batch(&self, function: &str, argument: &impl Record) -> Result<ItemOutcomes, LedgerError> {
        Ok(decoded(Outcomes::decode(&self.own_submit(function, argument).await?))?.items().to_vec())
    }

    /// Submits with the own endorsement and those of whom the ledger chooses beside it.
    async fn own_submit(&self, function: &str, argument: &impl Record) -> Result<Vec<u8>, LedgerError> {
        self.submit(function, argument, Vec::new(), BTreeMap::new()).await
    }

    async fn batch(
        &self,
        function: &str,
        argument: &impl Record,
        endorsers: Vec<OrganisationId>,
        transient: BTreeMap<String, Vec<u8>>,
    ) -> Result<ItemOutcomes, LedgerError> {
        let response = self.submit(function, argument, endorsers, transient).await?;
        Ok(decoded(Outcomes::decode(&response))?.items().to_vec())
    }

    async fn submit(
        &self,
        function: &str,
        argument: &impl Record,
        endorsers: Vec<OrganisationId>,
        transient: BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<u8>, LedgerError> {
        let call = Call { function: function.to_owned(), arguments: vec![argument.encode()], transient, endorsers };
        let mut retries = 0;
        loop {
            match self.ledger.submit(call.clone()).await {
                Ok(committed) => return Ok(committed.response),
                Err(LedgerError::Invalid { validation, .. })
                    if validation.lost_race() && retries < CONFLICT_RETRIES =>
                {
                    retries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the same call may succeed with another organisation's endorsement.
pub(crate) const fn another_may_endorse(error: &LedgerError) -> bool {
    let LedgerError::Invalid { validation, .. } = error else { return matches!(error, LedgerError::Unavailable(_)) };
    matches!(validation, Validation::EndorsementPolicyFailure)
}

fn list<T: Record, const LIMIT: usize>(items: Vec<T>) -> Result<List<T, LIMIT>, LedgerError> {
    List::new(items).map_err(|error| LedgerError::Malformed(error.to_string()))
}

fn decoded<T>(result: Result<T, DecodeError>) -> Result<T, LedgerError> {
    result.map_err(|error| LedgerError::Malformed(error.to_string()))
}
