//! The hub takes a message, of which it sees the size and the sender's pseudonym.

use rusqlite::params;
use semblance_core::id::{ChannelId, Digest};

use super::channel::{millis, unsigned};
use super::leaf::LeafState;
use super::{Desk, OfficeError, Speaker};
use crate::limits::{MESSAGE_BYTES_MAX, MESSAGES_A_MINUTE};
use crate::mls;
use crate::wire::{Body, Refusal};

impl Desk<'_> {
    pub(super) fn message(&mut self, channel: ChannelId, from: &Speaker, bytes: &[u8]) -> Result<u64, OfficeError> {
        let known = self.channel(channel)?;
        let key = Digest::of(bytes);
        if let Some(sequence) = self.taken(channel, key, from.participant)? {
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
        let since = millis(self.now).saturating_sub(60_000);
        let spoken: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM items WHERE channel = ?1 AND sender = ?2 AND at > ?3")?
            .query_row(params![channel.as_bytes(), from.participant.as_bytes(), since], |row| row.get(0))?;
        if unsigned(spoken) >= u64::from(MESSAGES_A_MINUTE) {
            return Err(Refusal::TooMany.into());
        }
        let sequence = self.place(channel, key, Some(from.participant), &Body::Message(bytes.to_vec()))?;
        self.deliver_ordered(channel, sequence)?;
        Ok(sequence)
    }
}
