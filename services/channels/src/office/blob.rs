//! Encrypted attachments.

use rusqlite::{OptionalExtension, params};
use semblance_core::id::{ChannelId, Digest};
use semblance_core::time::Timestamp;

use super::channel::{millis, signed};
use super::{Office, OfficeError, Speaker};
use crate::limits::ATTACHMENT_BYTES_MAX;
use crate::wire::Refusal;

/// What encryption adds to an attachment at most.
const OVERHEAD: u64 = 64 << 10;

impl Office {
    /// Keeps an attachment of a member, for thirty days.
    ///
    /// # Errors
    /// The sender is no member, it is too large, or its digest is another one.
    pub fn put_blob(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        digest: Digest,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        if bytes.len() as u64 > ATTACHMENT_BYTES_MAX + OVERHEAD {
            return Err(Refusal::TooLarge.into());
        }
        if Digest::of(bytes) != digest {
            return Err(Refusal::Malformed.into());
        }
        self.step(now, |desk| {
            desk.speaking(channel, from)?;
            desk.db
                .prepare_cached(
                    "INSERT INTO blobs (digest, channel, size, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    digest.as_bytes(),
                    channel.as_bytes(),
                    signed(bytes.len() as u64),
                    bytes,
                    millis(now)
                ])?;
            Ok(())
        })
    }

    /// An attachment, for a member of its channel.
    ///
    /// # Errors
    /// The asker is no member, or there is none.
    pub fn blob(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Vec<u8>, OfficeError> {
        self.step(now, |desk| {
            desk.speaking(channel, from)?;
            let found = desk
                .db
                .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1 AND channel = ?2")?
                .query_row(params![digest.as_bytes(), channel.as_bytes()], |row| row.get(0))
                .optional()?;
            Ok(found.ok_or(Refusal::Malformed)?)
        })
    }
}
