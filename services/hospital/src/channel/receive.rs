//! Learns from the ledger that a channel was opened on an introduction of this hospital, or that a symptom group was.

use semblance_contract::state::{ChannelRecord, Opening};
use semblance_core::channel::{ChannelOpening, GroupOpening, Topic};
use semblance_core::id::{ChannelId, OrganisationId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::signature::Statement;
use semblance_core::time::Timestamp;

use super::open::agreed;
use crate::error::HospitalError;
use crate::follow::Change;
use crate::service::HospitalService;
use crate::store::channel::{ChannelState, StoredChannel};
use crate::store::introduction;

impl HospitalService {
    /// Reads the opening of a channel, if it is of an introduction of this hospital, or of a symptom group.
    pub(crate) async fn read_channel(
        &self,
        id: ChannelId,
        hub: &OrganisationId,
        fence: u32,
        at: Timestamp,
    ) -> Result<Vec<Change>, HospitalError> {
        let doubt = |code| vec![Change::Doubt { action: "channel", subject: id.to_string(), code }];
        let Some(record) = self.inner.chain.channel(id).await? else { return Ok(doubt("no-entry")) };
        let Ok(opening) = record.statement(self.inner.network) else { return Ok(doubt("malformed")) };
        // Opened anew since: the event that says so is on the way.
        if opening.hub().fence > fence {
            return Ok(Vec::new());
        }
        if opening.hub().channel != id || opening.hub().hub != *hub || opening.hub().fence != fence {
            return Ok(doubt("entry-mismatch"));
        }
        let found = match &opening {
            Opening::Match(opening) => self.believed_channel(opening, &record, at).await?,
            Opening::Group(opening) => self.believed_group(opening, &record, at).await?.map(Some),
        };
        Ok(match found {
            Ok(Some(channel)) => vec![Change::Channel(Box::new(channel))],
            Ok(None) => Vec::new(),
            Err(code) => {
                tracing::warn!(channel = %id, code, "the opening of a channel is not believed");
                doubt(code)
            }
        })
    }

    /// The channel, if it is of an introduction that this hospital agreed to, and rests on what was agreed.
    async fn believed_channel(
        &self,
        opening: &ChannelOpening,
        record: &ChannelRecord,
        at: Timestamp,
    ) -> Result<Result<Option<StoredChannel>, &'static str>, HospitalError> {
        let id = opening.introduction;
        let Some(found) = self.store().run(move |tx| introduction::get(tx, id)).await? else { return Ok(Ok(None)) };
        let Some(sides) = agreed(&found) else { return Ok(Err("not-accepted")) };
        let hub = &opening.hub;
        if hub.hub != found.other && hub.hub != self.inner.organisation {
            return Ok(Err("wrong-hub"));
        }
        if let Err(code) = self.signed_by_hub::<ChannelOpening>(record, &hub.hub, at).await? {
            return Ok(Err(code));
        }
        // In whichever order the hub committed to them.
        let committed = |consents: &[ConsentOpening]| {
            consents.iter().map(|consent| consent.commitment(self.inner.network)).collect::<Vec<_>>() == hub.consents
        };
        let reversed: Vec<_> = sides.consents.iter().rev().copied().collect();
        let consents = match [sides.consents, reversed].into_iter().find(|consents| committed(consents)) {
            Some(consents) if sides.patients_alone == opening.patients_alone => consents,
            _ => return Ok(Err("charter-mismatch")),
        };
        Ok(Ok(Some(StoredChannel {
            channel: hub.channel,
            kind: record.kind,
            introduction: Some(id),
            local_id: Some(found.local_id),
            hub: hub.hub.clone(),
            fence: hub.fence,
            opening: record.opening.clone(),
            consents,
            seed: None,
            topic: None,
            state: ChannelState::Open,
            code: None,
            at,
        })))
    }

    /// The symptom group, with its topic as it was sealed to this hospital.
    async fn believed_group(
        &self,
        opening: &GroupOpening,
        record: &ChannelRecord,
        at: Timestamp,
    ) -> Result<Result<StoredChannel, &'static str>, HospitalError> {
        let hub = &opening.hub;
        if let Err(code) = self.signed_by_hub::<GroupOpening>(record, &hub.hub, at).await? {
            return Ok(Err(code));
        }
        let topic = match self.own_topic(opening).await? {
            Ok(topic) => topic,
            Err(code) => return Ok(Err(code)),
        };
        Ok(Ok(StoredChannel {
            channel: hub.channel,
            kind: record.kind,
            introduction: None,
            local_id: None,
            hub: hub.hub.clone(),
            fence: hub.fence,
            opening: record.opening.clone(),
            consents: Vec::new(),
            seed: None,
            topic: Some(topic),
            state: ChannelState::Open,
            code: None,
            at,
        }))
    }

    async fn own_topic(&self, opening: &GroupOpening) -> Result<Result<Topic, &'static str>, HospitalError> {
        let named = (self.inner.network, opening.hub.channel);
        let Some(sealed) = self.inner.chain.own_topic(opening.hub.channel).await? else { return Ok(Err("no-topic")) };
        if sealed.hospital != self.inner.organisation {
            return Ok(Err("entry-mismatch"));
        }
        let opened = self.inner.sealing.all().iter().find_map(|secret| sealed.open(named, secret).ok());
        Ok(match opened {
            None => Err("topic-unreadable"),
            Some(None) => Err("malformed-topic"),
            Some(Some(topic)) if topic.commitment(named.0, named.1) == opening.topic => Ok(topic),
            Some(Some(_)) => Err("topic-mismatch"),
        })
    }

    async fn signed_by_hub<T: Statement + Clone>(
        &self,
        record: &ChannelRecord,
        hub: &OrganisationId,
        at: Timestamp,
    ) -> Result<Result<(), &'static str>, HospitalError> {
        let Ok(claim) = record.opening.clone().claim::<T>(self.inner.network) else { return Ok(Err("malformed")) };
        let member = match self.member(hub).await? {
            Ok(member) => member,
            Err(unknown) => return Ok(Err(unknown.as_str())),
        };
        Ok(member.verified(&claim, at).map(|_| ()).ok_or("bad-signature"))
    }
}
