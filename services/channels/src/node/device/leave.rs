//! Devices that leave a channel, and those that are lost: the hospital's word goes to each hub, and again until the hub has
//! heard it.

use std::sync::Arc;

use semblance_core::attestation::{LeafRevocation, PersonRole};
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::signature::SignedBytes;
use semblance_core::time::Timestamp;

use super::ChannelService;
use crate::office::{Device, DeviceId};
use crate::wire::{Answer, HubCall, Refusal};

impl ChannelService {
    /// All devices that were ever registered for a person, the newest first: name, role, whether it may still do anything,
    /// and since when.
    ///
    /// # Errors
    /// The office failed.
    pub async fn devices_of(&self, person: String) -> Result<Vec<(DeviceId, PersonRole, bool, Timestamp)>, Refusal> {
        self.office(move |office, now| office.list_devices(&person, now)).await
    }

    /// A device is lost: it is served no more, its parts end here at once, and every hub is told. Returns whether there is
    /// such a device.
    ///
    /// # Errors
    /// The office failed; nothing has happened.
    pub async fn revoke_device(&self, device: DeviceId) -> Result<bool, Refusal> {
        let sign = self.signer();
        let known = self.office(move |office, now| office.lose_device(device, sign, now)).await?;
        self.ring();
        Ok(known)
    }

    /// A device leaves a channel. What its hub cannot hear now it hears later; here the part has ended either way.
    pub(super) async fn leave(&self, device: &Device, channel: ChannelId) -> Result<Answer, Refusal> {
        let (name, sign) = (device.device, self.signer());
        let leaf = self.office(move |office, now| office.leave(name, channel, sign, now)).await?;
        let hub = leaf.2.clone();
        let waiting = self.office(move |office, now| office.revocations(&hub, now)).await?;
        let found = waiting.into_iter().find(|(one, _)| *one == leaf);
        let told = match found {
            Some((leaf, revocation)) => self.tell_revocation(leaf, revocation).await,
            None => Ok(()),
        };
        self.ring();
        match told {
            Err(refusal) if !refusal.is_passing() => Err(refusal),
            _ => Ok(Answer::Done),
        }
    }

    /// Tells a hub what it has not heard yet of devices that take no further part.
    pub(in super::super) async fn tell_revocations(&self, hub: &OrganisationId) -> Result<(), Refusal> {
        let of = hub.clone();
        let mut told = Ok(());
        for (leaf, revocation) in self.office(move |office, now| office.revocations(&of, now)).await? {
            match self.tell_revocation(leaf, revocation).await {
                // The hub knows no such leaf: there is nothing to end.
                Ok(()) | Err(Refusal::NotMember | Refusal::UnknownChannel) => {}
                // A hub that is away now hears of none.
                Err(Refusal::HubAway) => return Err(Refusal::HubAway),
                Err(refusal) => told = told.and(Err(refusal)),
            }
        }
        told
    }

    async fn tell_revocation(
        &self,
        (channel, participant, hub): (ChannelId, ParticipantId, OrganisationId),
        revocation: SignedBytes,
    ) -> Result<(), Refusal> {
        let told = self.inquire(&hub, HubCall::Revoke(revocation)).await;
        if matches!(told, Ok(_) | Err(Refusal::NotMember | Refusal::UnknownChannel)) {
            self.office(move |office, now| office.revocation_heard(channel, participant, now)).await?;
        }
        told.map(|_| ())
    }

    /// What signs that a leaf takes no further part.
    pub(super) fn signer(&self) -> impl Fn(ChannelId, ParticipantId) -> SignedBytes + Send + 'static {
        let (network, hospital, time) = (self.inner.network, self.inner.organisation.clone(), self.now());
        let authority = Arc::clone(&self.inner.authority);
        move |channel, participant| {
            authority.revoke(LeafRevocation { network, channel, hospital: hospital.clone(), participant, time })
        }
    }
}
