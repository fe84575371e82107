//! The devices of this hospital's people.

mod revocation;

use std::fmt;

use rusqlite::{OptionalExtension, params};
use semblance_core::attestation::{LeafProof, PersonRole};
use semblance_core::encode::{Reader, Writer};
use semblance_core::id::{ChannelId, Digest, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::channel::{damaged, millis};
use super::{Desk, Office, OfficeError, Speaker};
use crate::wire::Refusal;

/// The random name of a device, known to its hospital alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// Takes bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What a device shows to be believed. Wipes itself; debug output shows nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Token(pub [u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// A device and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub device: DeviceId,
    /// The hospital's own name for the person.
    pub person: String,
    /// As whom the person takes part.
    pub role: PersonRole,
}

impl Office {
    /// Registers a new device of a person and returns what it has to show from now on. Nobody can find that out again.
    ///
    /// # Errors
    /// The database failed.
    pub fn register_device(
        &mut self,
        person: &str,
        role: PersonRole,
        now: Timestamp,
    ) -> Result<(DeviceId, Token), OfficeError> {
        self.step(now, |desk| {
            let (device, token) = (DeviceId(desk.random.array()), Token(desk.random.array()));
            let mut code = Writer::default();
            role.write(&mut code);
            desk.db
                .prepare_cached(
                    "INSERT INTO devices (device, person, role, token, state, at) VALUES (?1, ?2, ?3, ?4, 'active', ?5)",
                )?
                .execute(params![
                    device.0,
                    person,
                    code.finish().first().copied().unwrap_or_default(),
                    Digest::of(&token.0).as_bytes(),
                    millis(now)
                ])?;
            desk.note("hospital", "register-device", None, "ok")?;
            Ok((device, token))
        })
    }

    /// Whose device shows this token.
    ///
    /// # Errors
    /// None's.
    pub fn authenticate(&mut self, token: &Token, now: Timestamp) -> Result<Device, OfficeError> {
        self.look(now, |desk| {
            let found = desk
                .db
                .prepare_cached("SELECT device, person, role FROM devices WHERE token = ?1 AND state = 'active'")?
                .query_row([Digest::of(&token.0).as_bytes()], |row| {
                    Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?, row.get::<_, u8>(2)?))
                })
                .optional()?;
            let (device, person, role) = found.ok_or(Refusal::NotAuthorised)?;
            let role = PersonRole::read(&mut Reader::new(&[role])).map_err(damaged)?;
            Ok(Device { device: DeviceId(device), person, role })
        })
    }

    /// The channels a device has a leaf in, with the hub of each.
    ///
    /// # Errors
    /// The database failed.
    pub fn channels_of(
        &mut self,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<Vec<(ChannelId, ParticipantId, OrganisationId)>, OfficeError> {
        self.look(now, |desk| desk.open_leaves(device))
    }

    /// As whom a device speaks in a channel, and to which hub.
    ///
    /// # Errors
    /// It takes no part in it.
    pub fn speaker(
        &mut self,
        device: DeviceId,
        channel: ChannelId,
        now: Timestamp,
    ) -> Result<(Speaker, OrganisationId), OfficeError> {
        let channels = self.channels_of(device, now)?;
        let found = channels.into_iter().find(|(one, _, _)| *one == channel);
        let (_, participant, hub) = found.ok_or(Refusal::NotMember)?;
        Ok((Speaker { hospital: self.organisation.clone(), participant }, hub))
    }

    /// Takes a device's token away, and nothing else: [`Office::lose_device`] ends its parts as well.
    ///
    /// # Errors
    /// The database failed.
    pub fn revoke_device(&mut self, device: DeviceId, now: Timestamp) -> Result<(), OfficeError> {
        self.step(now, |desk| desk.revoke_device(device).map(drop))
    }

    /// Remembers which device stands behind a pseudonym, so that what a hub delivers to it arrives.
    ///
    /// # Errors
    /// The consent was withdrawn, or the database failed.
    pub fn bind_leaf(
        &mut self,
        device: DeviceId,
        proof: &LeafProof,
        hub: &OrganisationId,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| desk.bind_leaf(device, proof, hub))
    }
}

impl Desk<'_> {
    /// The open leaves of a device, with the hub of each.
    fn open_leaves(&self, device: DeviceId) -> Result<Vec<(ChannelId, ParticipantId, OrganisationId)>, OfficeError> {
        let sql = "SELECT channel, participant, hub FROM own_leaves WHERE device = ?1 AND state = 'open'";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([device.0], |row| {
            let (channel, participant): ([u8; 16], [u8; 16]) = (row.get(0)?, row.get(1)?);
            Ok((ChannelId::from_bytes(channel), ParticipantId::from_bytes(participant), row.get::<_, String>(2)?))
        })?;
        rows.map(|row| {
            let (channel, participant, hub) = row?;
            Ok((channel, participant, OrganisationId::new(&hub).map_err(damaged)?))
        })
        .collect()
    }

    /// Whether a device may still do anything.
    pub(super) fn is_active(&self, device: DeviceId) -> Result<bool, OfficeError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM devices WHERE device = ?1 AND state = 'active')";
        Ok(self.db.prepare_cached(sql)?.query_row([device.0], |row| row.get(0))?)
    }

    pub(super) fn bind_leaf(
        &self,
        device: DeviceId,
        proof: &LeafProof,
        hub: &OrganisationId,
    ) -> Result<(), OfficeError> {
        let leaf = proof.claims(self.network).map_err(|_| Refusal::Malformed)?;
        if self.is_withdrawn(leaf.consent)? || !self.is_active(device)? {
            return Err(Refusal::Unproven.into());
        }
        self.db
            .prepare_cached(
                "INSERT INTO own_leaves (channel, participant, device, hub, consent, proof, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open') ON CONFLICT (channel, participant) DO NOTHING",
            )?
            .execute(params![
                leaf.channel.as_bytes(),
                leaf.participant.as_bytes(),
                device.0,
                hub.as_str(),
                leaf.consent.as_bytes(),
                proof.encode()
            ])?;
        Ok(())
    }
}
