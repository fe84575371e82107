//! Devices that are lost, stolen or no longer used, and those that leave a channel: this hospital serves them no more from
//! that moment on, and its signed word for each hub lies here until the hub has heard it.

use rusqlite::{OptionalExtension, params};
use semblance_core::attestation::PersonRole;
use semblance_core::encode::{Reader, Writer};
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::signature::SignedBytes;
use semblance_core::time::Timestamp;

use super::super::channel::{damaged, unsigned};
use super::super::{Desk, Office, OfficeError};
use super::DeviceId;
use crate::wire::{Ground, Refusal};

/// A leaf of this hospital's, and the hub of its channel.
type OwnLeaf = (ChannelId, ParticipantId, OrganisationId);

/// A registered device, as operators see it: its name, as whom its person takes part, whether it may still do anything,
/// and when it was registered.
type Registered = (DeviceId, PersonRole, bool, Timestamp);

impl Office {
    /// All devices that were ever registered for a person, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub fn list_devices(&mut self, person: &str, now: Timestamp) -> Result<Vec<Registered>, OfficeError> {
        self.look(now, |desk| {
            let mut statement = desk.db.prepare_cached(
                "SELECT device, role, state = 'active', at FROM devices WHERE person = ?1 ORDER BY at DESC, device",
            )?;
            let rows = statement.query_map([person], |row| {
                let at = Timestamp::from_millis(unsigned(row.get(3)?));
                Ok((DeviceId(row.get(0)?), row.get::<_, u8>(1)?, row.get(2)?, at))
            })?;
            rows.map(|row| {
                let (device, role, active, at) = row?;
                Ok((device, PersonRole::read(&mut Reader::new(&[role])).map_err(damaged)?, active, at))
            })
            .collect()
        })
    }

    /// A device is lost: its token, its queue and its key packages go, all its parts end, and what `sign` says of each is
    /// kept for the hub. Returns whether there is such a device.
    ///
    /// # Errors
    /// The database failed; nothing has happened.
    pub fn lose_device(
        &mut self,
        device: DeviceId,
        sign: impl Fn(ChannelId, ParticipantId) -> SignedBytes,
        now: Timestamp,
    ) -> Result<bool, OfficeError> {
        self.step(now, |desk| {
            let known = desk.revoke_device(device)?;
            for leaf in desk.open_leaves(device)? {
                desk.give_up(&leaf, &sign(leaf.0, leaf.1))?;
            }
            Ok(known)
        })
    }

    /// A device leaves a channel: nothing more is delivered to it, and it is told so. Returns its hub.
    ///
    /// # Errors
    /// It takes no part in the channel.
    pub fn leave(
        &mut self,
        device: DeviceId,
        channel: ChannelId,
        sign: impl Fn(ChannelId, ParticipantId) -> SignedBytes,
        now: Timestamp,
    ) -> Result<OwnLeaf, OfficeError> {
        self.step(now, |desk| {
            let leaf = desk.open_leaves(device)?.into_iter().find(|(one, _, _)| *one == channel);
            let leaf = leaf.ok_or(Refusal::NotMember)?;
            let revocation = sign(leaf.0, leaf.1);
            desk.end_own_leaf((leaf.0, leaf.1), &leaf.2, &Ground::Revoked(revocation.clone()))?;
            desk.give_up(&leaf, &revocation)?;
            Ok(leaf)
        })
    }

    /// A leaf is given up because nobody can add it any more; the device goes on with another one.
    ///
    /// # Errors
    /// The database failed.
    pub fn give_up_leaf(
        &mut self,
        leaf: &OwnLeaf,
        revocation: &SignedBytes,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| desk.give_up(leaf, revocation))
    }

    /// A leaf of which no hub has heard is forgotten.
    ///
    /// # Errors
    /// The database failed.
    pub fn forget_leaf(
        &mut self,
        channel: ChannelId,
        participant: ParticipantId,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| desk.close_leaf(channel, participant))
    }

    /// The hubs that have not heard of every revocation yet.
    ///
    /// # Errors
    /// The database failed.
    pub fn hubs_to_tell(&mut self, now: Timestamp) -> Result<Vec<OrganisationId>, OfficeError> {
        self.look(now, |desk| {
            // From hub to hub along the index, as in [`Office::peers`].
            let mut statement = desk.db.prepare_cached(
                "WITH RECURSIVE hubs (hub) AS (
                     SELECT min(hub) FROM revocations UNION ALL
                     SELECT (SELECT min(hub) FROM revocations WHERE hub > hubs.hub) FROM hubs WHERE hub IS NOT NULL
                 )
                 SELECT hub FROM hubs WHERE hub IS NOT NULL",
            )?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.map(|hub| Ok(OrganisationId::new(&hub?).map_err(damaged)?)).collect()
        })
    }

    /// What a hub has not heard yet.
    ///
    /// # Errors
    /// The database failed.
    pub fn revocations(
        &mut self,
        hub: &OrganisationId,
        now: Timestamp,
    ) -> Result<Vec<(OwnLeaf, SignedBytes)>, OfficeError> {
        self.look(now, |desk| {
            let mut statement =
                desk.db.prepare_cached("SELECT channel, participant, revocation FROM revocations WHERE hub = ?1")?;
            let rows = statement.query_map([hub.as_str()], |row| {
                let leaf = (ChannelId::from_bytes(row.get(0)?), ParticipantId::from_bytes(row.get(1)?), hub.clone());
                Ok((leaf, row.get::<_, Vec<u8>>(2)?))
            })?;
            rows.map(|row| {
                let (leaf, bytes) = row?;
                Ok((leaf, SignedBytes::read(&mut Reader::new(&bytes)).map_err(damaged)?))
            })
            .collect()
        })
    }

    /// A hub has heard of a revocation.
    ///
    /// # Errors
    /// The database failed.
    pub fn revocation_heard(
        &mut self,
        channel: ChannelId,
        participant: ParticipantId,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| {
            desk.db
                .prepare_cached("DELETE FROM revocations WHERE channel = ?1 AND participant = ?2")?
                .execute(params![channel.as_bytes(), participant.as_bytes()])?;
            Ok(())
        })
    }
}

impl Desk<'_> {
    /// Takes a device's token, queue and key packages away. Returns whether there is such a device.
    pub(super) fn revoke_device(&self, device: DeviceId) -> Result<bool, OfficeError> {
        let sql = "UPDATE devices SET state = 'revoked' WHERE device = ?1 RETURNING device";
        let known = self.db.prepare_cached(sql)?.query_row([device.0], |_| Ok(())).optional()?.is_some();
        for table in ["queue", "key_packages"] {
            self.db.prepare_cached(&format!("DELETE FROM {table} WHERE device = ?1"))?.execute([device.0])?;
        }
        if known {
            self.note("hospital", "revoke-device", None, "ok")?;
        }
        Ok(known)
    }

    fn give_up(&self, (channel, participant, hub): &OwnLeaf, revocation: &SignedBytes) -> Result<(), OfficeError> {
        let mut writer = Writer::default();
        revocation.write(&mut writer);
        self.close_leaf(*channel, *participant)?;
        self.db
            .prepare_cached(
                "INSERT INTO revocations (channel, participant, hub, revocation) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![channel.as_bytes(), participant.as_bytes(), hub.as_str(), writer.finish()])?;
        Ok(())
    }
}
