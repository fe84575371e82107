//! What makes a commit acceptable.

use std::collections::BTreeSet;

use openmls::prelude::{
    LeafNode, LeafNodeIndex, Proposal, ProposalOrRefType, PublicGroup, QueuedProposal, Sender, StagedCommit,
};
use semblance_core::attestation::{LeafAttestation, LeafProof};
use semblance_core::id::ParticipantId;

use super::{CheckError, CommitClaims, Roster, Scene};
use crate::limits::{ADDS_MAX, MEMBERS_MAX};
use crate::mls;

/// What an acceptable commit does to the roster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The leaves that come in, with their proofs.
    pub added: Vec<(LeafAttestation, LeafProof)>,
    /// The leaves that go.
    pub removed: Vec<ParticipantId>,
    /// The leaf that takes its own place again, if this is an external commit.
    pub rejoined: Option<ParticipantId>,
}

/// A group, as a check needs to see it.
pub struct Before<'a> {
    /// Who is in it.
    pub roster: &'a Roster,
    /// The tree.
    pub group: &'a PublicGroup,
    /// The leaves whose removal is pending.
    pub pending: &'a BTreeSet<LeafNodeIndex>,
}

/// Checks a commit.
///
/// # Errors
/// See [`CheckError`].
pub fn check_commit(
    scene: &Scene<'_>,
    before: &Before<'_>,
    sender: &Sender,
    staged: &StagedCommit,
    claims: &CommitClaims<'_>,
) -> Result<Change, CheckError> {
    let mut change = Change::default();
    let mut removed = BTreeSet::new();
    for queued in staged.queued_proposals() {
        match queued.proposal() {
            Proposal::Add(add) => {
                let package = add.key_package();
                mls::check_package(package, scene.at).map_err(|_| CheckError::KeyPackage)?;
                if !mls::outlasts_queues(package, scene.at) {
                    return Err(CheckError::KeyPackage);
                }
                let leaf = package.leaf_node();
                change.added.push(check_added(scene, before, leaf, claims)?);
            }
            Proposal::Remove(remove) => {
                let index = remove.removed();
                check_removal(before, sender, staged, queued, index)?;
                removed.insert(index);
                let leaf = before.group.leaf(index).ok_or(CheckError::Ground)?;
                let (participant, _) = mls::identity_of(leaf).map_err(|_| CheckError::Identity)?;
                change.removed.push(participant);
            }
            Proposal::ExternalInit(_) if *sender == Sender::NewMemberCommit => {}
            _ => return Err(CheckError::Proposal),
        }
    }
    match sender {
        Sender::Member(index) => check_own_path(before, staged, *index)?,
        Sender::NewMemberCommit => check_joiner(scene, before, staged, claims, &mut change)?,
        _ => return Err(CheckError::Proposal),
    }
    // Who joins by themselves cannot take up proposals by reference; the hub makes them again in the next epoch.
    if *sender != Sender::NewMemberCommit && !before.pending.is_subset(&removed) {
        return Err(CheckError::Omitted);
    }
    // Whoever joins by an external commit counts as well, and takes the place of the leaf that it replaces.
    check_extent(before.roster.len(), change.added.len(), removed.len())?;
    Ok(change)
}

fn check_extent(members: usize, added: usize, removed: usize) -> Result<(), CheckError> {
    if added > ADDS_MAX {
        return Err(CheckError::TooMany);
    }
    if members + added > MEMBERS_MAX + removed { Err(CheckError::Full) } else { Ok(()) }
}

fn check_added(
    scene: &Scene<'_>,
    before: &Before<'_>,
    leaf: &LeafNode,
    claims: &CommitClaims<'_>,
) -> Result<(LeafAttestation, LeafProof), CheckError> {
    let identity = mls::identity_of(leaf).map_err(|_| CheckError::Identity)?;
    if before.roster.contains_key(&identity.0) {
        return Err(CheckError::Twice);
    }
    let claim = claims.all().of(identity.0)?;
    Ok((scene.check_leaf(identity, claim)?, claim.proof().clone()))
}

/// A member is removed on the hub's proposal alone, or by itself when it joins again.
fn check_removal(
    before: &Before<'_>,
    sender: &Sender,
    staged: &StagedCommit,
    queued: &QueuedProposal,
    index: LeafNodeIndex,
) -> Result<(), CheckError> {
    if matches!(queued.sender(), Sender::External(_)) {
        let by_reference = queued.proposal_or_ref_type() == ProposalOrRefType::Reference;
        return if by_reference && before.pending.contains(&index) { Ok(()) } else { Err(CheckError::Proposal) };
    }
    if *sender != Sender::NewMemberCommit {
        return Err(CheckError::Proposal);
    }
    let old = before.group.leaf(index).ok_or(CheckError::Ground)?;
    let new = staged.update_path_leaf_node().ok_or(CheckError::Identity)?;
    if mls::identity_of(old) == mls::identity_of(new) { Ok(()) } else { Err(CheckError::Proposal) }
}

fn check_own_path(before: &Before<'_>, staged: &StagedCommit, index: LeafNodeIndex) -> Result<(), CheckError> {
    let Some(new) = staged.update_path_leaf_node() else { return Ok(()) };
    let old = before.group.leaf(index).ok_or(CheckError::Identity)?;
    let same = mls::identity_of(old).is_ok_and(|old| mls::identity_of(new) == Ok(old));
    if same && mls::is_plain(new) { Ok(()) } else { Err(CheckError::Identity) }
}

/// Whoever joins by an external commit is proven like anybody who is added.
fn check_joiner(
    scene: &Scene<'_>,
    before: &Before<'_>,
    staged: &StagedCommit,
    claims: &CommitClaims<'_>,
    change: &mut Change,
) -> Result<(), CheckError> {
    let leaf = staged.update_path_leaf_node().ok_or(CheckError::Identity)?;
    let identity = mls::identity_of(leaf).map_err(|_| CheckError::Identity)?;
    if !mls::is_plain(leaf) || !change.added.is_empty() {
        return Err(CheckError::Proposal);
    }
    let claim = claims.all().of(identity.0)?;
    let attested = scene.check_leaf(identity, claim)?;
    let replaced = std::mem::take(&mut change.removed);
    if replaced.iter().any(|gone| *gone != identity.0) {
        return Err(CheckError::Proposal);
    }
    // A leaf of this pseudonym that is still there must be the one that is replaced.
    if before.roster.contains_key(&identity.0) == replaced.is_empty() {
        return Err(CheckError::Twice);
    }
    change.rejoined = Some(identity.0);
    change.added.push((attested, claim.proof().clone()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_channel_takes_whoever_takes_a_place_that_becomes_free() {
        assert_eq!(check_extent(MEMBERS_MAX - 1, 1, 0), Ok(()));
        assert_eq!(check_extent(MEMBERS_MAX, 1, 0), Err(CheckError::Full));
        assert_eq!(check_extent(MEMBERS_MAX, 1, 1), Ok(()), "a device that joins again");
        assert_eq!(check_extent(MEMBERS_MAX, 2, 1), Err(CheckError::Full));
        assert_eq!(check_extent(1, ADDS_MAX, 0), Ok(()));
        assert_eq!(check_extent(1, ADDS_MAX + 1, 0), Err(CheckError::TooMany));
    }
}
