//! The hub is handed a device that its own hospital lets in, and keeps it until a member adds it.

use std::collections::BTreeSet;

use semblance_core::attestation::LeafAttestation;
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::time::Timestamp;

use super::channel::damaged;
use super::leaf::LeafState;
use super::{Desk, Office, OfficeError, Speaker};
use crate::check::Scene;
use crate::limits::{ADDS_MAX, LEAVES_OF_CONSENT_MAX, MEMBERS_MAX, WAITING_OF_HOSPITAL_MAX};
use crate::mls;
use crate::wire::{Admission, Body, Facts, Refusal, RejoinInfo};

/// Members asked to commit for those who wait, at a time.
const ASKED: usize = 3;

impl Office {
    /// Takes a device that a hospital hands over for a channel. The same again changes nothing.
    ///
    /// # Errors
    /// Refused: unproven, from another hospital than it names, or the channel is full.
    pub fn admit(
        &mut self,
        from: &OrganisationId,
        admission: &Admission,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| desk.admit(from, admission, facts))
    }

    /// Whether a channel has its group.
    ///
    /// # Errors
    /// This node is not its hub.
    pub fn has_group(&mut self, channel: ChannelId, now: Timestamp) -> Result<bool, OfficeError> {
        self.look(now, |desk| Ok(desk.channel(channel)?.created.is_some()))
    }

    /// Those who wait to be added, for a member to add.
    ///
    /// # Errors
    /// The asker is no member.
    pub fn admissions(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        now: Timestamp,
    ) -> Result<Vec<Admission>, OfficeError> {
        let somebody = self.look_for(channel, from, now, |desk, _| Ok(!desk.pending(channel)?.is_empty()))?;
        if somebody { self.step(now, |desk| desk.admissions(channel)) } else { Ok(Vec::new()) }
    }

    /// What a device needs to join by itself.
    ///
    /// # Errors
    /// The asker takes no part in the channel.
    pub fn rejoin_info(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        now: Timestamp,
    ) -> Result<RejoinInfo, OfficeError> {
        self.step(now, |desk| {
            let leaf = desk.leaf(channel, from.participant)?.filter(|leaf| leaf.hospital == from.hospital);
            let own = match leaf {
                Some(leaf) if matches!(leaf.state, LeafState::Member | LeafState::Pending) => leaf,
                Some(_) => return Err(Refusal::Ended.into()),
                None => return Err(Refusal::NotMember.into()),
            };
            let group = desk.take_group(channel)?;
            let tree = mls::write(&group.export_ratchet_tree()).map_err(damaged)?;
            desk.keep(channel, group);
            let mut roster = desk.leaves(channel, &[LeafState::Member, LeafState::Cut])?;
            roster.retain(|leaf| leaf.participant != own.participant);
            roster.insert(0, own);
            Ok(RejoinInfo {
                group_info: desk.group_info(channel)?,
                tree,
                roster: roster.into_iter().map(|leaf| leaf.proof).collect(),
                sequence: desk.channel(channel)?.sequence,
            })
        })
    }
}

impl Desk<'_> {
    fn admit(&mut self, from: &OrganisationId, admission: &Admission, facts: &Facts) -> Result<(), OfficeError> {
        let channel = admission.channel;
        let known = self.channel(channel)?;
        let package =
            mls::read_key_package(&admission.key_package, self.crypto, self.now).map_err(|_| Refusal::Malformed)?;
        let identity = mls::identity_of(package.leaf_node()).map_err(|_| Refusal::Malformed)?;
        let scene = Scene { network: self.network, terms: &known.terms, facts, at: self.now };
        let claim = admission.proof.claim(self.network).map_err(|_| Refusal::Unproven)?;
        let leaf = scene.check_leaf(identity, &claim).map_err(|_| Refusal::Unproven)?;
        // A hub that still trusts a consent which has just ended would only remove the leaf again.
        // What was asked of the ledger may be a moment old: a withdrawal that this office has read since counts.
        let ended = facts.consents.get(&leaf.consent).is_none_or(|fact| fact.ended(self.now).is_some())
            || self.is_withdrawn(leaf.consent)?;
        if leaf.hospital != *from || ended {
            return Err(Refusal::Unproven.into());
        }
        match self.leaf(channel, leaf.participant)?.map(|leaf| leaf.state) {
            Some(LeafState::Pending | LeafState::Member) => return Ok(()),
            Some(LeafState::Cut | LeafState::Gone) => return Err(Refusal::Ended.into()),
            None => {}
        }
        if !mls::outlasts_queues(&package, self.now) {
            return Err(Refusal::NoKeyPackage.into());
        }
        self.check_room(channel, &leaf)?;
        self.put_leaf(&leaf, &admission.proof, Some(&admission.key_package), (LeafState::Pending, 0), self.now)?;
        self.ask_for_work(channel)
    }

    /// Nobody fills a channel alone, or waits with a key that somebody has already: no commit could add both.
    fn check_room(&self, channel: ChannelId, new: &LeafAttestation) -> Result<(), OfficeError> {
        let (mut there, mut waiting, mut on_consent) = (0, 0, 0);
        for leaf in self.leaves(channel, &[LeafState::Pending, LeafState::Member, LeafState::Cut])? {
            let attested = leaf.proof.claims(self.network).map_err(damaged)?;
            if attested.leaf_key == new.leaf_key {
                return Err(Refusal::Invalid.into());
            }
            there += 1;
            waiting += usize::from(leaf.state == LeafState::Pending && leaf.hospital == new.hospital);
            on_consent += usize::from(attested.consent == new.consent);
        }
        let full = there >= MEMBERS_MAX || waiting >= WAITING_OF_HOSPITAL_MAX || on_consent >= LEAVES_OF_CONSENT_MAX;
        if full { Err(Refusal::Full.into()) } else { Ok(()) }
    }

    /// Those who wait and can be added, the first who came first. Of two with one key the first alone can, and nobody with
    /// a key of the tree's: they come in by themselves. Those whose key package would run out while members sleep wait no
    /// more: their hospital hands over another one when they ask again.
    fn admissions(&mut self, channel: ChannelId) -> Result<Vec<Admission>, OfficeError> {
        let group = self.take_group(channel)?;
        let mut taken: BTreeSet<_> = mls::encryption_keys(&group).map_err(damaged)?.into_iter().collect();
        self.keep(channel, group);
        let mut admissions = Vec::new();
        for leaf in self.pending(channel)? {
            let Some(key_package) = leaf.key_package else { continue };
            let read = mls::read_key_package(&key_package, self.crypto, self.now).ok();
            let Some(package) = read.filter(|package| mls::outlasts_queues(package, self.now)) else {
                self.set_leaf_state(channel, leaf.participant, LeafState::Gone, None)?;
                continue;
            };
            let keys = mls::keys_of(&package).map_err(damaged)?;
            if admissions.len() == ADDS_MAX || keys.iter().any(|key| taken.contains(key)) {
                continue;
            }
            taken.extend(keys);
            admissions.push(Admission { channel, key_package, proof: leaf.proof });
        }
        Ok(admissions)
    }

    /// Asks a few members that were here lately to commit, if somebody waits.
    pub(super) fn ask_for_work(&self, channel: ChannelId) -> Result<(), OfficeError> {
        if self.leaves(channel, &[LeafState::Pending, LeafState::Cut])?.is_empty() {
            return Ok(());
        }
        let sequence = self.channel(channel)?.sequence;
        let mut statement = self.db.prepare_cached(
            "SELECT participant FROM leaves WHERE channel = ?1 AND state = 'member' ORDER BY seen DESC LIMIT ?2",
        )?;
        let rows = statement
            .query_map(rusqlite::params![channel.as_bytes(), ASKED as i64], |row| row.get::<_, [u8; 16]>(0))?;
        let mut to = Vec::new();
        for participant in rows {
            let participant = ParticipantId::from_bytes(participant?);
            if let Some(leaf) = self.leaf(channel, participant)? {
                to.push((leaf.hospital, participant));
            }
        }
        self.deliver_apart(channel, sequence, Body::Work, to)
    }
}
