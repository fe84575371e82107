//! Giving an item its place, and to everybody who may see it.

use std::collections::BTreeMap;

use rusqlite::params;
use semblance_core::id::{ChannelId, Digest, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::channel::{damaged, millis, signed, unsigned};
use super::{Desk, Office, OfficeError, Speaker};
use crate::limits::{ANSWER_BYTES, ITEMS_MAX};
use crate::wire::{Body, Item, Refusal};

impl Office {
    /// A channel's items from a place on, as far as a member may see them: for a device that missed some.
    ///
    /// # Errors
    /// The asker is no member.
    pub fn items(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        first: u64,
        now: Timestamp,
    ) -> Result<Vec<Item>, OfficeError> {
        self.look_for(channel, from, now, |desk, leaf| desk.items(channel, first.max(leaf.since), ITEMS_MAX))
    }
}

impl Desk<'_> {
    /// Writes an item at the next place of the channel's order.
    pub(super) fn place(
        &self,
        channel: ChannelId,
        key: Digest,
        sender: Option<ParticipantId>,
        body: &Body,
    ) -> Result<u64, OfficeError> {
        let known = self.channel(channel)?;
        let sequence = known.sequence.saturating_add(1);
        // The hub's clock may be set back; the channel's order never is.
        let at = self.now.max(known.at);
        self.db.prepare_cached("UPDATE channels SET sequence = ?2, at = ?3 WHERE channel = ?1")?.execute(params![
            channel.as_bytes(),
            signed(sequence),
            millis(at)
        ])?;
        self.db
            .prepare_cached(
                "INSERT INTO items (channel, sequence, key, sender, at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                channel.as_bytes(),
                signed(sequence),
                key.as_bytes(),
                sender.as_ref().map(ParticipantId::as_bytes),
                millis(at),
                body.encode()
            ])?;
        Ok(sequence)
    }

    fn items(&self, channel: ChannelId, first: u64, limit: usize) -> Result<Vec<Item>, OfficeError> {
        let mut statement = self.db.prepare_cached(
            "SELECT sequence, at, key, body FROM items WHERE channel = ?1 AND sequence >= ?2
             AND body != x'' ORDER BY sequence LIMIT ?3",
        )?;
        let rows = statement.query_map(params![channel.as_bytes(), signed(first), limit as i64], |row| {
            let (at, key): (i64, [u8; 32]) = (row.get(1)?, row.get(2)?);
            let place = (unsigned(row.get(0)?), Timestamp::from_millis(unsigned(at)), Digest::from_bytes(key));
            Ok((place, row.get(3)?))
        })?;
        let item = |((sequence, at, key), body): ((u64, Timestamp, Digest), Vec<u8>)| {
            Ok(Item { channel, sequence, at, key, body: Body::decode(&body).map_err(damaged)? })
        };
        as_one_answer(rows)?.into_iter().map(item).collect()
    }

    /// Delivers an item of the order to every member who may see it.
    pub(super) fn deliver_ordered(&self, channel: ChannelId, sequence: u64) -> Result<(), OfficeError> {
        let item = self.items(channel, sequence, 1)?.pop().ok_or(Refusal::Failed)?;
        let mut statement = self.db.prepare_cached(
            "SELECT hospital, participant FROM leaves WHERE channel = ?1 AND state = 'member' AND since <= ?2",
        )?;
        let rows = statement.query_map(params![channel.as_bytes(), signed(sequence)], |row| {
            Ok((row.get::<_, String>(0)?, ParticipantId::from_bytes(row.get(1)?)))
        })?;
        let mut to = BTreeMap::<String, Vec<ParticipantId>>::new();
        for row in rows {
            let (hospital, participant) = row?;
            to.entry(hospital).or_default().push(participant);
        }
        to.into_iter().try_for_each(|(hospital, participants)| self.dispatch(&hospital, &item, participants))
    }

    /// Delivers something outside the order to some devices.
    pub(super) fn deliver_apart(
        &self,
        channel: ChannelId,
        sequence: u64,
        body: Body,
        to: Vec<(OrganisationId, ParticipantId)>,
    ) -> Result<(), OfficeError> {
        let key = Digest::of(&body.encode());
        // The same call for work is the same item, however often it is said: it waits once.
        let at = if matches!(body, Body::Work) { self.channel(channel)?.at } else { self.now };
        let item = Item { channel, sequence, at, key, body };
        let mut hospitals = BTreeMap::<String, Vec<ParticipantId>>::new();
        for (hospital, participant) in to {
            hospitals.entry(hospital.to_string()).or_default().push(participant);
        }
        hospitals.into_iter().try_for_each(|(hospital, participants)| self.dispatch(&hospital, &item, participants))
    }

    fn dispatch(&self, hospital: &str, item: &Item, to: Vec<ParticipantId>) -> Result<(), OfficeError> {
        if hospital == self.organisation.as_str() {
            return self.put_in_queues(self.organisation, item, &to);
        }
        self.send(hospital, item, to)
    }
}

/// Takes rows as long as their bytes go into one answer; the first goes alone if it is larger.
pub(super) fn as_one_answer<T>(
    rows: impl Iterator<Item = rusqlite::Result<(T, Vec<u8>)>>,
) -> Result<Vec<(T, Vec<u8>)>, OfficeError> {
    let (mut taken, mut total) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        total += row.1.len();
        if total > ANSWER_BYTES && !taken.is_empty() {
            break;
        }
        taken.push(row);
    }
    Ok(taken)
}
