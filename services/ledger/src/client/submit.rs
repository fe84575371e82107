//! Transactions.

use semblance_contract::wire::{
    Empty, EpochArgument, Fingerprints, Handle, Handles, List, Opaque, OpenEpoch, OpenGroup, Outcomes, PublishCases,
    PublishItem, RegisterMember, SignedStatement, TRANSIENT_FINGERPRINTS, Withdrawn,
};
use semblance_core::denial::Denial;
use semblance_core::fingerprint::PrivateValue;
use semblance_core::id::{CaseHandle, OrganisationId};
use semblance_core::lookup::LookupEntry;
use semblance_core::organisation::Genesis;
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use semblance_core::token::EpochNumber;

use super::{LedgerClient, Recorded, call, refused};
use crate::ledger::{Call, LedgerError};

/// Every method fails as [`LedgerError`] says. Those that take a list answer with one outcome for each item, in order:
/// a refused item stops no other.
impl LedgerClient {
    /// Creates the network; once, by the administrator of one of its members.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn genesis(&self, genesis: &Genesis) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("genesis", genesis).await
    }

    /// Adds a hospital that more than half of the members approved.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn register_hospital(&self, newcomer: &RegisterMember) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("register_hospital", newcomer).await
    }

    /// Adds a matcher that more than half of the members approved.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn register_matcher(&self, newcomer: &RegisterMember) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("register_matcher", newcomer).await
    }

    /// Replaces the own keys, by a rotation that the present signing key signed.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn rotate_key(&self, rotation: SignedBytes) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("rotate_key", &SignedStatement(rotation)).await
    }

    /// Opens an epoch.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn open_epoch(&self, epoch: &OpenEpoch) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("open_epoch", epoch).await
    }

    /// Closes an epoch.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn close_epoch(&self, epoch: EpochNumber) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("close_epoch", &EpochArgument(epoch)).await
    }

    /// Registers patients' keys, at most 100.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn register_patient_keys(
        &self,
        entries: Vec<PatientKeyEntry>,
    ) -> Result<Recorded<Outcomes>, LedgerError> {
        self.batch::<_, { semblance_core::limits::PUBLISH_BATCH_MAX }>("register_patient_key", entries).await
    }

    /// Grants patients' signed consents, at most 100.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn grant_consents(&self, consents: Vec<SignedBytes>) -> Result<Recorded<Outcomes>, LedgerError> {
        let consents = consents.into_iter().map(SignedStatement).collect();
        self.batch::<_, { semblance_core::limits::PUBLISH_BATCH_MAX }>("grant_consent", consents).await
    }

    /// Submits a patient's signed withdrawal; a second time changes nothing and succeeds. Purge the handles it returns.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn withdraw_consent(&self, withdrawal: SignedBytes) -> Result<Recorded<Withdrawn>, LedgerError> {
        self.ordinary("withdraw_consent", &SignedStatement(withdrawal)).await
    }

    /// Publishes cases, at most 100, each with its private value. Only the own peer and this matcher's see the values.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn publish_cases(
        &self,
        matcher: &OrganisationId,
        cases: Vec<(PublishItem, PrivateValue)>,
    ) -> Result<Recorded<Outcomes>, LedgerError> {
        let expected = cases.len();
        complete(self.submit(publication(self.organisation(), matcher, cases)?).await?, expected)
    }

    /// Takes out cases whose consents have expired, at most 100.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn expire(&self, cases: Vec<CaseHandle>) -> Result<Recorded<Outcomes>, LedgerError> {
        let cases = cases.into_iter().map(Handle).collect();
        self.batch::<_, { semblance_core::limits::PUBLISH_BATCH_MAX }>("expire", cases).await
    }

    /// Removes the private data of one hospital's ended cases, at most 100; that hospital and a matcher endorse.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn purge_cases(
        &self,
        hospital: &OrganisationId,
        matcher: &OrganisationId,
        cases: Vec<CaseHandle>,
    ) -> Result<Recorded<Outcomes>, LedgerError> {
        let cases = Handles::new(cases.into_iter().map(Handle).collect()).map_err(refused)?;
        let endorsers = self.endorsers_with(&[hospital, matcher]);
        let recorded = self.submit(Call { endorsers, ..call("purge_case", &cases) }).await?;
        complete(recorded, cases.items().len())
    }

    /// Records look-ups, at most 50, as the matcher named in them. Only for those that succeeded may an answer leave.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn record_lookups(&self, entries: Vec<LookupEntry>) -> Result<Recorded<Outcomes>, LedgerError> {
        self.batch::<_, { semblance_core::limits::LOOKUP_BATCH_MAX }>("record_lookups", entries).await
    }

    /// Records the own organisation's denials, at most 100.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn record_denials(&self, denials: Vec<Denial>) -> Result<Recorded<Outcomes>, LedgerError> {
        self.batch::<_, { semblance_core::limits::DENIAL_BATCH_MAX }>("record_denials", denials).await
    }

    /// Proposes an introduction that the own node signed.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn propose_introduction(&self, proposal: SignedBytes) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("propose_introduction", &SignedStatement(proposal)).await
    }

    /// Answers a proposed introduction, as the own node signed.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn answer_introduction(&self, answer: SignedBytes) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("answer_introduction", &SignedStatement(answer)).await
    }

    /// Opens the channel of an accepted introduction for the first time.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn open_channel(&self, opening: SignedBytes) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("open_channel", &SignedStatement(opening)).await
    }

    /// Opens a channel again: the own node is its hub from then on. The other side endorses it.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn take_over_channel(
        &self,
        opening: SignedBytes,
        other_side: &OrganisationId,
    ) -> Result<Recorded<Empty>, LedgerError> {
        let endorsers = self.endorsers_with(&[self.organisation(), other_side]);
        self.submit(Call { endorsers, ..call("open_channel", &SignedStatement(opening)) }).await
    }

    /// Opens a symptom group, or opens it anew, with its topic sealed to every hospital.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn open_group(&self, group: &OpenGroup) -> Result<Recorded<Empty>, LedgerError> {
        self.ordinary("open_group", group).await
    }

    async fn ordinary<R: Record>(&self, function: &str, argument: &impl Record) -> Result<Recorded<R>, LedgerError> {
        self.submit(Call { endorsers: self.endorsers_with(&[]), ..call(function, argument) }).await
    }

    async fn batch<T: Record, const LIMIT: usize>(
        &self,
        function: &str,
        items: Vec<T>,
    ) -> Result<Recorded<Outcomes>, LedgerError> {
        let expected = items.len();
        let items = List::<T, LIMIT>::new(items).map_err(refused)?;
        complete(self.ordinary(function, &items).await?, expected)
    }
}

/// The call that publishes cases. It names no further endorsers: their peers must not see the values.
pub(crate) fn publication(
    hospital: &OrganisationId,
    matcher: &OrganisationId,
    cases: Vec<(PublishItem, PrivateValue)>,
) -> Result<Call, LedgerError> {
    let (items, values): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let values = values.iter().map(|value| Opaque(value.encode())).collect();
    let values = Fingerprints::new(values).map_err(refused)?;
    let argument = PublishCases { matcher: matcher.clone(), items: List::new(items).map_err(refused)? };
    let endorsers = vec![hospital.clone(), matcher.clone()];
    let transient = [(TRANSIENT_FINGERPRINTS.to_owned(), values.encode())].into();
    Ok(Call { endorsers, transient, ..call("publish_cases", &argument) })
}

/// One outcome for each item, or the ledger's answer is not believed.
fn complete(recorded: Recorded<Outcomes>, expected: usize) -> Result<Recorded<Outcomes>, LedgerError> {
    let found = recorded.response.items().len();
    if found == expected {
        return Ok(recorded);
    }
    let reason = format!("{expected} items came back with {found} outcomes");
    Err(LedgerError::OutcomeUnknown { transaction: recorded.transaction, reason })
}
