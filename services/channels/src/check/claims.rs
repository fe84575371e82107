//! The proofs that come with a change or a tree, read once.

use std::collections::{BTreeMap, BTreeSet};

use openmls::prelude::{Proposal, StagedCommit};
use semblance_core::attestation::{LeafClaim, LeafProof};
use semblance_core::id::{ConsentId, NetworkId, ParticipantId};

use super::CheckError;
use crate::mls;

/// Proofs of leaves, one for each pseudonym, none of them verified.
#[derive(Debug)]
pub struct Claims<'a>(BTreeMap<ParticipantId, LeafClaim<'a>>);

impl<'a> Claims<'a> {
    /// Reads proofs.
    ///
    /// # Errors
    /// [`CheckError::Unproven`]: one is malformed, or there are two for one pseudonym.
    pub fn read(network: NetworkId, proofs: &'a [LeafProof]) -> Result<Self, CheckError> {
        let mut claims = BTreeMap::new();
        for proof in proofs {
            let claim = proof.claim(network).map_err(|_| CheckError::Unproven)?;
            if claims.insert(claim.leaf().participant, claim).is_some() {
                return Err(CheckError::Unproven);
            }
        }
        Ok(Self(claims))
    }

    /// The proof of a pseudonym's leaf.
    ///
    /// # Errors
    /// [`CheckError::Unproven`]: there is none.
    pub fn of(&self, participant: ParticipantId) -> Result<&LeafClaim<'a>, CheckError> {
        self.0.get(&participant).ok_or(CheckError::Unproven)
    }

    /// The consents that the leaves rest on, as they claim.
    pub fn consents(&self) -> impl Iterator<Item = ConsentId> + '_ {
        self.0.values().map(|claim| claim.leaf().consent)
    }
}

/// The proofs of a commit's note: of the leaves that it brings in, and of no others. A proof of nobody would name a
/// consent that no ledger holds, and everybody would wait for it.
#[derive(Debug)]
pub struct CommitClaims<'a>(Claims<'a>);

impl<'a> CommitClaims<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// [`CheckError::Unproven`], [`CheckError::Identity`].
    pub fn read(network: NetworkId, proofs: &'a [LeafProof], staged: &StagedCommit) -> Result<Self, CheckError> {
        let external = staged.queued_proposals().any(|queued| matches!(queued.proposal(), Proposal::ExternalInit(_)));
        let joiner = staged.update_path_leaf_node().filter(|_| external).map(mls::identity_of);
        let added = staged.add_proposals().map(|add| mls::identity_of(add.add_proposal().key_package().leaf_node()));
        let coming: BTreeSet<_> = added
            .chain(joiner)
            .map(|identity| identity.map(|(participant, _)| participant))
            .collect::<Result<_, _>>()
            .map_err(|_| CheckError::Identity)?;
        let claims = Claims::read(network, proofs)?;
        if claims.0.keys().eq(coming.iter()) { Ok(Self(claims)) } else { Err(CheckError::Unproven) }
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> &Claims<'a> {
        &self.0
    }
}
