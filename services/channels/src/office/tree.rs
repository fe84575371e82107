//! The public side of a channel's MLS group.

use std::collections::BTreeSet;

use openmls::prelude::{LeafNodeIndex, PublicGroup};
use semblance_core::id::{ChannelId, ParticipantId};

use super::{Desk, OfficeError};
use crate::mls;
use crate::provider::MlsState;
use crate::store::SqliteRows;
use crate::wire::Refusal;

impl Desk<'_> {
    /// Takes a channel's group out of memory, or reads it. Whoever changes it puts it back with [`Desk::keep`].
    pub(super) fn take_group(&mut self, channel: ChannelId) -> Result<PublicGroup, OfficeError> {
        if let Some(group) = self.groups.remove(&channel) {
            return Ok(group);
        }
        let rows = SqliteRows::of(self.db);
        let group = PublicGroup::load(&MlsState::new(&rows), &mls::group_id(channel))?;
        Ok(group.ok_or(Refusal::UnknownChannel)?)
    }

    pub(super) fn keep(&mut self, channel: ChannelId, group: PublicGroup) {
        self.groups.insert(channel, group);
    }
}

/// The leaf of a pseudonym.
pub(super) fn index_of(group: &PublicGroup, participant: ParticipantId) -> Option<LeafNodeIndex> {
    let is_of = |member: &openmls::prelude::Member| {
        mls::identity(&member.credential, &member.signature_key).is_ok_and(|(id, _)| id == participant)
    };
    group.members().find(is_of).map(|member| member.index)
}

/// The leaves of pseudonyms.
pub(super) fn indices_of(group: &PublicGroup, participants: &BTreeSet<ParticipantId>) -> BTreeSet<LeafNodeIndex> {
    if participants.is_empty() {
        return BTreeSet::new();
    }
    let wanted = |member: &openmls::prelude::Member| {
        mls::identity(&member.credential, &member.signature_key).is_ok_and(|(id, _)| participants.contains(&id))
    };
    group.members().filter(wanted).map(|member| member.index).collect()
}
