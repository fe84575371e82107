//! Joining again by oneself, when a device cannot follow any more (RFC 9420 section 12.4.3.2).

use openmls::prelude::{MlsGroup, MlsMessageBodyIn, RatchetTreeIn};
use openmls_traits::OpenMlsProvider;
use semblance_core::attestation::LeafProof;
use semblance_core::id::ChannelId;
use semblance_core::record::Record;
use semblance_core::time::Timestamp;
use tls_codec::DeserializeBytes;

use super::receive::Event;
use super::records::{ChannelRow, Outgoing, OwnLeaf, Phase};
use super::rows;
use super::{Client, ClientError, Desk, know_all, read_claim};
use crate::check::{CheckError, Claims};
use crate::limits::MEMBERS_MAX;
use crate::mls::{self, MlsError};
use crate::provider::LeafSigner;
use crate::store::{KeyValue, Store};
use crate::wire::{Body, Commit, Facts, Item, Note, RejoinInfo, Submission};

impl<S: Store> Client<S> {
    /// Makes an external commit that puts this device's leaf into the group again, in the place of the one it had.
    /// `proof` is needed where the device has none yet and the hub does not give it.
    ///
    /// # Errors
    /// The device has no leaf in this channel, or the group is not acceptable.
    pub fn rejoin(
        &mut self,
        channel: ChannelId,
        info: &RejoinInfo,
        proof: Option<LeafProof>,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), ClientError> {
        let phase = self.look(channel, |rows| Ok(rows.channel()?.phase))?;
        if !matches!(phase, Phase::Agreed | Phase::Broken | Phase::Member) {
            return Err(ClientError::Phase);
        }
        self.drop_group(channel, Phase::Broken)?;
        let group = self.without_group(channel, |desk| {
            let row = desk.rows.channel()?;
            let leaf = desk.rejoining_leaf(proof.iter().chain(&info.roster))?;
            let group = desk.external_commit(&row, &leaf, info, facts, now)?;
            desk.rows.set_own_leaf(&leaf)?;
            Ok(group)
        })?;
        self.groups.insert(channel, group);
        Ok(())
    }

    /// While it joins again, a device waits for its own commit; what was before it is passed over, and what comes
    /// after it has to come again.
    pub(super) fn rejoined(&mut self, item: &Item, row: ChannelRow) -> Result<Vec<Event>, ClientError> {
        self.with_group(item.channel, |group, desk| {
            if desk.rows.find_outgoing(item.key)?.is_some_and(|own| own.said.is_none()) {
                desk.rows.remove_outgoing(item.key)?;
                desk.rows.clear_taken()?;
                let next = item.sequence.saturating_add(1);
                let (epoch, phase) = (group.epoch().as_u64(), Phase::Member);
                desk.rows.set_channel(&ChannelRow { phase, next, unsafe_since: None, epoch, ..row })?;
                return Ok(vec![Event::Joined]);
            }
            let bytes = match &item.body {
                Body::Commit(bytes) | Body::Message(bytes) | Body::Removal { proposal: bytes, .. } => bytes,
                Body::Welcome(_) | Body::Work | Body::Ended(_) => return Ok(Vec::new()),
            };
            let after = mls::read_protocol(bytes, item.channel).is_ok_and(|message| message.epoch() >= group.epoch());
            if after && item.sequence >= row.next {
                return Err(ClientError::Gap { expected: row.next });
            }
            desk.own_message(item)
        })
    }
}

impl<K: KeyValue> Desk<'_, K> {
    /// The leaf that the first fitting proof is about: the one it had, or one of a key package whose Welcome was of no
    /// use.
    fn rejoining_leaf<'b>(&self, proofs: impl Iterator<Item = &'b LeafProof>) -> Result<OwnLeaf, ClientError> {
        let own = self.rows.own_leaf()?;
        let known = own.as_ref().map(|leaf| leaf.participant);
        for proof in proofs {
            let Ok(claim) = proof.claims(self.network) else { continue };
            if claim.channel != self.channel {
                continue;
            }
            if known == Some(claim.participant) {
                return own.map(|leaf| leaf.proven(proof)).ok_or(ClientError::Phase);
            }
            if let Some(leaf) = rows::package_leaf(self.kv, claim.participant)? {
                if !leaf.last_resort {
                    rows::remove_package_leaf(self.kv, leaf.participant)?;
                }
                return Ok(leaf.proven(proof));
            }
        }
        own.ok_or(ClientError::Phase)
    }

    fn external_commit(
        &self,
        row: &ChannelRow,
        leaf: &OwnLeaf,
        info: &RejoinInfo,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<MlsGroup, ClientError> {
        let terms = row.charter.verify(self.network, facts)?;
        let MlsMessageBodyIn::GroupInfo(group_info) = mls::read_message(&info.group_info)? else {
            return Err(MlsError { what: "group info", why: "not one" }.into());
        };
        let context = group_info.group_context();
        if mls::channel_of(context.group_id()) != Some(self.channel)
            || !mls::is_of_hub(context.extensions(), &terms.hub_key)
            || !mls::is_to_join_by(&group_info)
        {
            return Err(
                MlsError { what: "group info", why: "of another channel or hub, or with more than is needed" }.into()
            );
        }
        if context.epoch().as_u64() < row.epoch {
            return Err(MlsError { what: "group info", why: "of an epoch that this device has left behind" }.into());
        }
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&info.tree)
            .map_err(|_| MlsError { what: "ratchet tree", why: "not in its form" })?;
        let claims = Claims::read(self.network, &info.roster)?;
        know_all(&claims, facts)?;
        let signing = leaf.signing();
        let proof = leaf.proof.clone().ok_or(ClientError::Phase)?;
        let identity = (leaf.participant, signing.verifying_key());
        let scene = self.scene(&terms, facts, now);
        let attested = scene.check_leaf((identity.0, *identity.1.as_bytes()), &read_claim(&proof, self.network)?)?;
        let (group, bundle) = MlsGroup::external_commit_builder()
            .with_ratchet_tree(tree)
            .with_config(mls::join_config())
            .with_aad(Note { proofs: vec![proof] }.encode())
            .skip_lifetime_validation()
            .build_group(&self.provider, group_info, mls::credential(identity.0, &identity.1))
            .map_err(ClientError::mls)?
            .leaf_node_parameters(
                openmls::prelude::LeafNodeParameters::builder().with_capabilities(mls::capabilities()).build(),
            )
            .load_psks(self.provider.storage())
            .map_err(ClientError::mls)?
            .create_group_info(true)
            .build(self.provider.rand(), self.provider.crypto(), &LeafSigner(&signing), |_| true)
            .map_err(ClientError::mls)?
            .finalize(&self.provider)
            .map_err(ClientError::mls)?;
        let others = group.members().map(|member| mls::identity(&member.credential, &member.signature_key));
        let others = others.filter(|other| other.as_ref().map_or(true, |(id, _)| *id != leaf.participant));
        let mut roster = scene.check_roster(others, &claims)?;
        self.check_new(roster.values())?;
        roster.insert(attested.participant, attested);
        if roster.len() > MEMBERS_MAX {
            return Err(CheckError::Full.into());
        }
        self.set_roster(roster)?;
        let (commit, _, group_info) = bundle.into_messages();
        let group_info = mls::write(&group_info.ok_or(ClientError::Phase)?)?;
        let submission = Submission::Commit(Commit { commit: mls::write(&commit)?, welcome: None, group_info });
        let key = submission.key();
        self.rows.set_outgoing(key, &Outgoing { submission, said: None, taken: false })?;
        let next = info.sequence.saturating_add(1);
        self.rows.set_channel(&ChannelRow { phase: Phase::Rejoining, next, ..row.clone() })?;
        Ok(group)
    }
}
