//! Making the next step of one's own: a commit if somebody waits for one, otherwise the next thing to say.

use std::collections::BTreeSet;

use openmls::prelude::{KeyPackage, LeafNode, MlsGroup};
use openmls_traits::OpenMlsProvider;
use semblance_core::id::ChannelId;
use semblance_core::record::Record;
use semblance_core::time::Timestamp;
use zeroize::Zeroizing;

use super::content::Content;
use super::records::{ChannelRow, Outgoing, Phase};
use super::{Client, ClientError, Desk, read_claim};
use crate::limits::ADDS_MAX;
use crate::mls::{self, MlsError};
use crate::provider::LeafSigner;
use crate::store::{KeyValue, Store};
use crate::wire::{Admission, Commit, Facts, Note, Submission};

impl<S: Store> Client<S> {
    /// Puts something to say in the queue; [`Client::advance`] encrypts it when its turn comes.
    ///
    /// # Errors
    /// It is empty or too long, or the device takes no part in the channel.
    pub fn say(&mut self, channel: ChannelId, content: &Content) -> Result<(), ClientError> {
        if !content.fits() {
            return Err(ClientError::Content);
        }
        self.without_group(channel, |desk| {
            let row = desk.rows.channel()?;
            if row.phase == Phase::Removed {
                return Err(ClientError::Phase);
            }
            desk.rows.add_waiting(row.said, content)?;
            let unnamed = row.unnamed && !matches!(content, Content::Introduce { .. });
            Ok(desk.rows.set_channel(&ChannelRow { said: row.said.saturating_add(1), unnamed, ..row })?)
        })
    }

    /// Makes what is to be submitted next, if anything: a commit that takes up pending removals and `admissions`, or
    /// the messages that wait. Returns whether something new is in [`Client::outgoing`].
    ///
    /// # Errors
    /// [`ClientError::Unsafe`]: somebody whose consent ended is still there. Nothing is sent.
    pub fn advance(
        &mut self,
        channel: ChannelId,
        admissions: &[Admission],
        facts: &Facts,
        now: Timestamp,
    ) -> Result<bool, ClientError> {
        let row = self.look(channel, |rows| rows.channel())?;
        if row.phase != Phase::Member {
            return Ok(false);
        }
        match self.next_step(channel, &row, admissions, facts, now) {
            // Whoever waits with a leaf that cannot be added keeps nobody from speaking or from removing others.
            Err(ClientError::Mls(_)) if !admissions.is_empty() => self.next_step(channel, &row, &[], facts, now),
            other => other,
        }
    }

    fn next_step(
        &mut self,
        channel: ChannelId,
        row: &ChannelRow,
        admissions: &[Admission],
        facts: &Facts,
        now: Timestamp,
    ) -> Result<bool, ClientError> {
        self.with_group(channel, |group, desk| {
            let outgoing = desk.rows.outgoing()?;
            if group.pending_commit().is_some() {
                return Ok(false);
            }
            let wanted = group.has_pending_proposals() || !admissions.is_empty();
            if wanted && desk.commit(group, row, admissions, facts, now)? {
                return Ok(true);
            }
            desk.encrypt_waiting(group, row, &outgoing.into_iter().filter_map(|(_, one)| one.said).collect::<Vec<_>>())
        })
    }

    /// Commits nothing but new keys for this device's leaf, so that what was known of the old ones is worth nothing.
    ///
    /// # Errors
    /// The device is not in the group, or has something on its way.
    pub fn refresh(&mut self, channel: ChannelId) -> Result<bool, ClientError> {
        let row = self.look(channel, |rows| rows.channel())?;
        if row.phase != Phase::Member {
            return Err(ClientError::Phase);
        }
        self.with_group(channel, |group, desk| {
            if group.pending_commit().is_some() {
                return Ok(false);
            }
            desk.build_commit(group, &[]).map(|()| true)
        })
    }

    /// Looks whether the hub let somebody stay whose consent ended long enough ago, by fresh facts about
    /// [`Client::consents`]. While it does, this device says nothing.
    ///
    /// # Errors
    /// The store failed.
    pub fn review(&mut self, channel: ChannelId, facts: &Facts, now: Timestamp) -> Result<bool, ClientError> {
        let ended = |consent| facts.consents.get(consent).is_some_and(|fact| fact.long_ended(now));
        let unsafe_now = self.roster(channel)?.values().any(|leaf| ended(&leaf.consent));
        if self.look(channel, |rows| Ok(rows.channel()?.unsafe_since.is_some()))? != unsafe_now {
            self.without_group(channel, |desk| {
                let row = desk.rows.channel()?;
                let unsafe_since = unsafe_now.then_some(now);
                Ok(desk.rows.set_channel(&ChannelRow { unsafe_since, ..row })?)
            })?;
        }
        Ok(!unsafe_now)
    }
}

impl<K: KeyValue> Desk<'_, K> {
    /// Commits what is pending and those who wait and are acceptable; false if there is nothing to do.
    fn commit(
        &self,
        group: &mut MlsGroup,
        row: &ChannelRow,
        admissions: &[Admission],
        facts: &Facts,
        now: Timestamp,
    ) -> Result<bool, ClientError> {
        let terms = row.charter.verify(self.network, facts)?;
        let scene = self.scene(&terms, facts, now);
        let mut taken = Taken::of(group)?;
        let mut adds: Vec<(KeyPackage, &Admission)> = Vec::new();
        for admission in admissions {
            let Ok(package) = mls::read_key_package(&admission.key_package, self.provider.crypto(), now) else {
                continue;
            };
            if !mls::outlasts_queues(&package, now) {
                continue;
            }
            let identity = mls::identity_of(package.leaf_node())?;
            let claim = read_claim(&admission.proof, self.network);
            let proven = claim.is_ok_and(|claim| scene.check_leaf(identity, &claim).is_ok());
            let proven = proven && !self.rows.is_gone(identity.0)?;
            if proven && adds.len() < ADDS_MAX && taken.take(&package)? {
                adds.push((package, admission));
            }
        }
        if adds.is_empty() && !group.has_pending_proposals() {
            return Ok(false);
        }
        self.build_commit(group, &adds).map(|()| true)
    }

    fn build_commit(&self, group: &mut MlsGroup, adds: &[(KeyPackage, &Admission)]) -> Result<(), ClientError> {
        let leaf = self.rows.own_leaf()?.ok_or(ClientError::Phase)?;
        let signing = leaf.signing();
        let note = Note { proofs: adds.iter().map(|(_, admission)| admission.proof.clone()).collect() };
        group.set_aad(note.encode());
        let bundle = group
            .commit_builder()
            .consume_proposal_store(true)
            .force_self_update(adds.is_empty())
            .propose_adds(adds.iter().map(|(package, _)| package.clone()))
            .load_psks(self.provider.storage())
            .map_err(ClientError::mls)?
            .create_group_info(true)
            .build(self.provider.rand(), self.provider.crypto(), &LeafSigner(&signing), |_| true)
            .map_err(ClientError::mls)?
            .stage_commit(&self.provider)
            .map_err(ClientError::mls)?;
        let (commit, welcome, group_info) = bundle.into_messages();
        let group_info = group_info.ok_or(ClientError::Phase)?;
        let submission = Submission::Commit(Commit {
            commit: mls::write(&commit)?,
            welcome: welcome.as_ref().map(mls::write).transpose()?,
            group_info: mls::write(&group_info)?,
        });
        let key = submission.key();
        Ok(self.rows.set_outgoing(key, &Outgoing { submission, said: None, taken: false })?)
    }

    /// Encrypts what waits and is not on its way, unless a member has to be removed first.
    fn encrypt_waiting(&self, group: &mut MlsGroup, row: &ChannelRow, under_way: &[u64]) -> Result<bool, ClientError> {
        let waiting = self.rows.waiting()?;
        let mut fresh = waiting.into_iter().filter(|(said, _)| !under_way.contains(said)).peekable();
        if fresh.peek().is_none() || group.has_pending_proposals() {
            return Ok(false);
        }
        if row.unsafe_since.is_some() {
            return Err(ClientError::Unsafe);
        }
        let leaf = self.rows.own_leaf()?.ok_or(ClientError::Phase)?;
        let signing = leaf.signing();
        let marks = leaf.marks(self.channel, group.epoch());
        for (said, content) in fresh {
            group.set_aad(marks.of(said).bytes().to_vec());
            let plain = Zeroizing::new(Record::encode(&content as &Content));
            let message =
                group.create_message(&self.provider, &LeafSigner(&signing), &plain).map_err(ClientError::mls)?;
            let submission = Submission::Message(mls::write(&message)?);
            let key = submission.key();
            self.rows.set_outgoing(key, &Outgoing { submission, said: Some(said), taken: false })?;
        }
        Ok(true)
    }
}

/// What no two leaves of a group may share (RFC 9420 section 7.3): pseudonyms, signature keys and encryption keys, these
/// not with parents either.
struct Taken(BTreeSet<Vec<u8>>);

impl Taken {
    fn of(group: &MlsGroup) -> Result<Self, MlsError> {
        let mut taken: BTreeSet<_> = mls::encryption_keys(group.public_group())?.into_iter().collect();
        for member in group.members() {
            if let Some(leaf) = group.public_group().leaf(member.index) {
                taken.extend(names(leaf)?);
            }
        }
        Ok(Self(taken))
    }

    /// Takes what a key package brings, unless any of it is taken.
    fn take(&mut self, package: &KeyPackage) -> Result<bool, MlsError> {
        let mut brings = names(package.leaf_node())?.to_vec();
        brings.extend(mls::keys_of(package)?);
        let different = brings.iter().collect::<BTreeSet<_>>().len() == brings.len();
        let free = different && brings.iter().all(|one| !self.0.contains(one));
        if free {
            self.0.extend(brings);
        }
        Ok(free)
    }
}

fn names(leaf: &LeafNode) -> Result<[Vec<u8>; 2], MlsError> {
    Ok([mls::write(leaf.credential())?, mls::write(leaf.signature_key())?])
}
