//! What this hospital's devices ask of its node.

mod leave;

use std::collections::BTreeSet;

use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafProof, PersonRole};
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::signature::VerifyingKey;

use super::ChannelService;
use super::authority::Part;
use super::hub::is_denial;
use crate::office::{Device, Queued, Token};
use crate::wire::{Answer, DeviceCall, HubCall, Offer, Refusal, Submission, Terms};

/// How long the hospital's word on a leaf holds: as long as a consent may.
const ATTESTED_MILLIS: u64 = semblance_core::limits::CONSENT_MILLIS_MAX;

impl ChannelService {
    /// Whose device shows a token.
    ///
    /// # Errors
    /// Nobody's; counted, and the count recorded in the office's audit, at most once a minute.
    pub async fn authenticate(&self, token: Token) -> Result<Device, Refusal> {
        let found = self.glance(move |office, now| office.authenticate(&token, now)).await;
        self.count_stranger(found == Err(Refusal::NotAuthorised)).await;
        found
    }

    /// Counts somebody who shows no token at all, or nothing that could be one; recorded as a wrong token is.
    pub async fn deny_stranger(&self) -> Refusal {
        self.count_stranger(true).await;
        Refusal::NotAuthorised
    }

    /// Records that a device sent what is no call.
    pub async fn deny_malformed(&self, device: &Device) -> Refusal {
        self.deny(format!("device of {}", device.person), "call", None, Refusal::Malformed).await;
        Refusal::Malformed
    }

    async fn count_stranger(&self, stranger: bool) {
        if stranger {
            self.inner.strangers.add();
        }
        if let Some(actor) = self.inner.strangers.due(self.now()) {
            self.deny(actor, "authenticate", None, Refusal::NotAuthorised).await;
        }
    }

    /// Registers a device of a person of this hospital.
    ///
    /// # Errors
    /// The office failed.
    pub async fn register(&self, person: String, role: PersonRole) -> Result<Token, Refusal> {
        self.office(move |office, now| office.register_device(&person, role, now)).await.map(|(_, token)| token)
    }

    /// What waits for a device after a place in its queue.
    ///
    /// # Errors
    /// The office failed.
    pub async fn queue(&self, device: &Device, after: u64, limit: usize) -> Result<Vec<Queued>, Refusal> {
        let device = device.device;
        self.glance(move |office, now| office.queue(device, after, limit, now)).await
    }

    /// Does what a device asks.
    ///
    /// # Errors
    /// Refused; recorded in the office's audit where somebody wanted what they may not.
    pub async fn ask(&self, device: &Device, call: DeviceCall) -> Result<Answer, Refusal> {
        let (action, channel) = named(&call);
        let answer = self.answer(device, call).await;
        if let Err(refusal) = answer
            && is_denial(refusal)
        {
            self.deny(format!("device of {}", device.person), action, channel, refusal).await;
        }
        answer
    }

    async fn answer(&self, device: &Device, call: DeviceCall) -> Result<Answer, Refusal> {
        let name = device.device;
        match call {
            DeviceCall::Offers => self.offers(device).await.map(Answer::Offers),
            DeviceCall::Upload(packages) => {
                self.office(move |office, now| office.upload(name, &packages, now)).await?;
                Ok(Answer::Done)
            }
            DeviceCall::PackagesLeft => {
                self.glance(move |office, now| office.packages_left(name, now)).await.map(Answer::Number)
            }
            DeviceCall::Join { channel, participant, leaf_key } => {
                self.join(device, channel, participant, leaf_key).await
            }
            DeviceCall::Submit(channel, submission) => {
                match submission {
                    Submission::Message(_) => self.glance(move |office, now| office.count_spoken(name, now)).await?,
                    Submission::Commit(_) => self.glance(move |office, now| office.count_commits(name, now)).await?,
                    // There is one of a channel, whoever makes it.
                    Submission::Create(_) => {}
                }
                self.to_hub(device, channel, |participant| HubCall::Submit(channel, participant, submission)).await
            }
            DeviceCall::Items(channel, first) => {
                self.to_hub(device, channel, |participant| HubCall::Items(channel, participant, first)).await
            }
            DeviceCall::Admissions(channel) => {
                self.to_hub(device, channel, |participant| HubCall::Admissions(channel, participant)).await
            }
            DeviceCall::Rejoin(channel) => {
                self.to_hub(device, channel, |participant| HubCall::Rejoin(channel, participant)).await
            }
            DeviceCall::Leave(channel) => self.leave(device, channel).await,
            DeviceCall::Facts(consents) => self.facts(consents.into_iter().collect()).await.map(Answer::Facts),
            DeviceCall::Kept(position) => {
                self.glance(move |office, _| {
                    office.keep_until(name, position);
                    Ok(Answer::Done)
                })
                .await
            }
            DeviceCall::PutPiece(channel, piece) => {
                self.to_hub(device, channel, |participant| HubCall::PutPiece(channel, participant, piece)).await
            }
            DeviceCall::Piece(channel, digest, number) => {
                self.to_hub(device, channel, |participant| HubCall::Piece(channel, participant, digest, number)).await
            }
        }
    }

    /// Speaks to a channel's hub for a device, by its pseudonym there.
    async fn to_hub(
        &self,
        device: &Device,
        channel: ChannelId,
        call: impl FnOnce(ParticipantId) -> HubCall,
    ) -> Result<Answer, Refusal> {
        let name = device.device;
        let (speaker, hub) = self.glance(move |office, now| office.speaker(name, channel, now)).await?;
        self.call(&hub, call(speaker.participant)).await
    }

    /// Asks a hub what this node itself wants to know, or tells it something: that the hub refuses is no denial.
    async fn inquire(&self, hub: &OrganisationId, call: HubCall) -> Result<Answer, Refusal> {
        if *hub == self.inner.organisation {
            self.serve_call(hub, call).await
        } else {
            self.inner.peers.call(hub, call).await
        }
    }

    pub(super) async fn call(&self, hub: &OrganisationId, call: HubCall) -> Result<Answer, Refusal> {
        if *hub == self.inner.organisation {
            self.serve(hub, call).await
        } else {
            self.inner.peers.call(hub, call).await
        }
    }

    async fn parts(&self, device: &Device) -> Result<Vec<(Terms, Part)>, Refusal> {
        let parts = self.inner.authority.parts(&device.person, device.role).await.map_err(|error| {
            tracing::warn!(%error, "the hospital cannot say who takes part where");
            Refusal::Failed
        })?;
        let network = self.inner.network;
        let terms = |part: Part| part.charter.trusted(network).ok().map(|terms| (terms, part));
        Ok(parts.into_iter().filter_map(terms).collect())
    }

    async fn offers(&self, device: &Device) -> Result<Vec<Offer>, Refusal> {
        let name = device.device;
        let joined = self.office(move |office, now| office.channels_of(name, now)).await?;
        let joined: BTreeSet<_> = joined.into_iter().map(|(channel, _, _)| channel).collect();
        let offers = self.parts(device).await?.into_iter().map(|(terms, part)| Offer {
            joined: joined.contains(&terms.channel),
            charter: part.charter,
            consent: part.consent,
            about: part.about,
        });
        Ok(offers.collect())
    }

    /// Lets a device in: hands one of its key packages to the hub, or lets it make the group if there is none.
    async fn join(
        &self,
        device: &Device,
        channel: ChannelId,
        participant: ParticipantId,
        leaf_key: VerifyingKey,
    ) -> Result<Answer, Refusal> {
        let parts = self.parts(device).await?;
        let (terms, part) =
            parts.into_iter().find(|(terms, _)| terms.channel == channel).ok_or(Refusal::NotAuthorised)?;
        let hub = terms.hub.clone();
        let Answer::Flag(has_group) = self.call(&hub, HubCall::HasGroup(channel)).await? else {
            return Err(Refusal::Failed);
        };
        if !has_group {
            let proof = self.prove(device, &part, channel, participant, leaf_key).await?;
            let (name, bound) = (device.device, proof.clone());
            self.office(move |office, now| office.bind_leaf(name, &bound, &hub, now)).await?;
            return Ok(Answer::Create(proof));
        }
        if self.is_in(device, channel, &hub).await? {
            return Ok(Answer::Done);
        }
        self.admit(device, &part, channel, &hub).await
    }

    /// Whether a device has a leaf with which it comes back by itself. One with which it never can come in is given up,
    /// so that it may come in with another: that of a group it was to make when somebody else's was there first, or that of
    /// a key package which no hub adds any more.
    async fn is_in(&self, device: &Device, channel: ChannelId, hub: &OrganisationId) -> Result<bool, Refusal> {
        let name = device.device;
        let Some((participant, addable)) = self.office(move |office, now| office.bound(name, channel, now)).await?
        else {
            return Ok(false);
        };
        match addable {
            Some(true) => Ok(false),
            Some(false) => {
                let leaf = (channel, participant, hub.clone());
                let revocation = self.signer()(channel, participant);
                self.office(move |office, now| office.give_up_leaf(&leaf, &revocation, now)).await?;
                self.ring();
                Ok(false)
            }
            None => match self.inquire(hub, HubCall::Rejoin(channel, participant)).await {
                Ok(_) => Ok(true),
                Err(Refusal::NotMember | Refusal::Ended) => {
                    self.office(move |office, now| office.forget_leaf(channel, participant, now)).await?;
                    Ok(false)
                }
                Err(refusal) => Err(refusal),
            },
        }
    }

    async fn admit(
        &self,
        device: &Device,
        part: &Part,
        channel: ChannelId,
        hub: &OrganisationId,
    ) -> Result<Answer, Refusal> {
        let name = device.device;
        let next = self.office(move |office, now| office.next_package(name, channel, now)).await?;
        let proof = self.prove(device, part, channel, next.participant, next.leaf_key).await?;
        let home = hub.clone();
        let admission =
            self.office(move |office, now| office.hand_out(name, channel, &home, &next, proof, now)).await?;
        let answer = self.call(hub, HubCall::Admit(admission)).await;
        if answer.is_err() {
            // The hub may have it all the same; the device asks again, and the same leaf is handed over.
            tracing::warn!(%channel, "a device could not be handed to the hub yet");
        }
        answer
    }

    /// The hospital's word on a leaf, and the consent key's where the person is the patient.
    async fn prove(
        &self,
        device: &Device,
        part: &Part,
        channel: ChannelId,
        participant: ParticipantId,
        leaf_key: VerifyingKey,
    ) -> Result<LeafProof, Refusal> {
        let (network, consent) = (self.inner.network, part.consent);
        let attestation = LeafAttestation {
            network,
            channel,
            hospital: self.inner.organisation.clone(),
            participant,
            leaf_key,
            role: device.role,
            consent,
            expires: self.now().plus(ATTESTED_MILLIS),
        };
        let pledge = match device.role {
            PersonRole::Clinician => None,
            PersonRole::Patient => {
                let pledged = self.inner.authority.pledge(LeafPledge { network, consent, leaf_key }).await;
                Some(pledged.map_err(|_| Refusal::Failed)?.ok_or(Refusal::Unproven)?)
            }
        };
        Ok(LeafProof { attestation: self.inner.authority.attest(attestation), pledge })
    }
}

/// What a call is called in the audit, and which channel it is about.
fn named(call: &DeviceCall) -> (&'static str, Option<ChannelId>) {
    match call {
        DeviceCall::Offers => ("offers", None),
        DeviceCall::Upload(_) => ("upload", None),
        DeviceCall::PackagesLeft => ("packages-left", None),
        DeviceCall::Join { channel, .. } => ("join", Some(*channel)),
        DeviceCall::Submit(channel, _) => ("submit", Some(*channel)),
        DeviceCall::Items(channel, _) => ("items", Some(*channel)),
        DeviceCall::Admissions(channel) => ("admissions", Some(*channel)),
        DeviceCall::Rejoin(channel) => ("rejoin", Some(*channel)),
        DeviceCall::Leave(channel) => ("leave", Some(*channel)),
        DeviceCall::Facts(_) => ("facts", None),
        DeviceCall::Kept(_) => ("kept", None),
        DeviceCall::PutPiece(channel, _) => ("put-piece", Some(*channel)),
        DeviceCall::Piece(channel, _, _) => ("piece", Some(*channel)),
    }
}
