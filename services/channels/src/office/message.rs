//! The hub takes a message, of which it sees the size and the sender's pseudonym.

use rusqlite::params;
use semblance_core::id::{ChannelId, Digest, ParticipantId};

use super::channel::{millis, unsigned};
use super::leaf::LeafState;
use super::{Desk, OfficeError, Speaker};
use crate::limits::{MESSAGE_BYTES_MAX, MESSAGES_A_MINUTE};
use crate::mls;
use crate::wire::{Body, Refusal};

/// Commits of one leaf in a minute: more than any course of things needs, and each costs every member a computation.
pub(super) const COMMITS_A_MINUTE: u32 = 20;

impl Desk<'_> {
    /// Makes sure that a leaf has not committed too often within the last minute.
    pub(super) fn check_commits(&self, channel: ChannelId, participant: ParticipantId) -> Result<(), OfficeError> {
        let sql = "SELECT count(*) FROM items JOIN commits USING (channel, sequence)
                   WHERE channel = ?1 AND sender = ?2 AND at > ?3";
        self.check_often(sql, (channel, participant), COMMITS_A_MINUTE)
    }

    /// Refuses if a query counts as much as is allowed in a minute.
    fn check_often(
        &self,
        sql: &str,
        (channel, participant): (ChannelId, ParticipantId),
        most: u32,
    ) -> Result<(), OfficeError> {
        let since = millis(self.now).saturating_sub(60_000);
        let count: i64 = self
            .db
            .prepare_cached(sql)?
            .query_row(params![channel.as_bytes(), participant.as_bytes(), since], |row| row.get(0))?;
        if unsigned(count) >= u64::from(most) { Err(Refusal::TooMany.into()) } else { Ok(()) }
    }

    pub(super) fn message(&mut self, channel: ChannelId, from: &Speaker, bytes: &[u8]) -> Result<u64, OfficeError> {
        let known = self.channel(channel)?;
        let key = Digest::of(bytes);
        if let Some(sequence) = self.taken(channel, key, from)? {
            return Ok(sequence);
        }
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Refusal::TooLarge.into());
        }
        self.speaking(channel, from)?;
        let message = mls::read_protocol(bytes, channel).map_err(|_| Refusal::Malformed)?;
        if message.is_handshake_message() {
            return Err(Refusal::Malformed.into());
        }
        // A message of an earlier epoch could be read by whoever was removed since.
        if message.epoch().as_u64() != known.epoch {
            return Err(Refusal::WrongEpoch.into());
        }
        if !self.leaves(channel, &[LeafState::Cut])?.is_empty() {
            return Err(Refusal::MustCommit.into());
        }
        let sql = "SELECT count(*) FROM items WHERE channel = ?1 AND sender = ?2 AND at > ?3";
        self.check_often(sql, (channel, from.participant), MESSAGES_A_MINUTE)?;
        let sequence = self.place(channel, key, Some(from.participant), &Body::Message(bytes.to_vec()))?;
        self.deliver_ordered(channel, sequence)?;
        Ok(sequence)
    }
}
