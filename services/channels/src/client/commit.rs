//! Following commits, one's own and others'.

use openmls::prelude::{MlsGroup, ProcessedMessageContent, StagedCommit};
use semblance_core::attestation::LeafAttestation;
use semblance_core::record::Record;

use super::receive::Event;
use super::records::{ChannelRow, Phase};
use super::{ClientError, Desk, know_all, pending_removals};
use crate::check::{Before, Change, CheckError, CommitClaims, check_commit};
use crate::mls::{self, MlsError};
use crate::store::KeyValue;
use crate::wire::{Facts, Item, Note, Submission};

impl<K: KeyValue> Desk<'_, K> {
    pub(super) fn follow_commit(
        &self,
        group: &mut MlsGroup,
        item: &Item,
        bytes: &[u8],
        row: &ChannelRow,
        facts: &Facts,
    ) -> Result<Vec<Event>, ClientError> {
        let terms = row.charter.verify(self.network, facts)?;
        let scene = self.scene(&terms, facts, item.at);
        let (roster, pending) = (self.roster()?, pending_removals(group));
        let message = mls::read_handshake(bytes, self.channel)?;
        let processed = group.process_message(&self.provider, message).map_err(ClientError::mls)?;
        let (sender, note) = (processed.sender().clone(), Note::decode(processed.aad()).map_err(|_| malformed())?);
        match processed.into_content() {
            ProcessedMessageContent::OwnPendingCommit => {
                let staged = group.pending_commit().ok_or(ClientError::Phase)?;
                let before = Before { roster: &roster, group: group.public_group(), pending: &pending };
                let claims = CommitClaims::read(self.network, &note.proofs, staged)?;
                let change = check_commit(&scene, &before, &sender, staged, &claims)?;
                self.check_new(change.added.iter().map(|(leaf, _)| leaf))?;
                // As below.
                drop(roster);
                group.merge_pending_commit(&self.provider).map_err(ClientError::mls)?;
                self.changed(change)
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                let claims = CommitClaims::read(self.network, &note.proofs, &staged)?;
                know_all(claims.all(), facts)?;
                let before = Before { roster: &roster, group: group.public_group(), pending: &pending };
                let change = check_commit(&scene, &before, &sender, &staged, &claims)?;
                self.check_new(change.added.iter().map(|(leaf, _)| leaf))?;
                // Its only other holder is the desk, which changes it in place.
                drop(roster);
                self.merge(group, *staged, change)
            }
            _ => Err(malformed().into()),
        }
    }

    /// Nobody who was removed is let in again under the same pseudonym: a hub could bring back a device that its hospital
    /// revoked.
    pub(super) fn check_new<'b>(
        &self,
        leaves: impl IntoIterator<Item = &'b LeafAttestation>,
    ) -> Result<(), ClientError> {
        for leaf in leaves {
            if self.rows.is_gone(leaf.participant)? {
                return Err(CheckError::Gone.into());
            }
        }
        Ok(())
    }

    fn merge(&self, group: &mut MlsGroup, staged: StagedCommit, change: Change) -> Result<Vec<Event>, ClientError> {
        let removed = staged.self_removed();
        let own = self.rows.own_leaf()?.map(|leaf| leaf.participant);
        if removed && change.rejoined.is_some() && change.rejoined == own {
            // This device joined again and does not remember it: it has not left, and cannot follow.
            return Err(ClientError::Phase);
        }
        group.merge_staged_commit(&self.provider, staged).map_err(ClientError::mls)?;
        if removed {
            let row = self.rows.channel()?;
            self.rows.set_channel(&ChannelRow { phase: Phase::Removed, ..row })?;
            self.rows.clear_said()?;
            return Ok(vec![Event::Left]);
        }
        self.changed(change)
    }

    /// Writes down who is in the group now. A commit of our own that was on its way lost, or was this one.
    fn changed(&self, change: Change) -> Result<Vec<Event>, ClientError> {
        for (key, outgoing) in self.rows.outgoing()? {
            if matches!(outgoing.submission, Submission::Commit(_)) {
                self.rows.remove_outgoing(key)?;
            }
        }
        let mut events = Vec::new();
        for gone in &change.removed {
            self.remove_leaf(*gone)?;
            self.rows.add_gone(*gone)?;
        }
        let added: Vec<_> = change.added.iter().map(|(leaf, _)| leaf.participant).collect();
        change.added.into_iter().try_for_each(|(leaf, _)| self.add_leaf(leaf))?;
        if !change.removed.is_empty() {
            events.push(Event::Removed(change.removed));
        }
        if !added.is_empty() {
            let row = self.rows.channel()?;
            self.rows.set_channel(&ChannelRow { unnamed: true, ..row })?;
            events.push(Event::Added(added));
        }
        Ok(events)
    }
}

fn malformed() -> MlsError {
    MlsError { what: "commit", why: "not in its form" }
}
