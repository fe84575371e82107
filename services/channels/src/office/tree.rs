//! The public side of a channel's MLS group.

use std::collections::BTreeSet;

use openmls::prelude::{LeafNodeIndex, MlsMessageBodyIn, OpenMlsSignaturePublicKey, PublicGroup, Verifiable};
use openmls_rust_crypto::RustCrypto;
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
        let state = MlsState::new(&rows);
        let group = PublicGroup::load(&state, &mls::group_id(channel)).map_err(OfficeError::from);
        Ok(state.settle(group)?.ok_or(Refusal::UnknownChannel)?)
    }

    /// Puts a group back into memory; what is changed and not put back is read again.
    pub(super) fn keep(&mut self, channel: ChannelId, group: PublicGroup) {
        self.changed.push(channel);
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

/// Checks the GroupInfo that came with a commit against the group as the commit left it. Whoever joins by themselves
/// has nothing else: with one of another epoch, one that does not verify, or one with another confirmation tag than the
/// commit's, nobody could join any more.
pub(super) fn check_group_info(
    group: &PublicGroup,
    by: ParticipantId,
    bytes: &[u8],
    crypto: &RustCrypto,
) -> Result<(), Refusal> {
    let Ok(MlsMessageBodyIn::GroupInfo(info)) = mls::read_message(bytes) else { return Err(Refusal::Malformed) };
    let (_, signer) = mls::end_of_group_info(bytes).ok_or(Refusal::Malformed)?;
    let index = index_of(group, by).ok_or(Refusal::Invalid)?;
    let leaf = group.leaf(index).ok_or(Refusal::Invalid)?;
    let fits = mls::is_at(group, bytes) && mls::is_to_join_by(&info) && signer == index.u32();
    let key = leaf.signature_key().clone();
    let key = OpenMlsSignaturePublicKey::from_signature_key(key, mls::SUITE.signature_algorithm());
    if fits && info.verify_no_out(crypto, &key).is_ok() { Ok(()) } else { Err(Refusal::Invalid) }
}

/// Checks the keys that a commit brings into a tree in which these were. With one twice nobody could join any more, whether
/// added or by themselves; with one that nobody can encrypt to, most commits would fail.
pub(super) fn check_keys(after: &[Vec<u8>], before: &[Vec<u8>]) -> Result<(), Refusal> {
    let known: BTreeSet<_> = before.iter().collect();
    let different: BTreeSet<_> = after.iter().collect();
    let (twice, twice_before) = (after.len() - different.len(), before.len() - known.len());
    let usable = different.difference(&known).all(|key| mls::is_usable(key));
    if usable && twice <= twice_before { Ok(()) } else { Err(Refusal::Invalid) }
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
