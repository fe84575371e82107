//! What makes a change of a group acceptable: the same for a hub and for every client, because a client does not trust
//! a hub to have checked.

mod claims;
mod commit;

use std::collections::BTreeMap;

use semblance_core::attestation::{LeafAttestation, LeafClaim, LeafRevocation, PersonRole};
use semblance_core::channel::ChannelKind;
use semblance_core::id::{ConsentId, NetworkId, ParticipantId};
use semblance_core::time::Timestamp;

use crate::limits::MEMBERS_MAX;
use crate::mls::{Identity, MlsError};
use crate::wire::{Facts, Ground, Terms};

pub use claims::{Claims, CommitClaims};
pub use commit::{Before, Change, check_commit};

/// Who stands behind each leaf of a group.
pub type Roster = BTreeMap<ParticipantId, LeafAttestation>;

/// Why a change is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// A leaf's proof is missing, or for another leaf, channel or hospital.
    #[error("a leaf is not proven by its hospital")]
    Unproven,
    /// A leaf rests on a consent that does not allow it, or had ended.
    #[error("a leaf rests on a consent that does not allow it or has ended")]
    Consent,
    /// A consent is not among the facts: this node's ledger may be behind.
    #[error("this node does not know a consent, or its end, yet")]
    Behind(ConsentId),
    /// A proposal of a kind that channels do not use, or by somebody who may not make it.
    #[error("a proposal that is not allowed in a channel")]
    Proposal,
    /// A leaf changed its pseudonym or key.
    #[error("a leaf changed its pseudonym or its key")]
    Identity,
    /// Pending removals are left out.
    #[error("a pending removal is left out")]
    Omitted,
    /// The pseudonym is in the group already.
    #[error("the pseudonym is in the group already")]
    Twice,
    /// Somebody who was removed comes back under the same pseudonym.
    #[error("somebody who was removed comes back under the same pseudonym")]
    Gone,
    /// No leaf, or not this one, is removed for the ground given.
    #[error("the ground does not fit the removed leaf")]
    Ground,
    /// A leaf's key package has expired or is not one of ours.
    #[error("a leaf's key package is not acceptable")]
    KeyPackage,
    /// More leaves are added than one commit may add.
    #[error("more leaves than one commit may add")]
    TooMany,
    /// A channel would have more leaves than it may.
    #[error("more leaves than a channel may have")]
    Full,
}

/// Where a check takes place.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The network.
    pub network: NetworkId,
    /// The channel's terms.
    pub terms: &'a Terms,
    /// What the ledger says.
    pub facts: &'a Facts,
    /// When the hub took the change.
    pub at: Timestamp,
}

impl Scene<'_> {
    /// Checks a leaf against its proof: hospital, consent key, channel, pseudonym, key, consent.
    ///
    /// # Errors
    /// See [`CheckError`].
    pub fn check_leaf(&self, identity: Identity, claim: &LeafClaim<'_>) -> Result<LeafAttestation, CheckError> {
        self.check_claim(identity, claim, false)
    }

    /// As [`Scene::check_leaf`]; `proven` if the signatures have been verified.
    fn check_claim(
        &self,
        identity: Identity,
        claim: &LeafClaim<'_>,
        proven: bool,
    ) -> Result<LeafAttestation, CheckError> {
        let consent = claim.leaf().consent;
        let fact = self.facts.consents.get(&consent).ok_or(CheckError::Behind(consent))?;
        if !self.is_of(claim.leaf(), identity) {
            return Err(CheckError::Unproven);
        }
        let leaf = if proven { Some(claim.leaf().clone()) } else { self.facts.prove(claim) };
        let leaf = leaf.ok_or(CheckError::Unproven)?;
        if self.at >= leaf.expires || !self.takes(&leaf) {
            return Err(CheckError::Unproven);
        }
        if !self.terms.allows(leaf.consent) || !fact.scopes.allow(self.terms.scope()) || fact.long_ended(self.at) {
            return Err(CheckError::Consent);
        }
        Ok(leaf)
    }

    /// Whether a leaf is attested for this channel, pseudonym and key.
    fn is_of(&self, leaf: &LeafAttestation, (participant, key): Identity) -> bool {
        leaf.channel == self.terms.channel && leaf.participant == participant && *leaf.leaf_key.as_bytes() == key
    }

    /// Whether somebody in this role may be in a channel of this kind: patients alone among patients, and in a group
    /// beside them the clinicians of the hospital that opened it.
    fn takes(&self, leaf: &LeafAttestation) -> bool {
        leaf.role == PersonRole::Patient
            || match self.terms.kind {
                ChannelKind::Match => true,
                ChannelKind::Patients => false,
                ChannelKind::Group => leaf.hospital == self.terms.hub,
            }
    }

    /// Checks every leaf of a tree that is joined.
    ///
    /// # Errors
    /// See [`CheckError`]. A leaf whose consent ended is left to the removal that follows.
    pub fn check_roster(
        &self,
        leaves: impl Iterator<Item = Result<Identity, MlsError>>,
        claims: &Claims<'_>,
    ) -> Result<Roster, CheckError> {
        let mut attested = Vec::new();
        for leaf in leaves.take(MEMBERS_MAX + 1) {
            let identity = leaf.map_err(|_| CheckError::Identity)?;
            attested.push((identity, claims.of(identity.0)?));
        }
        // Nobody can make a signature in another's name that passes here; one by one if any does not. What is said of
        // anybody who is not in the tree costs nothing.
        let proven = self.facts.prove_all(attested.iter().map(|(_, claim)| *claim));
        let mut roster = Roster::new();
        for (identity, claim) in attested {
            let leaf = match self.check_claim(identity, claim, proven) {
                Err(CheckError::Consent) => self.prove_ended(claim)?,
                other => other?,
            };
            if roster.insert(identity.0, leaf).is_some() {
                return Err(CheckError::Twice);
            }
        }
        if roster.len() > MEMBERS_MAX {
            return Err(CheckError::Full);
        }
        Ok(roster)
    }

    /// A leaf that is still there although its consent ended: it was proven once.
    fn prove_ended(&self, claim: &LeafClaim<'_>) -> Result<LeafAttestation, CheckError> {
        let leaf = self.facts.prove(claim).ok_or(CheckError::Unproven)?;
        let ended = self.facts.consents.get(&leaf.consent).is_some_and(|fact| fact.ended(self.at).is_some());
        if ended && self.takes(&leaf) && self.terms.allows(leaf.consent) { Ok(leaf) } else { Err(CheckError::Consent) }
    }

    /// Checks that a removal has its ground.
    ///
    /// # Errors
    /// See [`CheckError`].
    pub fn check_ground(&self, leaf: &LeafAttestation, ground: &Ground) -> Result<(), CheckError> {
        match ground {
            Ground::ConsentEnded { consent, transaction } => {
                let fact = self.facts.consents.get(consent).ok_or(CheckError::Behind(*consent))?;
                if *consent != leaf.consent {
                    return Err(CheckError::Ground);
                }
                match (transaction, fact.withdrawn) {
                    (Some(cited), Some((known, _))) if *cited == known => Ok(()),
                    (Some(_), Some(_)) => Err(CheckError::Ground),
                    (Some(_), None) => Err(CheckError::Behind(*consent)),
                    // A hub that had not read by what the consent was withdrawn cites nothing; that it ended is known here.
                    (None, _) if fact.ended(self.at).is_some() => Ok(()),
                    (None, _) => Err(CheckError::Ground),
                }
            }
            Ground::Revoked(signed) => {
                let claim = signed.clone().claim::<LeafRevocation>(self.network).map_err(|_| CheckError::Ground)?;
                let said = claim.claims();
                let fits = said.channel == leaf.channel
                    && said.hospital == leaf.hospital
                    && said.participant == leaf.participant;
                let keys = self.facts.keys_of(&leaf.hospital).ok_or(CheckError::Ground)?;
                let signed = keys.iter().any(|key| claim.clone().verify(key).is_ok());
                if fits && signed { Ok(()) } else { Err(CheckError::Ground) }
            }
        }
    }
}
