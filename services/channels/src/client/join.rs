//! Joining by a Welcome.

use openmls::prelude::{JoinBuilder, MlsGroup, MlsMessageBodyIn, ProcessedWelcome, RatchetTreeIn, StagedWelcome};
use semblance_core::attestation::LeafClaim;
use semblance_core::time::Timestamp;
use tls_codec::DeserializeBytes;

use super::receive::Event;
use super::records::{ChannelRow, OwnLeaf, Phase};
use super::rows;
use super::{Client, ClientError, Desk, know_all};
use crate::check::Claims;
use crate::limits::CLOCK_SKEW_MILLIS;
use crate::mls::{self, MlsError};
use crate::store::{KeyValue, Store};
use crate::wire::{Facts, Item, WelcomePackage};

impl<S: Store> Client<S> {
    pub(super) fn welcomed(
        &mut self,
        item: &Item,
        package: &WelcomePackage,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Event>, ClientError> {
        let row = self.look(item.channel, |rows| rows.channel())?;
        // One of before, given again: it would bring keys back that are gone, or break what came after it.
        if item.sequence < row.next || row.phase == Phase::Creating {
            return Ok(Vec::new());
        }
        self.groups.remove(&item.channel);
        let group = self.without_group(item.channel, |desk| desk.join(item, package, &row, (facts, now)))?;
        self.groups.insert(item.channel, group);
        Ok(vec![Event::Joined])
    }
}

impl<K: KeyValue> Desk<'_, K> {
    fn join(
        &self,
        item: &Item,
        package: &WelcomePackage,
        row: &ChannelRow,
        (facts, now): (&Facts, Timestamp),
    ) -> Result<MlsGroup, ClientError> {
        let terms = row.charter.verify(self.network, facts)?;
        let claims = Claims::read(self.network, &package.roster)?;
        know_all(&claims, facts)?;
        let staged = self.stage(package)?;
        let context = staged.group_context();
        if mls::channel_of(context.group_id()) != Some(item.channel)
            || context.ciphersuite() != mls::SUITE
            || !mls::is_of_hub(context.extensions(), &terms.hub_key)
        {
            return Err(MlsError { what: "welcome", why: "of another channel, hub or cipher suite" }.into());
        }
        if context.epoch().as_u64() < row.epoch {
            return Err(MlsError { what: "welcome", why: "of an epoch that this device has left behind" }.into());
        }
        let scene = self.scene(&terms, facts, item.at.max(row.at).min(now.plus(CLOCK_SKEW_MILLIS)));
        let leaves = staged.members().map(|member| mls::identity(&member.credential, &member.signature_key));
        let roster = scene.check_roster(leaves, &claims)?;
        self.check_new(roster.values())?;
        let (epoch, own) = (context.epoch().as_u64(), staged.own_leaf_node());
        let own = own.ok_or(ClientError::NotForUs)?;
        let (participant, _) = mls::identity_of(own)?;
        let leaf = self.take_leaf(claims.of(participant)?)?;
        let group = staged.into_group(&self.provider).map_err(ClientError::mls)?;
        // Whoever adds could have made up the epoch, or a group of its own.
        if !mls::is_at(group.public_group(), &package.group_info) {
            return Err(MlsError { what: "welcome", why: "to another group than the hub's" }.into());
        }
        self.set_roster(roster)?;
        self.rows.set_own_leaf(&leaf)?;
        self.rows.clear_changes()?;
        let next = item.sequence.saturating_add(1);
        let (phase, at) = (Phase::Member, scene.at);
        let joined = ChannelRow { phase, next, unsafe_since: None, epoch, at, missing: None, ..row.clone() };
        self.rows.set_channel(&joined)?;
        Ok(group)
    }

    fn stage(&self, package: &WelcomePackage) -> Result<StagedWelcome, ClientError> {
        let MlsMessageBodyIn::Welcome(welcome) = mls::read_message(&package.welcome)? else {
            return Err(MlsError { what: "welcome", why: "not one" }.into());
        };
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&package.tree)
            .map_err(|_| MlsError { what: "ratchet tree", why: "not in its form" })?;
        let processed = ProcessedWelcome::new_from_welcome(&self.provider, &mls::join_config(), welcome)
            .map_err(ClientError::mls)?;
        if processed.unverified_group_info().extensions().ratchet_tree().is_some() {
            return Err(MlsError { what: "welcome", why: "with a ratchet tree beside the hub's" }.into());
        }
        // A leaf that joined long ago and never committed still carries its key package's lifetime, which is over.
        JoinBuilder::new(&self.provider, processed)
            .with_ratchet_tree(tree)
            .replace_old_group()
            .skip_lifetime_validation()
            .build()
            .map_err(ClientError::mls)
    }

    /// The leaf of the key package that was taken up, now the channel's own.
    fn take_leaf(&self, claim: &LeafClaim<'_>) -> Result<OwnLeaf, ClientError> {
        let participant = claim.leaf().participant;
        let leaf = rows::package_leaf(self.kv, participant)?.ok_or(ClientError::NotForUs)?;
        if !leaf.last_resort {
            rows::remove_package_leaf(self.kv, participant)?;
        }
        Ok(leaf.proven(claim.proof()))
    }
}
