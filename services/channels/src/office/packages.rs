//! The directory of key packages: each is handed out once, for one channel, by the device's own hospital.

use rusqlite::{OptionalExtension, params};
use semblance_core::attestation::LeafProof;
use semblance_core::id::{ChannelId, Digest, OrganisationId, ParticipantId};
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;

use super::channel::{damaged, millis, signed, unsigned};
use super::device::DeviceId;
use super::{Office, OfficeError};
use crate::limits::KEY_PACKAGES_MAX;
use crate::mls;
use crate::wire::{Admission, Refusal};

/// A key package that a device leaves with its hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageUpload {
    /// The MLS KeyPackage.
    pub bytes: Vec<u8>,
    /// Whether it may be handed out again when no other is left.
    pub last_resort: bool,
}

impl Office {
    /// Keeps a device's key packages. One that is there already is left as it is.
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
                        key.as_bytes(),
                        upload.bytes,
                        signed(package.life_time().not_after().saturating_mul(1000)),
                        upload.last_resort
                    ])?;
            }
            let count: i64 = desk
                .db
                .prepare_cached("SELECT count(*) FROM key_packages WHERE device = ?1 AND handed_out = 0")?
                .query_row([device.as_bytes()], |row| row.get(0))?;
            if unsigned(count) > KEY_PACKAGES_MAX as u64 + 1 {
                return Err(Refusal::TooMany.into());
            }
            Ok(())
        })
    }

    /// How many one-time key packages of a device can still be handed out.
    ///
    /// # Errors
    /// The database failed.
    pub fn packages_left(&mut self, device: DeviceId, now: Timestamp) -> Result<u64, OfficeError> {
        self.step(now, |desk| {
            let count: i64 = desk
                .db
                .prepare_cached(
                    "SELECT count(*) FROM key_packages
                     WHERE device = ?1 AND last_resort = 0 AND handed_out = 0 AND expires > ?2",
                )?
                .query_row(params![device.as_bytes(), millis(now)], |row| row.get(0))?;
            Ok(unsigned(count))
        })
    }

    /// Hands out a key package of a device for a channel, with the hospital's word on its leaf from `attest`. The same
    /// device in the same channel gets no second leaf while it has one.
    ///
    /// # Errors
    /// There is none left, or the device has a leaf in the channel.
    pub fn hand_out(
        &mut self,
        device: DeviceId,
        channel: ChannelId,
        hub: &OrganisationId,
        attest: impl FnOnce(ParticipantId, VerifyingKey) -> Option<LeafProof>,
        now: Timestamp,
    ) -> Result<Admission, OfficeError> {
        self.step(now, |desk| {
            let has_leaf: i64 = desk
                .db
                .prepare_cached(
                    "SELECT count(*) FROM own_leaves WHERE device = ?1 AND channel = ?2 AND state = 'open'",
                )?
                .query_row(params![device.as_bytes(), channel.as_bytes()], |row| row.get(0))?;
            if has_leaf != 0 {
                return Err(Refusal::ChannelExists.into());
            }
            let found = desk
                .db
                .prepare_cached(
                    "SELECT digest, participant, leaf_key, bytes FROM key_packages
                     WHERE device = ?1 AND expires > ?2 AND (handed_out = 0 OR last_resort = 1)
                     AND NOT EXISTS (SELECT 1 FROM own_leaves
                         WHERE own_leaves.channel = ?3 AND own_leaves.participant = key_packages.participant)
                     ORDER BY last_resort, expires LIMIT 1",
                )?
                .query_row(params![device.as_bytes(), millis(now), channel.as_bytes()], |row| {
                    let (digest, participant): ([u8; 32], [u8; 16]) = (row.get(0)?, row.get(1)?);
                    Ok((digest, participant, row.get::<_, [u8; 32]>(2)?, row.get::<_, Vec<u8>>(3)?))
                })
                .optional()?;
            let (digest, participant, key, bytes) = found.ok_or(Refusal::NoKeyPackage)?;
            let key = VerifyingKey::from_bytes(&key).map_err(damaged)?;
            let proof = attest(ParticipantId::from_bytes(participant), key).ok_or(Refusal::Unproven)?;
            desk.db
                .prepare_cached("UPDATE key_packages SET handed_out = handed_out + 1 WHERE digest = ?1")?
                .execute([digest])?;
            desk.bind_leaf(device, &proof, hub)?;
            desk.note("hospital", "hand-out", Some(channel), "ok")?;
            Ok(Admission { channel, key_package: bytes, proof })
        })
    }
}
