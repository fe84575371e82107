//! Channels of this hospital's cases: which there are, what each rests on, and opening one on an introduction.
//!
//! Who is in a channel and what is said in it is not known here.

mod open;
mod part;
mod receive;

pub use part::ChannelPart;

use semblance_core::channel::ChannelKind;
use semblance_core::id::{ChannelId, IntroductionId, OrganisationId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::signature::SignedBytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::{Denied, HospitalError};
use crate::list::PAGE_MAX;
use crate::lookup::Symptom;
use crate::service::HospitalService;
use crate::store::StoreError;
use crate::store::case::LocalCaseId;
use crate::store::channel::{self, ChannelState, StoredChannel};

/// What a channel is, as its participants are shown: the opening on the ledger, and the consents that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// The channel.
    pub channel: ChannelId,
    /// Who talks in it.
    pub kind: ChannelKind,
    /// Who orders its messages.
    pub hub: OrganisationId,
    /// The hub's number, from 1.
    pub fence: u32,
    /// The hub's signed [`GroupOpening`](semblance_core::channel::GroupOpening) of a symptom group,
    /// [`ChannelOpening`](semblance_core::channel::ChannelOpening) of any other channel.
    pub opening: SignedBytes,
    /// The consents of a match, in the order of the commitments; none of a symptom group, where any consent to join
    /// groups will do.
    pub consents: Vec<ConsentOpening>,
    /// The introduction that it was opened on.
    pub introduction: Option<IntroductionId>,
    /// The own case in it; of a symptom group, the one that it was opened for here.
    pub case: Option<LocalCaseId>,
}

impl From<StoredChannel> for Charter {
    fn from(stored: StoredChannel) -> Self {
        let consents = if stored.kind == ChannelKind::Group { Vec::new() } else { stored.consents };
        Self {
            channel: stored.channel,
            kind: stored.kind,
            hub: stored.hub,
            fence: stored.fence,
            opening: stored.opening,
            consents,
            introduction: stored.introduction,
            case: stored.local_id,
        }
    }
}

/// One channel and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelSummary {
    /// Its name on the ledger.
    pub channel: String,
    /// Who talks in it: `match`, `patients` or `symptom-group`.
    pub kind: &'static str,
    /// Who orders its messages.
    pub hub: String,
    /// The introduction that it was opened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introduction: Option<String>,
    /// The own case in it; of a symptom group, the one that it was opened for here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Of a symptom group: what it is about.
    pub topic: Vec<Symptom>,
    /// How far it got.
    pub state: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When it was opened, in milliseconds since 1970.
    pub at: u64,
}

impl HospitalService {
    /// The channels of this hospital's cases and the network's symptom groups, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn channels(&self, skip: usize, limit: usize) -> Result<Vec<ChannelSummary>, HospitalError> {
        let rows = self.store().run(move |tx| channel::page(tx, skip, limit.clamp(1, PAGE_MAX))).await?;
        let summary = |row: StoredChannel| ChannelSummary {
            channel: row.channel.to_string(),
            kind: row.kind.word(),
            hub: row.hub.to_string(),
            introduction: row.introduction.map(|id| id.to_string()),
            case: row.local_id.map(|id| id.to_string()),
            topic: row.topic.iter().flat_map(|topic| topic.terms()).map(|term| self.symptom(*term)).collect(),
            state: row.state.as_str(),
            code: row.code,
            at: row.at.millis(),
        };
        Ok(rows.into_iter().map(summary).collect())
    }

    /// What a channel rests on.
    ///
    /// # Errors
    /// This hospital knows no such channel, it is not open, or the store failed.
    pub async fn charter(&self, actor: &str, id: ChannelId) -> Result<Charter, HospitalError> {
        Ok(self.standing_channel(actor, "charter", id).await?.into())
    }

    /// The seed of the hub key of a channel of which this hospital is the hub; none of any other.
    ///
    /// # Errors
    /// The store failed.
    pub async fn hub_seed(&self, id: ChannelId) -> Result<Option<Zeroizing<[u8; 32]>>, HospitalError> {
        let found = self.store().run(move |tx| -> Result<_, StoreError> { channel::get(tx, id) }).await?;
        Ok(found.and_then(|found| found.seed))
    }

    /// A channel that stands on the ledger and has not ended.
    pub(crate) async fn standing_channel(
        &self,
        actor: &str,
        action: &'static str,
        id: ChannelId,
    ) -> Result<StoredChannel, HospitalError> {
        let found = self.store().run(move |tx| channel::get(tx, id)).await?;
        let (code, message) = match found {
            Some(found) if found.state == ChannelState::Open => return Ok(found),
            Some(StoredChannel { state: ChannelState::Queued, .. }) => (
                Denied::ChannelWaits,
                "the channel waits for the ledger, and is opened by itself as soon as it answers",
            ),
            Some(StoredChannel { state: ChannelState::Refused, .. }) => {
                (Denied::ChannelEnded, "the ledger refused the channel, as when the other side opened it first")
            }
            Some(_) => (Denied::ChannelEnded, "a consent that the channel rests on has ended"),
            None => (Denied::UnknownChannel, "this hospital knows no such channel"),
        };
        self.refuse_quietly(actor, action, &id.to_string(), code, message).await
    }
}
