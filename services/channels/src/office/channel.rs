//! The channels this node is the hub of.

use rusqlite::{OptionalExtension, params};
use semblance_core::id::{ChannelId, Digest};
use semblance_core::record::Record;
use semblance_core::signature::SigningKey;
use semblance_core::time::Timestamp;
use zeroize::Zeroizing;

use super::{Desk, Office, OfficeError};
use crate::store::StoreError;
use crate::wire::{Charter, Facts, Refusal, Terms};

/// A channel as its hub knows it.
pub(super) struct HubChannel {
    pub(super) terms: Terms,
    pub(super) seed: Zeroizing<[u8; 32]>,
    pub(super) created: Option<Digest>,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    pub(super) at: Timestamp,
}

impl HubChannel {
    pub(super) fn signing(&self) -> SigningKey {
        SigningKey::from_seed(&self.seed)
    }
}

impl Office {
    /// Takes up a channel that this node has opened on the ledger. `seed` is that of the hub key in its charter.
    ///
    /// # Errors
    /// The charter does not verify, or names another hub or key.
    pub fn open_channel(
        &mut self,
        charter: &Charter,
        seed: &Zeroizing<[u8; 32]>,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Terms, OfficeError> {
        self.step(now, |desk| {
            let terms = charter.verify(desk.network, facts).map_err(|_| Refusal::Invalid)?;
            if terms.hub != *desk.organisation || SigningKey::from_seed(seed).verifying_key() != terms.hub_key {
                return Err(Refusal::NotHub.into());
            }
            desk.db
                .prepare_cached(
                    "INSERT INTO channels (channel, charter, seed, at) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (channel) DO NOTHING",
                )?
                .execute(params![terms.channel.as_bytes(), charter.encode(), seed.as_slice(), millis(now)])?;
            Ok(terms)
        })
    }

    /// The charter of a channel of which this node is the hub.
    ///
    /// # Errors
    /// No such channel, or the database failed.
    pub fn charter(&mut self, channel: ChannelId, now: Timestamp) -> Result<Charter, OfficeError> {
        self.look(now, |desk| desk.charter(channel))
    }
}

impl Desk<'_> {
    fn charter(&self, channel: ChannelId) -> Result<Charter, OfficeError> {
        let bytes: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT charter FROM channels WHERE channel = ?1")?
            .query_row([channel.as_bytes()], |row| row.get(0))
            .optional()?;
        let bytes = bytes.ok_or(Refusal::UnknownChannel)?;
        Ok(Charter::decode(&bytes).map_err(|error| StoreError::Damaged(error.to_string()))?)
    }

    /// A channel of this hub. Its charter was verified when it was taken up.
    pub(super) fn channel(&self, channel: ChannelId) -> Result<HubChannel, OfficeError> {
        let terms = self.charter(channel)?.trusted(self.network).map_err(damaged)?;
        let row = self
            .db
            .prepare_cached("SELECT seed, created, epoch, sequence, at FROM channels WHERE channel = ?1")?
            .query_row([channel.as_bytes()], |row| {
                Ok(HubChannel {
                    terms,
                    seed: Zeroizing::new(row.get(0)?),
                    created: row.get::<_, Option<[u8; 32]>>(1)?.map(Digest::from_bytes),
                    epoch: unsigned(row.get(2)?),
                    sequence: unsigned(row.get(3)?),
                    at: Timestamp::from_millis(unsigned(row.get(4)?)),
                })
            })?;
        Ok(row)
    }

    pub(super) fn set_group_info(&self, channel: ChannelId, epoch: u64, info: &[u8]) -> Result<(), OfficeError> {
        self.db
            .prepare_cached("UPDATE channels SET epoch = ?2, group_info = ?3 WHERE channel = ?1")?
            .execute(params![channel.as_bytes(), signed(epoch), info])?;
        Ok(())
    }

    pub(super) fn group_info(&self, channel: ChannelId) -> Result<Vec<u8>, OfficeError> {
        let info: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT group_info FROM channels WHERE channel = ?1")?
            .query_row([channel.as_bytes()], |row| row.get(0))?;
        Ok(info.ok_or(Refusal::UnknownChannel)?)
    }
}

pub(super) fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(error.to_string())
}

/// SQLite's integers are signed; ours stay below 2^63.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn millis(moment: Timestamp) -> i64 {
    signed(moment.millis())
}
