//! Encrypted attachments, handed in and out in pieces.

use rusqlite::{OptionalExtension, params};
use semblance_core::id::{ChannelId, Digest, ParticipantId};
use semblance_core::time::Timestamp;

use super::channel::{millis, signed, unsigned};
use super::{Desk, Office, OfficeError, Speaker};
use crate::limits::{ATTACHMENT_BYTES_MAX, CHANNEL_ATTACHMENTS_MAX, PIECE_BYTES};
use crate::wire::{Piece, Refusal};

/// What encryption and padding add to an attachment at most.
const OVERHEAD: u64 = 4 << 20;
/// Attachments of one channel within the time that they are kept.
const BLOBS_MAX: u64 = 1_000;
/// What one member puts into a channel within that time, in bytes.
const MEMBER_BYTES_MAX: u64 = 200 << 20;

impl Office {
    /// Keeps a piece of a member's attachment. Pieces come in any order, and again; the attachment is there when all
    /// have come and their digest is the one it is known by. Returns whether it is.
    ///
    /// # Errors
    /// The sender is no member, the attachment or the channel's attachments are too large, or the pieces are others.
    pub fn put_piece(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        piece: &Piece,
        now: Timestamp,
    ) -> Result<bool, OfficeError> {
        let pieces = piece.size.div_ceil(PIECE_BYTES as u64);
        let start = piece.number.saturating_mul(PIECE_BYTES as u64);
        let expected = piece.size.saturating_sub(start).min(PIECE_BYTES as u64);
        if piece.size > ATTACHMENT_BYTES_MAX + OVERHEAD {
            return Err(Refusal::TooLarge.into());
        }
        if piece.number >= pieces || piece.bytes.len() as u64 != expected {
            return Err(Refusal::Malformed.into());
        }
        self.step(now, |desk| {
            desk.speaking(channel, from)?;
            if desk.begin_blob(channel, piece)? {
                return Ok(true);
            }
            desk.check_bytes(channel, from.participant, piece.bytes.len() as u64)?;
            let sql = "INSERT INTO blob_pieces (channel, digest, number, participant, bytes)
                       VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
            let (digest, participant) = (piece.digest.as_bytes(), from.participant);
            desk.db.prepare_cached(sql)?.execute(params![
                channel.as_bytes(),
                digest,
                signed(piece.number),
                participant.as_bytes(),
                piece.bytes
            ])?;
            desk.finish_blob(channel, piece.digest, pieces)
        })
    }

    /// A piece of an attachment, for a member of its channel.
    ///
    /// # Errors
    /// The asker is no member, or there is no such piece.
    pub fn piece(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        (digest, number): (Digest, u64),
        now: Timestamp,
    ) -> Result<Piece, OfficeError> {
        self.look_for(channel, from, now, |desk, _| {
            let found = desk
                .db
                .prepare_cached(
                    "SELECT size, bytes FROM blobs JOIN blob_pieces USING (channel, digest)
                     WHERE channel = ?1 AND digest = ?2 AND number = ?3 AND whole = 1",
                )?
                .query_row(params![channel.as_bytes(), digest.as_bytes(), signed(number)], |row| {
                    Ok(Piece { digest, size: unsigned(row.get(0)?), number, bytes: row.get(1)? })
                })
                .optional()?;
            Ok(found.ok_or(Refusal::Malformed)?)
        })
    }
}

impl Desk<'_> {
    /// Begins an attachment if this is its first piece. Returns whether it is there as a whole.
    fn begin_blob(&self, channel: ChannelId, piece: &Piece) -> Result<bool, OfficeError> {
        let known: Option<(i64, bool)> = self
            .db
            .prepare_cached("SELECT size, whole FROM blobs WHERE channel = ?1 AND digest = ?2")?
            .query_row(params![channel.as_bytes(), piece.digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match known {
            Some((size, whole)) if unsigned(size) == piece.size => return Ok(whole),
            Some(_) => return Err(Refusal::Malformed.into()),
            None => {}
        }
        let held: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM blobs WHERE channel = ?1")?
            .query_row([channel.as_bytes()], |row| row.get(0))?;
        if unsigned(held) >= BLOBS_MAX {
            return Err(Refusal::Full.into());
        }
        self.db
            .prepare_cached("INSERT INTO blobs (digest, channel, size, whole, at) VALUES (?1, ?2, ?3, 0, ?4)")?
            .execute(params![piece.digest.as_bytes(), channel.as_bytes(), signed(piece.size), millis(self.now)])?;
        Ok(false)
    }

    /// Makes sure that there is room for so many bytes more, in the channel and of this member. What counts is what lies
    /// there, not what somebody says that an attachment will have.
    fn check_bytes(&self, channel: ChannelId, participant: ParticipantId, more: u64) -> Result<(), OfficeError> {
        let (all, own): (i64, i64) = self
            .db
            .prepare_cached(
                "SELECT coalesce(sum(length(bytes)), 0),
                     coalesce(sum(length(bytes)) FILTER (WHERE participant = ?2), 0)
                 FROM blob_pieces WHERE channel = ?1",
            )?
            .query_row(params![channel.as_bytes(), participant.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let full = unsigned(all).saturating_add(more) > CHANNEL_ATTACHMENTS_MAX
            || unsigned(own).saturating_add(more) > MEMBER_BYTES_MAX;
        if full { Err(Refusal::Full.into()) } else { Ok(()) }
    }

    fn finish_blob(&self, channel: ChannelId, digest: Digest, pieces: u64) -> Result<bool, OfficeError> {
        let key = params![channel.as_bytes(), digest.as_bytes()];
        let there: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM blob_pieces WHERE channel = ?1 AND digest = ?2")?
            .query_row(key, |row| row.get(0))?;
        if unsigned(there) < pieces {
            return Ok(false);
        }
        let mut statement = self
            .db
            .prepare_cached("SELECT bytes FROM blob_pieces WHERE channel = ?1 AND digest = ?2 ORDER BY number")?;
        let mut whole = Vec::new();
        for bytes in statement.query_map(key, |row| row.get::<_, Vec<u8>>(0))? {
            whole.extend_from_slice(&bytes?);
        }
        if Digest::of(&whole) != digest {
            // Nothing is kept of it: the pieces were another file's, and would stand in the right one's way.
            self.db.prepare_cached("DELETE FROM blobs WHERE channel = ?1 AND digest = ?2")?.execute(key)?;
            return Ok(false);
        }
        self.db.prepare_cached("UPDATE blobs SET whole = 1 WHERE channel = ?1 AND digest = ?2")?.execute(key)?;
        Ok(true)
    }
}
