//! What is noted in memory at once and written with the next transaction, so that it costs none of its own: what devices
//! and other hospitals' nodes say that they have kept, and which members were there lately.
//!
//! If the program ends before, what was kept is delivered again and passed over.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::time::Timestamp;

use super::channel::signed;
use super::device::DeviceId;
use super::{OfficeError, leaf, queue};

/// What waits to be written.
#[derive(Default)]
pub(super) struct Noted {
    /// Up to which place each device has kept what was delivered to it.
    devices: BTreeMap<DeviceId, u64>,
    /// The same of each peer.
    peers: BTreeMap<OrganisationId, u64>,
    /// When members were there last.
    seen: BTreeMap<(ChannelId, ParticipantId), Timestamp>,
}

impl Noted {
    pub(super) fn kept_by_device(&self, device: DeviceId) -> u64 {
        self.devices.get(&device).copied().unwrap_or_default()
    }

    pub(super) fn kept_by_peer(&self, peer: &OrganisationId) -> u64 {
        self.peers.get(peer).copied().unwrap_or_default()
    }

    pub(super) fn device_kept(&mut self, device: DeviceId, position: u64) {
        let known = self.devices.entry(device).or_default();
        *known = position.max(*known);
    }

    pub(super) fn peer_kept(&mut self, peer: &OrganisationId, number: u64) {
        let known = self.peers.entry(peer.clone()).or_default();
        *known = number.max(*known);
    }

    pub(super) fn seen(&mut self, channel: ChannelId, participant: ParticipantId, now: Timestamp) {
        self.seen.insert((channel, participant), now);
    }

    /// Forgets what was kept and writes who was there, within a transaction that is under way.
    pub(super) fn write(&self, db: &Connection) -> Result<(), OfficeError> {
        for (device, position) in &self.devices {
            queue::drop_until(db, device.as_bytes(), signed(*position))?;
        }
        for (peer, number) in &self.peers {
            db.prepare_cached("DELETE FROM outbox WHERE peer = ?1 AND number <= ?2")?
                .execute(params![peer.as_str(), signed(*number)])?;
        }
        for ((channel, participant), at) in &self.seen {
            leaf::seen(db, *channel, *participant, *at)?;
        }
        Ok(())
    }
}
