//! The hub takes a commit: one an epoch, valid, with nobody in it whom it has not checked, and without leaving out a
//! removal.

use std::collections::BTreeSet;

use openmls::prelude::{
    MlsMessageBodyIn, ProcessedMessage, ProcessedMessageContent, ProtocolMessage, PublicGroup, Sender, StagedCommit,
};
use rusqlite::{OptionalExtension, params};
use semblance_core::id::{ChannelId, Digest, ParticipantId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::channel::{HubChannel, damaged, signed, unsigned};
use super::leaf::LeafState;
use super::tree::{check_group_info, check_keys, indices_of};
use super::{Desk, OfficeError, Speaker};
use crate::check::{Before, Change, CheckError, CommitClaims, Scene, check_commit};
use crate::limits::TREE_BYTES_MAX;
use crate::mls;
use crate::provider::MlsState;
use crate::store::SqliteRows;
use crate::wire::{Body, Commit, Facts, Note, Refusal, WelcomePackage};

/// A commit that openmls and our own checks accept.
struct Accepted {
    staged: StagedCommit,
    change: Change,
}

impl Desk<'_> {
    pub(super) fn commit(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        commit: &Commit,
        facts: &Facts,
    ) -> Result<u64, OfficeError> {
        let known = self.channel(channel)?;
        let key = Digest::of(&commit.commit);
        if let Some(sequence) = self.taken(channel, key, from)? {
            return Ok(sequence);
        }
        let message = mls::read_protocol(&commit.commit, channel).map_err(|_| Refusal::Malformed)?;
        let external = message.is_external();
        if !external {
            self.speaking(channel, from)?;
        }
        if message.epoch().as_u64() != known.epoch {
            return Err(Refusal::WrongEpoch.into());
        }
        self.check_commits(channel, from.participant)?;
        let mut group = self.take_group(channel)?;
        let accepted = self.judge(&known, &group, from, message, facts)?;
        check_welcome(&accepted, commit)?;
        let Accepted { staged, change } = accepted;
        let before = mls::encryption_keys(&group).map_err(damaged)?;
        let rows = SqliteRows::of(self.db);
        let state = MlsState::new(&rows);
        state.settle(group.merge_commit(&state, staged).map_err(|_| OfficeError::from(Refusal::Invalid)))?;
        let after = mls::encryption_keys(&group).map_err(damaged)?;
        check_keys(&after, &before)?;
        self.check_waiting(channel, &change, &after)?;
        check_group_info(&group, from.participant, &commit.group_info, self.crypto)?;
        let epoch = known.epoch.saturating_add(1);
        self.set_group_info(channel, epoch, &commit.group_info)?;
        let sequence = self.place(channel, key, Some(from.participant), &Body::Commit(commit.commit.clone()))?;
        self.db
            .prepare_cached("INSERT INTO commits (channel, epoch, sequence) VALUES (?1, ?2, ?3)")?
            .execute(params![channel.as_bytes(), signed(known.epoch), signed(sequence)])?;
        self.change_leaves(channel, sequence, &change)?;
        self.deliver_ordered(channel, sequence)?;
        self.welcome(channel, sequence, &group, commit, &change)?;
        self.propose_removals(channel, &mut group)?;
        self.keep(channel, group);
        self.ask_for_work(channel)?;
        Ok(sequence)
    }

    /// The place of something that was taken before from the same sender.
    pub(super) fn taken(&self, channel: ChannelId, key: Digest, from: &Speaker) -> Result<Option<u64>, OfficeError> {
        let found: Option<(i64, Option<[u8; 16]>)> = self
            .db
            .prepare_cached("SELECT sequence, sender FROM items WHERE channel = ?1 AND key = ?2")?
            .query_row(params![channel.as_bytes(), key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            Some((sequence, Some(by))) if by == *from.participant.as_bytes() => {
                let own = self.leaf(channel, from.participant)?.filter(|leaf| leaf.hospital == from.hospital);
                own.map(|_| Some(unsigned(sequence))).ok_or_else(|| Refusal::NotAuthorised.into())
            }
            Some(_) => Err(Refusal::NotAuthorised.into()),
            None => Ok(None),
        }
    }

    fn judge(
        &self,
        known: &HubChannel,
        group: &PublicGroup,
        from: &Speaker,
        message: ProtocolMessage,
        facts: &Facts,
    ) -> Result<Accepted, OfficeError> {
        let processed = group.process_message(self.crypto, message).map_err(|_| Refusal::Invalid)?;
        let note = Note::decode(processed.aad()).map_err(|_| Refusal::Malformed)?;
        let sender = processed.sender().clone();
        let staged = staged_commit(processed)?;
        if speaker_of(group, &sender, &staged) != Some(from.participant) {
            return Err(Refusal::NotAuthorised.into());
        }
        let channel = known.terms.channel;
        let cut: BTreeSet<_> =
            self.leaves(channel, &[LeafState::Cut])?.into_iter().map(|leaf| leaf.participant).collect();
        let (roster, pending) = (self.roster(channel)?, indices_of(group, &cut));
        let before = Before { roster: &roster, group, pending: &pending };
        let scene = Scene { network: self.network, terms: &known.terms, facts, at: self.now };
        let claims = CommitClaims::read(self.network, &note.proofs, &staged).map_err(refusal)?;
        let change = check_commit(&scene, &before, &sender, &staged, &claims).map_err(refusal)?;
        self.check_admitted(channel, from, &staged, &change)?;
        Ok(Accepted { staged, change })
    }

    /// A hub lets nobody in whom their own hospital did not hand to it for this channel, with this very key package.
    fn check_admitted(
        &self,
        channel: ChannelId,
        from: &Speaker,
        staged: &StagedCommit,
        change: &Change,
    ) -> Result<(), OfficeError> {
        if let Some(joiner) = change.rejoined {
            let leaf = self.leaf(channel, joiner)?.filter(|leaf| leaf.hospital == from.hospital);
            return match leaf.map(|leaf| leaf.state) {
                Some(LeafState::Member | LeafState::Pending) => Ok(()),
                Some(LeafState::Cut | LeafState::Gone) => Err(Refusal::Ended.into()),
                None => Err(Refusal::Unproven.into()),
            };
        }
        for add in staged.add_proposals() {
            let package = add.add_proposal().key_package();
            let (participant, _) = mls::identity_of(package.leaf_node()).map_err(|_| Refusal::Invalid)?;
            let bytes = mls::write(package).map_err(|_| Refusal::Invalid)?;
            let leaf = self.leaf(channel, participant)?.filter(|leaf| leaf.state == LeafState::Pending);
            if leaf.and_then(|leaf| leaf.key_package) != Some(bytes) {
                return Err(Refusal::Unproven.into());
            }
        }
        Ok(())
    }

    /// Nobody takes the key of somebody who waits: no commit could add them any more.
    fn check_waiting(&self, channel: ChannelId, change: &Change, keys: &[Vec<u8>]) -> Result<(), OfficeError> {
        let coming: BTreeSet<_> = change.added.iter().map(|(leaf, _)| leaf.participant).collect();
        for leaf in self.pending(channel)?.into_iter().filter(|leaf| !coming.contains(&leaf.participant)) {
            let package = leaf.key_package.as_ref().map(|bytes| mls::read_key_package(bytes, self.crypto, self.now));
            let Some(Ok(package)) = package else { continue };
            if keys.contains(&mls::key_of(package.leaf_node().encryption_key()).map_err(damaged)?) {
                return Err(Refusal::Invalid.into());
            }
        }
        Ok(())
    }

    fn change_leaves(&self, channel: ChannelId, sequence: u64, change: &Change) -> Result<(), OfficeError> {
        for gone in &change.removed {
            self.set_leaf_state(channel, *gone, LeafState::Gone, None)?;
        }
        for (leaf, proof) in &change.added {
            // Who joins by itself sees its own commit; who is welcomed begins after it.
            // Nobody has seen a device that was added: it may sleep, and is not the first to be asked for work.
            let (since, seen) = match change.rejoined {
                Some(_) => (sequence, self.now),
                None => (sequence.saturating_add(1), Timestamp::from_millis(0)),
            };
            self.put_leaf(leaf, proof, None, (LeafState::Member, since), seen)?;
        }
        Ok(())
    }

    fn welcome(
        &self,
        channel: ChannelId,
        sequence: u64,
        group: &PublicGroup,
        commit: &Commit,
        change: &Change,
    ) -> Result<(), OfficeError> {
        let Some(welcome) = &commit.welcome else { return Ok(()) };
        let roster = self.leaves(channel, &[LeafState::Member, LeafState::Cut])?;
        let package = WelcomePackage {
            welcome: welcome.clone(),
            tree: mls::write(&group.export_ratchet_tree()).map_err(|_| Refusal::Invalid)?,
            roster: roster.into_iter().map(|leaf| leaf.proof).collect(),
            group_info: commit.group_info.clone(),
        };
        if package.tree.len() > TREE_BYTES_MAX {
            return Err(Refusal::TooLarge.into());
        }
        let to = change.added.iter().map(|(leaf, _)| (leaf.hospital.clone(), leaf.participant));
        self.deliver_apart(channel, sequence, Body::Welcome(package), to.collect())
    }
}

fn staged_commit(processed: ProcessedMessage) -> Result<StagedCommit, Refusal> {
    match processed.into_content() {
        ProcessedMessageContent::StagedCommitMessage(staged) => Ok(*staged),
        _ => Err(Refusal::Malformed),
    }
}

/// Whose commit it is.
fn speaker_of(group: &PublicGroup, sender: &Sender, staged: &StagedCommit) -> Option<ParticipantId> {
    let leaf = match sender {
        Sender::Member(index) => group.leaf(*index)?,
        Sender::NewMemberCommit => staged.update_path_leaf_node()?,
        _ => return None,
    };
    mls::identity_of(leaf).ok().map(|(participant, _)| participant)
}

/// A Welcome goes with a commit if and only if it adds somebody.
fn check_welcome(accepted: &Accepted, commit: &Commit) -> Result<(), OfficeError> {
    let adds = accepted.staged.add_proposals().next().is_some();
    let fits = match &commit.welcome {
        Some(bytes) => adds && matches!(mls::read_message(bytes), Ok(MlsMessageBodyIn::Welcome(_))),
        None => !adds,
    };
    if fits { Ok(()) } else { Err(Refusal::Malformed.into()) }
}

fn refusal(error: CheckError) -> Refusal {
    match error {
        CheckError::Omitted => Refusal::MustCommit,
        CheckError::Unproven | CheckError::Consent | CheckError::Behind(_) | CheckError::KeyPackage => {
            Refusal::Unproven
        }
        CheckError::TooMany => Refusal::TooLarge,
        CheckError::Full => Refusal::Full,
        CheckError::Proposal | CheckError::Identity | CheckError::Twice | CheckError::Gone | CheckError::Ground => {
            Refusal::Invalid
        }
    }
}
