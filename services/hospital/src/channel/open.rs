//! Opens a channel on an accepted introduction, with this hospital as its hub.

use semblance_core::channel::{ChannelOpening, Hub};
use semblance_core::id::{ChannelId, IntroductionId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::signature::{SigningKey, Statement};
use zeroize::Zeroizing;

use super::Charter;
use crate::error::{Denied, HospitalError};
use crate::grant::signed_payload;
use crate::service::HospitalService;
use crate::store::channel::{self, ChannelState, StoredChannel};
use crate::store::introduction::{self, IntroductionState, StoredIntroduction};
use crate::store::outbox::{self, Kind};
use crate::store::{StoreError, audit};

impl HospitalService {
    /// Opens the channel of an accepted introduction, with this hospital as its hub; by custom the side that accepted
    /// does. One that is open already is given again.
    ///
    /// # Errors
    /// The introduction is not accepted, a consent has ended, the opening waits for the ledger (try again), or the
    /// store failed.
    pub async fn open_channel(&self, actor: &str, id: IntroductionId) -> Result<Charter, HospitalError> {
        let subject = id.to_string();
        let found = self.store().run(move |tx| introduction::get(tx, id)).await?;
        if let Some(theirs) = found.and_then(|found| found.theirs)
            && self.live_on_ledger(theirs.consent.consent).await?.is_err()
        {
            let message = "the other side's consent has ended";
            return self.refuse_quietly(actor, "open-channel", &subject, Denied::IntroductionEnded, message).await;
        }
        let (service, name) = (self.clone(), actor.to_owned());
        let opened = self.store().run(move |tx| service.sign_channel(tx, &name, id)).await?;
        match opened {
            Ok(channel) => {
                self.send().await?;
                self.charter(actor, channel).await
            }
            Err((code, message)) => self.refuse_quietly(actor, "open-channel", &subject, code, message).await,
        }
    }

    fn sign_channel(
        &self,
        tx: &rusqlite::Transaction<'_>,
        actor: &str,
        id: IntroductionId,
    ) -> Result<Result<ChannelId, (Denied, &'static str)>, StoreError> {
        let Some(found) = introduction::get(tx, id)? else {
            return Ok(Err((Denied::UnknownIntroduction, "this hospital has no such introduction")));
        };
        if found.state == IntroductionState::Ended {
            return Ok(Err((Denied::IntroductionEnded, "a consent of the introduction has ended")));
        }
        if let Some(open) = channel::of_introduction(tx, id)? {
            return Ok(Ok(open.channel));
        }
        let sides = agreed(&found).filter(|_| found.state == IntroductionState::Accepted);
        let Some(sides) = sides else {
            return Ok(Err((Denied::NotAccepted, "both sides have to agree before a channel is opened")));
        };
        let (now, random) = (self.now(), self.inner.random.as_ref());
        let seed = Zeroizing::new(random.array());
        let hub = self.new_hub(ChannelId::random(random), &seed, &sides.consents);
        let opening =
            ChannelOpening { network: self.inner.network, hub, introduction: id, patients_alone: sides.patients_alone };
        let (opening, source) = opening.sign(&self.inner.signing).into_parts();
        let subject = opening.hub.channel.to_string();
        outbox::add(tx, Kind::OpenChannel, &subject, &signed_payload(&source), now)?;
        channel::put(
            tx,
            &StoredChannel {
                channel: opening.hub.channel,
                kind: opening.kind(),
                introduction: Some(id),
                local_id: Some(found.local_id),
                hub: opening.hub.hub,
                fence: opening.hub.fence,
                opening: source,
                consents: sides.consents,
                seed: Some(seed),
                topic: None,
                state: ChannelState::Queued,
                code: None,
                at: now,
            },
        )?;
        audit::add(tx, now, actor, "open-channel", &subject, "ok")?;
        Ok(Ok(opening.hub.channel))
    }

    /// This hospital as the first hub of a new channel.
    pub(crate) fn new_hub(&self, channel: ChannelId, seed: &[u8; 32], consents: &[ConsentOpening]) -> Hub {
        Hub {
            channel,
            hub: self.inner.organisation.clone(),
            hub_key: SigningKey::from_seed(seed).verifying_key(),
            fence: 1,
            consents: consents.iter().map(|consent| consent.commitment(self.inner.network)).collect(),
            time: self.now(),
        }
    }
}

/// What both sides agreed to.
pub(super) struct Sides {
    /// The proposer's consent, then the other side's.
    pub(super) consents: Vec<ConsentOpening>,
    /// Whether neither side's clinicians take part.
    pub(super) patients_alone: bool,
}

/// The two sides of an introduction, if both agreed; the own answer may still wait for the ledger's acknowledgement.
pub(super) fn agreed(found: &StoredIntroduction) -> Option<Sides> {
    if !matches!(found.state, IntroductionState::Answering | IntroductionState::Accepted) {
        return None;
    }
    let (own, theirs) = (found.own?, found.theirs?);
    let (first, second) = if found.outgoing { (own, theirs) } else { (theirs, own) };
    Some(Sides {
        consents: vec![first.consent, second.consent],
        patients_alone: !first.parties.clinicians && !second.parties.clinicians,
    })
}
