//! The hub takes a new group, made by its first member.

use openmls::prelude::{MlsMessageBodyIn, ProposalStore, PublicGroup, RatchetTreeIn};
use rusqlite::params;
use semblance_core::id::{ChannelId, Digest};
use tls_codec::DeserializeBytes;

use super::channel::damaged;
use super::leaf::LeafState;
use super::tree::check_keys;
use super::{Desk, OfficeError, Speaker};
use crate::check::Scene;
use crate::mls;
use crate::provider::MlsState;
use crate::store::SqliteRows;
use crate::wire::{Creation, Facts, Refusal};

/// Bytes of a tree of one leaf: everybody who joins later is given all that its maker put into it.
const ONE_LEAF_BYTES_MAX: usize = 1024;

impl Desk<'_> {
    pub(super) fn create(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        creation: &Creation,
        facts: &Facts,
    ) -> Result<u64, OfficeError> {
        let known = self.channel(channel)?;
        let key = Digest::of(&creation.group_info);
        match known.created {
            Some(created) if created == key => return Ok(0),
            Some(_) => return Err(Refusal::ChannelExists.into()),
            None => {}
        }
        let group = self.read_group(creation)?;
        let context = group.group_context();
        let mut leaves = group.members();
        let only = leaves.next().filter(|_| group.members().count() == 1).ok_or(Refusal::Invalid)?;
        if mls::channel_of(context.group_id()) != Some(channel)
            || context.ciphersuite() != mls::SUITE
            || context.epoch().as_u64() != 0
            || !mls::is_of_hub(context.extensions(), &known.terms.hub_key)
        {
            return Err(Refusal::Invalid.into());
        }
        // Not behind thousands of places that stay empty.
        if only.index.u32() != 0 || !group.leaf(only.index).is_some_and(mls::is_plain) {
            return Err(Refusal::Invalid.into());
        }
        check_keys(&mls::encryption_keys(&group).map_err(damaged)?, &[])?;
        let identity = mls::identity(&only.credential, &only.signature_key).map_err(|_| Refusal::Invalid)?;
        drop(leaves);
        let scene = Scene { network: self.network, terms: &known.terms, facts, at: self.now };
        let claim = creation.proof.claim(self.network).map_err(|_| Refusal::Unproven)?;
        let attested = scene.check_leaf(identity, &claim).map_err(|_| Refusal::Unproven)?;
        let ended = facts.consents.get(&attested.consent).is_none_or(|fact| fact.ended(self.now).is_some());
        if ended || self.is_withdrawn(attested.consent)? {
            return Err(Refusal::Unproven.into());
        }
        if attested.participant != from.participant || attested.hospital != from.hospital {
            return Err(Refusal::NotMember.into());
        }
        self.put_leaf(&attested, &creation.proof, None, (LeafState::Member, 1), self.now)?;
        self.db
            .prepare_cached("UPDATE channels SET created = ?2 WHERE channel = ?1")?
            .execute(params![channel.as_bytes(), key.as_bytes()])?;
        self.set_group_info(channel, 0, &creation.group_info)?;
        self.keep(channel, group);
        Ok(0)
    }

    fn read_group(&self, creation: &Creation) -> Result<PublicGroup, OfficeError> {
        if creation.tree.len() > ONE_LEAF_BYTES_MAX {
            return Err(Refusal::TooLarge.into());
        }
        let Ok(MlsMessageBodyIn::GroupInfo(info)) = mls::read_message(&creation.group_info) else {
            return Err(Refusal::Malformed.into());
        };
        if !mls::is_to_join_by(&info) {
            return Err(Refusal::Invalid.into());
        }
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&creation.tree).map_err(|_| Refusal::Malformed)?;
        let rows = SqliteRows::of(self.db);
        let state = MlsState::new(&rows);
        let group = PublicGroup::from_external(self.crypto, &state, tree, info, ProposalStore::new());
        Ok(state.settle(group.map_err(|_| OfficeError::from(Refusal::Invalid)))?.0)
    }
}
