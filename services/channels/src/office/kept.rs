//! What devices and other hospitals' nodes say that they have kept.
//!
//! It is noted in memory at once and forgotten on the disk with the next transaction, so that saying it costs no
//! transaction of its own. If the power fails before, what was kept is delivered again and passed over.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use semblance_core::id::OrganisationId;

use super::channel::signed;
use super::device::DeviceId;
use super::{OfficeError, queue};

/// Up to which place each has kept what was delivered to it.
#[derive(Default)]
pub(super) struct Kept {
    devices: BTreeMap<DeviceId, u64>,
    peers: BTreeMap<OrganisationId, u64>,
}

impl Kept {
    pub(super) fn by_device(&self, device: DeviceId) -> u64 {
        self.devices.get(&device).copied().unwrap_or_default()
    }

    pub(super) fn by_peer(&self, peer: &OrganisationId) -> u64 {
        self.peers.get(peer).copied().unwrap_or_default()
    }

    pub(super) fn note_device(&mut self, device: DeviceId, position: u64) {
        let known = self.devices.entry(device).or_default();
        *known = position.max(*known);
    }

    pub(super) fn note_peer(&mut self, peer: &OrganisationId, number: u64) {
        let known = self.peers.entry(peer.clone()).or_default();
        *known = number.max(*known);
    }

    /// Forgets what was kept, within a transaction that is under way.
    pub(super) fn forget(&self, db: &Connection) -> Result<(), OfficeError> {
        for (device, position) in &self.devices {
            queue::drop_until(db, device.as_bytes(), signed(*position))?;
        }
        for (peer, number) in &self.peers {
            db.prepare_cached("DELETE FROM outbox WHERE peer = ?1 AND number <= ?2")?
                .execute(params![peer.as_str(), signed(*number)])?;
        }
        Ok(())
    }

    /// What was kept is forgotten on the disk as well.
    pub(super) fn settle(&mut self) {
        self.devices.clear();
        self.peers.clear();
    }
}
