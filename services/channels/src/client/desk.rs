//! What one step works with: its channel's records and MLS state, in one transaction.

use std::cell::RefCell;
use std::sync::Arc;

use openmls::prelude::MlsGroup;
use semblance_core::attestation::LeafAttestation;
use semblance_core::id::{ChannelId, NetworkId, ParticipantId};
use semblance_core::time::Timestamp;

use super::ClientError;
use super::rows::Rows;
use crate::check::{Roster, Scene};
use crate::mls;
use crate::provider::Provider;
use crate::store::KeyValue;
use crate::wire::{Facts, Terms};

/// What one step works with.
pub(super) struct Desk<'a, K> {
    pub(super) kv: &'a K,
    pub(super) rows: Rows<'a, K>,
    pub(super) provider: Provider<'a, K>,
    pub(super) network: NetworkId,
    pub(super) channel: ChannelId,
    pub(super) roster: &'a RefCell<Option<Arc<Roster>>>,
}

impl<K: KeyValue> Desk<'_, K> {
    pub(super) fn load_group(&self) -> Result<Option<MlsGroup>, ClientError> {
        use openmls_traits::OpenMlsProvider;
        Ok(MlsGroup::load(self.provider.storage(), &mls::group_id(self.channel))?)
    }

    pub(super) fn scene<'b>(&self, terms: &'b Terms, facts: &'b Facts, at: Timestamp) -> Scene<'b> {
        Scene { network: self.network, terms, facts, at }
    }

    pub(super) fn roster(&self) -> Result<Arc<Roster>, ClientError> {
        let mut known = self.roster.borrow_mut();
        if let Some(roster) = known.as_ref() {
            return Ok(Arc::clone(roster));
        }
        let roster = Arc::new(self.rows.roster(self.network)?);
        *known = Some(Arc::clone(&roster));
        Ok(roster)
    }

    pub(super) fn set_roster(&self, roster: Roster) -> Result<(), ClientError> {
        self.rows.set_roster(&roster)?;
        *self.roster.borrow_mut() = Some(Arc::new(roster));
        Ok(())
    }

    pub(super) fn add_leaf(&self, leaf: LeafAttestation) -> Result<(), ClientError> {
        self.rows.add_leaf(&leaf)?;
        if let Some(roster) = self.roster.borrow_mut().as_mut() {
            Arc::make_mut(roster).insert(leaf.participant, leaf);
        }
        Ok(())
    }

    pub(super) fn remove_leaf(&self, participant: ParticipantId) -> Result<(), ClientError> {
        self.rows.remove_leaf(participant)?;
        if let Some(roster) = self.roster.borrow_mut().as_mut() {
            Arc::make_mut(roster).remove(&participant);
        }
        Ok(())
    }
}
