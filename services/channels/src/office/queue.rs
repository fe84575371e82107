//! Devices' queues: at least once, in order, until the device says that it has kept them.

use rusqlite::{Connection, OptionalExtension, params};
use semblance_core::id::{ChannelId, ConsentId, Digest, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::channel::{damaged, millis, signed, unsigned};
use super::deliver::as_one_answer;
use super::device::DeviceId;
use super::{Desk, Office, OfficeError};
use crate::limits::QUEUE_MILLIS;
use crate::wire::{Body, Ground, Item, Refusal};

/// Items that wait for one device. It catches up with its hubs on what is dropped beyond that, or joins again.
const WAITING_MAX: u64 = 10_000;

/// An item that waits for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the device's queue.
    pub position: u64,
    /// The item.
    pub item: Item,
}

impl Office {
    /// What waits for a device after a place in its queue, as much as goes into one answer.
    ///
    /// # Errors
    /// The device was revoked, or the database failed.
    pub fn queue(
        &mut self,
        device: DeviceId,
        after: u64,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Queued>, OfficeError> {
        let after = after.max(self.noted.kept_by_device(device));
        self.look(now, |desk| {
            if !desk.is_active(device)? {
                return Err(Refusal::NotAuthorised.into());
            }
            let mut statement = desk.db.prepare_cached(
                "SELECT position, bytes FROM queue JOIN held USING (item)
                 WHERE device = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
            )?;
            let rows = statement.query_map(params![device.as_bytes(), signed(after), limit as i64], |row| {
                Ok((unsigned(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
            })?;
            let queued = |(position, bytes): (u64, Vec<u8>)| {
                Ok(Queued { position, item: Item::decode(&bytes).map_err(damaged)? })
            };
            as_one_answer(rows)?.into_iter().map(queued).collect()
        })
    }

    /// Notes what a device has kept, up to a place in its queue: it is not delivered again.
    pub fn keep_until(&mut self, device: DeviceId, position: u64) {
        self.noted.device_kept(device, position);
    }

    /// Forgets what nobody fetched for thirty days, what a hub delivered as long ago, key packages that have expired, and
    /// what the audit holds beyond its bounds.
    ///
    /// # Errors
    /// The database failed.
    pub fn clean(&mut self, now: Timestamp) -> Result<(), OfficeError> {
        let before = millis(Timestamp::from_millis(now.millis().saturating_sub(QUEUE_MILLIS)));
        self.step(now, |desk| {
            for sql in [
                "DELETE FROM queue WHERE item IN (SELECT item FROM held WHERE at < ?1)",
                // What is of the present epoch could be handed in again and be taken twice: its key stays.
                "UPDATE items SET body = x'' WHERE at < ?1",
                "DELETE FROM items WHERE at < ?1 AND sequence <=
                     (SELECT sequence FROM commits WHERE commits.channel = items.channel ORDER BY epoch DESC LIMIT 1)",
                "DELETE FROM blobs WHERE at < ?1",
            ] {
                desk.db.prepare_cached(sql)?.execute([before])?;
            }
            desk.clean_outbox()?;
            desk.clean_packages()?;
            desk.clean_audit()?;
            desk.drop_unwanted()
        })
    }
}

/// Forgets what waits for a device up to a place in its queue.
pub(super) fn drop_until(db: &Connection, device: &[u8; 16], position: i64) -> Result<(), OfficeError> {
    let mut statement = db.prepare_cached("DELETE FROM queue WHERE device = ?1 AND position <= ?2 RETURNING item")?;
    let rows = statement.query_map(params![device, position], |row| row.get::<_, i64>(0))?;
    let items = rows.collect::<Result<Vec<_>, _>>()?;
    let mut drop = db.prepare_cached(
        "DELETE FROM held WHERE item = ?1 AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.item = held.item)",
    )?;
    items.into_iter().try_for_each(|item| Ok(drop.execute([item]).map(|_| ())?))
}

impl Desk<'_> {
    /// Drops the oldest of what waits for a device beyond so many items.
    fn trim_queue(&self, device: &[u8; 16], most: u64) -> Result<(), OfficeError> {
        let beyond: Option<i64> = self
            .db
            .prepare_cached("SELECT position FROM queue WHERE device = ?1 ORDER BY position DESC LIMIT 1 OFFSET ?2")?
            .query_row(params![device, signed(most)], |row| row.get(0))
            .optional()?;
        beyond.map_or(Ok(()), |position| drop_until(self.db, device, position))
    }

    fn drop_unwanted(&self) -> Result<(), OfficeError> {
        let sql = "DELETE FROM held WHERE NOT EXISTS (SELECT 1 FROM queue WHERE queue.item = held.item)";
        self.db.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Puts an item from a hub into the queues of this hospital's devices that take part in the channel there. Where a
    /// consent was withdrawn, that it has ended is all that still comes.
    pub(super) fn put_in_queues(
        &self,
        hub: &OrganisationId,
        item: &Item,
        to: &[ParticipantId],
    ) -> Result<(), OfficeError> {
        let bytes = item.encode();
        let digest = Digest::of(&bytes);
        let mut held: Option<i64> = None;
        let mut find = self.db.prepare_cached(
            "SELECT device, consent FROM own_leaves
             WHERE channel = ?1 AND participant = ?2 AND hub = ?3 AND state = 'open'",
        )?;
        let ends = matches!(item.body, Body::Ended(_));
        let mut put =
            self.db.prepare_cached("INSERT INTO queue (device, item) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
        for participant in to {
            let mut rows = find.query(params![item.channel.as_bytes(), participant.as_bytes(), hub.as_str()])?;
            let found = rows.next()?.map(|row| Ok::<_, rusqlite::Error>((row.get::<_, [u8; 16]>(0)?, row.get(1)?)));
            let Some((device, consent)) = found.transpose()? else { continue };
            if !ends && self.is_withdrawn(ConsentId::from_bytes(consent))? {
                continue;
            }
            let number = match held {
                Some(number) => number,
                None => self.hold(item, &digest, &bytes)?,
            };
            held = Some(number);
            if ends {
                self.drop_waiting(&device, item.channel)?;
                self.close_leaf(item.channel, *participant)?;
            }
            put.execute(params![device, number])?;
            self.trim_queue(&device, WAITING_MAX)?;
        }
        Ok(())
    }

    fn hold(&self, item: &Item, digest: &Digest, bytes: &[u8]) -> Result<i64, OfficeError> {
        let number = self
            .db
            .prepare_cached(
                "INSERT INTO held (channel, sequence, digest, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (channel, sequence, digest) DO UPDATE SET at = excluded.at RETURNING item",
            )?
            .query_row(
                params![item.channel.as_bytes(), signed(item.sequence), digest.as_bytes(), bytes, millis(self.now)],
                |row| row.get(0),
            )?;
        Ok(number)
    }

    /// Forgets what waits for a device in a channel: its part there has ended, whoever says so.
    fn drop_waiting(&self, device: &[u8; 16], channel: ChannelId) -> Result<(), OfficeError> {
        self.db
            .prepare_cached(
                "DELETE FROM queue WHERE device = ?1 AND item IN (SELECT item FROM held WHERE channel = ?2)",
            )?
            .execute(params![device, channel.as_bytes()])?;
        Ok(())
    }

    pub(super) fn close_leaf(&self, channel: ChannelId, participant: ParticipantId) -> Result<(), OfficeError> {
        self.db
            .prepare_cached("UPDATE own_leaves SET state = 'ended' WHERE channel = ?1 AND participant = ?2")?
            .execute(params![channel.as_bytes(), participant.as_bytes()])?;
        Ok(())
    }

    /// Cuts this hospital's own devices off, whatever a hub elsewhere does: what waits for them goes, and the last
    /// thing they are told is why.
    pub(super) fn end_own_leaves(&self, consent: ConsentId, ground: &Ground) -> Result<(), OfficeError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT channel, participant, hub FROM own_leaves WHERE consent = ?1 AND state = 'open'")?;
        let rows = statement.query_map([consent.as_bytes()], |row| {
            Ok((ChannelId::from_bytes(row.get(0)?), ParticipantId::from_bytes(row.get(1)?), row.get::<_, String>(2)?))
        })?;
        for row in rows.collect::<Result<Vec<_>, _>>()? {
            let (channel, participant, hub) = row;
            let hub = OrganisationId::new(&hub).map_err(damaged)?;
            self.end_own_leaf((channel, participant), &hub, ground)?;
        }
        self.drop_unwanted()
    }

    /// Cuts one device off from a channel, and tells it why.
    pub(super) fn end_own_leaf(
        &self,
        (channel, participant): (ChannelId, ParticipantId),
        hub: &OrganisationId,
        ground: &Ground,
    ) -> Result<(), OfficeError> {
        let body = Body::Ended(ground.clone());
        let item = Item { channel, sequence: 0, at: self.now, key: Digest::of(&body.encode()), body };
        self.put_in_queues(hub, &item, &[participant])
    }
}

#[cfg(test)]
mod tests;
