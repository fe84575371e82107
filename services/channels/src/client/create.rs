//! The first member makes the group.

use openmls::prelude::MlsGroup;
use openmls_traits::OpenMlsProvider;
use semblance_core::attestation::LeafProof;
use semblance_core::id::{ChannelId, Digest};
use semblance_core::time::Timestamp;

use super::receive::Event;
use super::records::{ChannelRow, Outgoing, Phase};
use super::{Client, ClientError, read_claim};
use crate::mls;
use crate::provider::LeafSigner;
use crate::store::Store;
use crate::wire::{Creation, Facts, Refusal, Submission};

impl<S: Store> Client<S> {
    /// Makes the channel's group with this device as its only member, to be handed to the hub. `proof` is the
    /// hospital's word on the leaf of [`Client::leaf`].
    ///
    /// # Errors
    /// The device is in the group already, or the proof does not fit.
    pub fn create(
        &mut self,
        channel: ChannelId,
        proof: LeafProof,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), ClientError> {
        self.groups.remove(&channel);
        let group = self.without_group(channel, |desk| {
            let row = desk.rows.channel()?;
            if row.phase != Phase::Agreed {
                return Err(ClientError::Phase);
            }
            let terms = row.charter.verify(desk.network, facts)?;
            let mut leaf = desk.rows.own_leaf()?.ok_or(ClientError::Phase)?;
            let signing = leaf.signing();
            let identity = (leaf.participant, signing.verifying_key());
            let claim = read_claim(&proof, desk.network)?;
            let attested = desk.scene(&terms, facts, now).check_leaf((identity.0, *identity.1.as_bytes()), &claim)?;
            let group = MlsGroup::new_with_group_id(
                &desk.provider,
                &LeafSigner(&signing),
                &mls::create_config(&terms.hub_key, now)?,
                mls::group_id(channel),
                mls::credential(identity.0, &identity.1),
            )
            .map_err(ClientError::mls)?;
            let info = group
                .export_group_info(desk.provider.crypto(), &LeafSigner(&signing), false)
                .map_err(ClientError::mls)?;
            let tree = mls::write(&group.export_ratchet_tree())?;
            let creation = Creation { group_info: mls::write(&info)?, tree, proof: proof.clone() };
            leaf.proof = Some(proof);
            desk.rows.set_own_leaf(&leaf)?;
            desk.add_leaf(attested)?;
            desk.rows.set_channel(&ChannelRow { phase: Phase::Creating, next: 1, missing: None, ..row })?;
            let submission = Submission::Create(creation);
            let key = submission.key();
            desk.rows.set_outgoing(key, &Outgoing { submission, said: None, taken: false })?;
            Ok(group)
        })?;
        self.groups.insert(channel, group);
        Ok(())
    }

    pub(super) fn created(&mut self, channel: ChannelId, key: Digest) -> Result<(), ClientError> {
        self.without_group(channel, |desk| {
            let row = desk.rows.channel()?;
            desk.rows.remove_outgoing(key)?;
            if row.phase == Phase::Creating {
                desk.rows.set_channel(&ChannelRow { phase: Phase::Member, ..row })?;
            }
            Ok(())
        })
    }

    /// The hub did not take a commit or a group: what was made for it goes.
    pub(super) fn change_refused(
        &mut self,
        channel: ChannelId,
        key: Digest,
        refusal: Refusal,
    ) -> Result<(), ClientError> {
        let phase = self.look(channel, |rows| Ok(rows.channel()?.phase))?;
        match phase {
            // The hub has a group already: somebody was faster, or this device made it and has forgotten. It asks to be let
            // in, and can join by itself.
            Phase::Creating => {
                self.drop_group(channel, Phase::Agreed)?;
                if refusal == Refusal::ChannelExists { self.note_missing(channel, None) } else { Ok(()) }
            }
            Phase::Rejoining => self.drop_group(channel, Phase::Broken),
            Phase::Member => self.with_group(channel, |group, desk| {
                group.clear_pending_commit(desk.provider.storage())?;
                Ok(desk.rows.remove_outgoing(key)?)
            }),
            _ => self.without_group(channel, |desk| Ok(desk.rows.remove_outgoing(key)?)),
        }
    }

    /// Takes the hub's word that nothing follows in the channel's order. A device that has moved on beyond all places that
    /// it knows to be taken has what was missing, by whichever way; from any other it is lost.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn nothing_follows(&mut self, channel: ChannelId) -> Result<Vec<Event>, ClientError> {
        let row = self.look(channel, |rows| rows.channel())?;
        let has_it = row.missing.map_or(row.phase == Phase::Member, |place| row.next > place);
        if has_it {
            self.note_complete(channel)?;
            return Ok(Vec::new());
        }
        self.lost(channel)
    }

    /// What is missing cannot be had any more: the device has to join again.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn lost(&mut self, channel: ChannelId) -> Result<Vec<Event>, ClientError> {
        self.drop_group(channel, Phase::Broken)?;
        Ok(vec![Event::Broken])
    }

    /// Takes its home's or its hub's word that this device takes no part any more. It is told so by itself when its
    /// part ends; a device whose store is older than its last leaf does not know that it was meant, and hears it here.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn turned_away(&mut self, channel: ChannelId) -> Result<Vec<Event>, ClientError> {
        match self.look(channel, |rows| Ok(rows.channel()?.phase))? {
            Phase::Agreed | Phase::Removed => Ok(Vec::new()),
            Phase::Creating | Phase::Member | Phase::Rejoining | Phase::Broken => {
                self.drop_group(channel, Phase::Removed)?;
                Ok(vec![Event::Left])
            }
        }
    }

    /// Forgets a group's keys and what was made with them, and notes what that means.
    pub(super) fn drop_group(&mut self, channel: ChannelId, after: Phase) -> Result<(), ClientError> {
        self.groups.remove(&channel);
        self.without_group(channel, |desk| {
            desk.provider.storage().forget_group(&mls::group_id(channel))?;
            desk.rows.clear_changes()?;
            if after == Phase::Removed {
                desk.rows.clear_said()?;
            }
            let row = desk.rows.channel()?;
            // Without its leaf a device cannot come back by itself, only be let in anew.
            let lost = matches!(desk.rows.own_leaf(), Err(error) if error.is_damage());
            let phase = if lost { Phase::Removed } else { after };
            Ok(desk.rows.set_channel(&ChannelRow { phase, missing: None, ..row })?)
        })
    }
}
