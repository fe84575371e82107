//! The directory of key packages: each is handed out once, for one channel, by the device's own hospital.

use rusqlite::{OptionalExtension, params};
use semblance_core::attestation::LeafProof;
use semblance_core::id::{ChannelId, Digest, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;

use super::channel::{damaged, millis, signed, unsigned};
use super::device::DeviceId;
use super::{Desk, Office, OfficeError};
use crate::limits::{KEY_PACKAGES_MAX, QUEUE_MILLIS};
use crate::mls;
use crate::wire::{Admission, KeyPackageUpload, Refusal};

/// The leaf of a key package, for which the hospital has to give its word before it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageLeaf {
    /// Its pseudonym.
    pub participant: ParticipantId,
    /// Its key.
    pub leaf_key: VerifyingKey,
}

/// How long a key package may wait at a hub to be added: a day, in milliseconds.
const WAIT_MILLIS: u64 = 86_400_000;

/// Until when a key package has to live to be added: members may sleep, as long as queues are kept.
fn addable(now: Timestamp) -> i64 {
    millis(now.plus(QUEUE_MILLIS))
}

/// Until when a key package has to live to be handed out.
fn fresh(now: Timestamp) -> i64 {
    addable(now.plus(WAIT_MILLIS))
}

impl Office {
    /// Keeps a device's key packages. One that is there already is left as it is. Whoever brings a new one of last resort
    /// renews the directory: older ones make room.
    ///
    /// # Errors
    /// One is not in its form, or there would be too many.
    pub fn upload(
        &mut self,
        device: DeviceId,
        packages: &[KeyPackageUpload],
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| {
            desk.drop_stale(device)?;
            let renews = packages.iter().any(|one| one.last_resort) && !desk.has_last_resort(device)?;
            for upload in packages {
                let package = mls::read_key_package(&upload.bytes, desk.crypto, now).map_err(|_| Refusal::Malformed)?;
                if package.last_resort() != upload.last_resort {
                    return Err(Refusal::Malformed.into());
                }
                let (participant, key) = mls::identity_of(package.leaf_node()).map_err(damaged)?;
                desk.db
                    .prepare_cached(
                        "INSERT INTO key_packages (digest, device, participant, leaf_key, bytes, expires, last_resort)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![
                        Digest::of(&upload.bytes).as_bytes(),
                        device.as_bytes(),
                        participant.as_bytes(),
                        key,
                        upload.bytes,
                        signed(package.life_time().not_after().saturating_mul(1000)),
                        upload.last_resort
                    ])?;
            }
            desk.check_count(device, renews)
        })
    }

    /// How many one-time key packages of a device can still be handed out; none if that of last resort has to be renewed,
    /// which devices do when none is left.
    ///
    /// # Errors
    /// The database failed.
    pub fn packages_left(&mut self, device: DeviceId, now: Timestamp) -> Result<u64, OfficeError> {
        self.look(now, |desk| {
            if !desk.has_last_resort(device)? {
                return Ok(0);
            }
            let count: i64 = desk
                .db
                .prepare_cached(
                    "SELECT count(*) FROM key_packages
                     WHERE device = ?1 AND last_resort = 0 AND handed_out = 0 AND expires > ?2",
                )?
                .query_row(params![device.as_bytes(), fresh(now)], |row| row.get(0))?;
            Ok(unsigned(count))
        })
    }

    /// The pseudonym of a device's open leaf in a channel and, where the leaf is that of a key package, whether a hub still
    /// adds it.
    ///
    /// # Errors
    /// The database failed.
    pub fn bound(
        &mut self,
        device: DeviceId,
        channel: ChannelId,
        now: Timestamp,
    ) -> Result<Option<(ParticipantId, Option<bool>)>, OfficeError> {
        self.look(now, |desk| {
            let found = desk
                .db
                .prepare_cached(
                    "SELECT participant, expires FROM own_leaves LEFT JOIN key_packages USING (device, participant)
                     WHERE device = ?1 AND channel = ?2 AND state = 'open'",
                )?
                .query_row(params![device.as_bytes(), channel.as_bytes()], |row| {
                    let expires: Option<i64> = row.get(1)?;
                    Ok((ParticipantId::from_bytes(row.get(0)?), expires.map(|moment| moment > addable(desk.now))))
                })
                .optional()?;
            Ok(found)
        })
    }

    /// The key package of a device that would be handed out next for a channel: the one that was, if the device has a
    /// leaf there, so that handing over again does no harm. Where that one has expired meanwhile its leaf is closed, since
    /// nobody can add it any more, and another one is taken.
    ///
    /// # Errors
    /// There is none left.
    pub fn next_package(
        &mut self,
        device: DeviceId,
        channel: ChannelId,
        now: Timestamp,
    ) -> Result<PackageLeaf, OfficeError> {
        self.step(now, |desk| {
            desk.close_expired(device, channel)?;
            let found = desk
                .db
                .prepare_cached(
                    "SELECT participant, leaf_key FROM key_packages AS package
                     WHERE device = ?1 AND (EXISTS (SELECT 1 FROM own_leaves AS leaf
                             WHERE leaf.channel = ?3 AND leaf.participant = package.participant AND leaf.state = 'open')
                         OR (expires > ?2 AND (handed_out = 0 OR last_resort = 1)
                             AND NOT EXISTS (SELECT 1 FROM own_leaves AS leaf
                                 WHERE leaf.channel = ?3 AND leaf.participant = package.participant)))
                     ORDER BY EXISTS (SELECT 1 FROM own_leaves AS leaf
                             WHERE leaf.channel = ?3 AND leaf.participant = package.participant) DESC,
                         last_resort, expires LIMIT 1",
                )?
                .query_row(params![device.as_bytes(), fresh(now), channel.as_bytes()], |row| {
                    Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, [u8; 32]>(1)?))
                })
                .optional()?;
            let (participant, key) = found.ok_or(Refusal::NoKeyPackage)?;
            let leaf_key = VerifyingKey::from_bytes(&key).map_err(damaged)?;
            Ok(PackageLeaf { participant: ParticipantId::from_bytes(participant), leaf_key })
        })
    }

    /// Hands out the key package of [`Office::next_package`] for a channel, with the proof of its leaf. A device has
    /// one leaf in a channel; the same again gives the same.
    ///
    /// # Errors
    /// It was handed out for another channel meanwhile, or the device has another leaf in this one.
    pub fn hand_out(
        &mut self,
        device: DeviceId,
        channel: ChannelId,
        hub: &OrganisationId,
        leaf: &PackageLeaf,
        proof: LeafProof,
        now: Timestamp,
    ) -> Result<Admission, OfficeError> {
        self.step(now, |desk| {
            let bound = desk.open_leaf(device, channel)?;
            if let Some((participant, kept)) = bound {
                if participant != leaf.participant {
                    return Err(Refusal::ChannelExists.into());
                }
                let (bytes, _) = desk.package(device, participant)?;
                return Ok(Admission { channel, key_package: bytes, proof: kept });
            }
            let (bytes, spent) = desk.package(device, leaf.participant)?;
            if spent {
                return Err(Refusal::NoKeyPackage.into());
            }
            desk.db
                .prepare_cached(
                    "UPDATE key_packages SET handed_out = handed_out + 1 WHERE device = ?1 AND participant = ?2",
                )?
                .execute(params![device.as_bytes(), leaf.participant.as_bytes()])?;
            desk.bind_leaf(device, &proof, hub)?;
            desk.note("hospital", "hand-out", Some(channel), "ok")?;
            Ok(Admission { channel, key_package: bytes, proof })
        })
    }
}

/// Whether an open leaf rests on a key package, which is then kept so that the leaf is known for what it is.
const RESTS: &str = "EXISTS (SELECT 1 FROM own_leaves AS leaf WHERE leaf.device = package.device
    AND leaf.participant = package.participant AND leaf.state = 'open')";

impl Desk<'_> {
    /// Forgets key packages of any device that have expired.
    pub(super) fn clean_packages(&self) -> Result<(), OfficeError> {
        let sql = format!("DELETE FROM key_packages AS package WHERE expires <= ?1 AND NOT {RESTS}");
        self.db.prepare_cached(&sql)?.execute([millis(self.now)])?;
        Ok(())
    }

    /// Forgets key packages of a device that have expired, and those that are not handed out any more.
    fn drop_stale(&self, device: DeviceId) -> Result<(), OfficeError> {
        let sql = format!(
            "DELETE FROM key_packages AS package WHERE device = ?1 AND NOT {RESTS}
                 AND (expires <= ?2 OR (handed_out = 0 AND expires <= ?3))"
        );
        self.db.prepare_cached(&sql)?.execute(params![device.as_bytes(), millis(self.now), fresh(self.now)])?;
        Ok(())
    }

    /// Whether a device has a key package of last resort that can be handed out.
    fn has_last_resort(&self, device: DeviceId) -> Result<bool, OfficeError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM key_packages WHERE device = ?1 AND last_resort = 1 AND expires > ?2)";
        let parameters = params![device.as_bytes(), fresh(self.now)];
        Ok(self.db.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?)
    }

    /// Holds the limit on a device's key packages that wait to be handed out.
    fn check_count(&self, device: DeviceId, renews: bool) -> Result<(), OfficeError> {
        let count: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM key_packages WHERE device = ?1 AND handed_out = 0 AND expires > ?2")?
            .query_row(params![device.as_bytes(), millis(self.now)], |row| row.get(0))?;
        let excess = unsigned(count).saturating_sub(KEY_PACKAGES_MAX as u64 + 1);
        if excess > 0 && !renews {
            return Err(Refusal::TooMany.into());
        }
        self.db
            .prepare_cached(
                "DELETE FROM key_packages WHERE digest IN (SELECT digest FROM key_packages
                     WHERE device = ?1 AND handed_out = 0 AND last_resort = 0 ORDER BY expires LIMIT ?2)",
            )?
            .execute(params![device.as_bytes(), signed(excess)])?;
        Ok(())
    }

    /// Closes the leaf of a device in a channel if its key package cannot be added any more.
    fn close_expired(&self, device: DeviceId, channel: ChannelId) -> Result<(), OfficeError> {
        self.db
            .prepare_cached(
                "UPDATE own_leaves SET state = 'ended' WHERE device = ?1 AND channel = ?2 AND state = 'open'
                     AND participant IN (SELECT participant FROM key_packages WHERE device = ?1 AND expires <= ?3)",
            )?
            .execute(params![device.as_bytes(), channel.as_bytes(), addable(self.now)])?;
        Ok(())
    }

    /// A key package by its pseudonym, and whether it may no longer be handed out.
    fn package(&self, device: DeviceId, participant: ParticipantId) -> Result<(Vec<u8>, bool), OfficeError> {
        let found = self
            .db
            .prepare_cached(
                "SELECT bytes, handed_out > 0 AND last_resort = 0 FROM key_packages
                 WHERE device = ?1 AND participant = ?2",
            )?
            .query_row(params![device.as_bytes(), participant.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.ok_or(Refusal::NoKeyPackage)?)
    }

    /// The open leaf of a device in a channel, with its proof.
    fn open_leaf(
        &self,
        device: DeviceId,
        channel: ChannelId,
    ) -> Result<Option<(ParticipantId, LeafProof)>, OfficeError> {
        let found = self
            .db
            .prepare_cached(
                "SELECT participant, proof FROM own_leaves WHERE device = ?1 AND channel = ?2 AND state = 'open'",
            )?
            .query_row(params![device.as_bytes(), channel.as_bytes()], |row| {
                Ok((ParticipantId::from_bytes(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        let Some((participant, proof)) = found else { return Ok(None) };
        Ok(Some((participant, LeafProof::decode(&proof).map_err(damaged)?)))
    }
}
