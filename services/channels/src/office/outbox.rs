//! Deliveries between hospitals: each peer's in their order, again until it took them.

use rusqlite::{Connection, OptionalExtension, params};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::channel::{damaged, millis, signed, unsigned};
use super::deliver::as_one_answer;
use super::{Desk, Office, OfficeError};
use crate::limits::{MEMBERS_MAX, QUEUE_MILLIS};
use crate::store::StoreError;
use crate::wire::{Body, Item, Refusal};

/// Deliveries that wait for one peer. Its devices fetch what is dropped beyond that, or join again.
const WAITING_MAX: u64 = 100_000;
/// After so many deliveries it is looked whether too many wait for a peer.
const TRIM_EVERY: u64 = 1000;

/// An item for some devices of one hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The item.
    pub item: Item,
    /// The devices' pseudonyms.
    pub to: Vec<ParticipantId>,
}

/// A delivery that a peer has not taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Its number; numbers rise, and are taken in their order.
    pub number: u64,
    /// What to deliver.
    pub delivery: Delivery,
}

impl Record for Delivery {
    const NAME: &'static str = "delivery";

    fn write(&self, writer: &mut Writer) {
        Record::write(&self.item, writer);
        writer.count(self.to.len());
        for participant in &self.to {
            participant.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let item = Item::read(reader)?;
        let count = reader.count("recipients", MEMBERS_MAX)?;
        let to = (0..count).map(|_| ParticipantId::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { item, to })
    }
}

impl Office {
    /// The peers for whom something waits.
    ///
    /// # Errors
    /// The database failed.
    pub fn peers(&mut self, now: Timestamp) -> Result<Vec<OrganisationId>, OfficeError> {
        let waiting = self.look(now, |desk| {
            // From peer to peer along the index: to group would be to read all that waits.
            let mut statement = desk.db.prepare_cached(
                "WITH RECURSIVE peers (peer) AS (
                     SELECT min(peer) FROM outbox UNION ALL
                     SELECT (SELECT min(peer) FROM outbox WHERE peer > peers.peer) FROM peers WHERE peer IS NOT NULL
                 )
                 SELECT peer, (SELECT max(number) FROM outbox WHERE outbox.peer = peers.peer)
                 FROM peers WHERE peer IS NOT NULL",
            )?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, unsigned(row.get(1)?))))?;
            rows.map(|row| row.map_err(OfficeError::from)).collect::<Result<Vec<_>, _>>()
        })?;
        let mut peers = Vec::new();
        for (peer, last) in waiting {
            let peer = OrganisationId::new(&peer).map_err(damaged)?;
            if last > self.noted.kept_by_peer(&peer) {
                peers.push(peer);
            }
        }
        Ok(peers)
    }

    /// What waits for a peer, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub fn outbound(
        &mut self,
        peer: &OrganisationId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Outbound>, OfficeError> {
        let kept = self.noted.kept_by_peer(peer);
        self.look(now, |desk| {
            let mut statement = desk.db.prepare_cached(
                "SELECT number, delivery FROM outbox WHERE peer = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
            )?;
            let rows = statement.query_map(params![peer.as_str(), signed(kept), limit as i64], |row| {
                Ok((unsigned(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
            })?;
            let outbound = |(number, bytes): (u64, Vec<u8>)| {
                Ok(Outbound { number, delivery: Delivery::decode(&bytes).map_err(damaged)? })
            };
            as_one_answer(rows)?.into_iter().map(outbound).collect()
        })
    }

    /// Notes that a peer took everything up to a number.
    pub fn acknowledged(&mut self, peer: &OrganisationId, number: u64) {
        self.noted.peer_kept(peer, number);
    }

    /// The number up to which everything of another hospital's hub is taken.
    ///
    /// # Errors
    /// The database failed.
    pub fn taken_of(&mut self, peer: &OrganisationId, now: Timestamp) -> Result<u64, OfficeError> {
        self.look(now, |desk| desk.taken_of(peer))
    }

    /// Takes deliveries from another hospital's hub, in their order; those that were taken before are passed over.
    /// Returns the number up to which everything is taken.
    ///
    /// # Errors
    /// The database failed; nothing was taken.
    pub fn take(&mut self, peer: &OrganisationId, deliveries: &[Outbound], now: Timestamp) -> Result<u64, OfficeError> {
        self.step(now, |desk| {
            let mut last = desk.taken_of(peer)?;
            for outbound in deliveries.iter().filter(|one| one.number > last).collect::<Vec<_>>() {
                if outbound.number <= last {
                    return Err(Refusal::Malformed.into());
                }
                let Delivery { item, to } = &outbound.delivery;
                if desk.has_other_hub(item.channel, to, peer)? {
                    desk.note(peer.as_str(), "deliver", Some(item.channel), Refusal::NotHub.word())?;
                }
                desk.put_in_queues(peer, item, to)?;
                last = outbound.number;
            }
            desk.db
                .prepare_cached(
                    "INSERT INTO taken (peer, number) VALUES (?1, ?2)
                     ON CONFLICT (peer) DO UPDATE SET number = excluded.number",
                )?
                .execute(params![peer.as_str(), signed(last)])?;
            Ok(last)
        })
    }
}

/// What a delivery carries, by how much is lost with it.
const fn kind(body: &Body) -> &'static str {
    match body {
        Body::Work => "work",
        Body::Message(_) => "message",
        Body::Ended(_) => "ended",
        Body::Commit(_) | Body::Removal { .. } | Body::Welcome(_) => "other",
    }
}

/// Raises the numbers of deliveries and of places in queues above all that were ever given: to be called whenever a
/// database is opened. It may have come back from a backup, while peers and devices have noted later numbers and would
/// pass over everything that comes under earlier ones.
pub(super) fn raise_numbers(db: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let least = signed(now.millis().saturating_mul(1000));
    for table in ["outbox", "queue"] {
        let raised = db
            .prepare_cached("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1")?
            .execute(params![table, least])?;
        // A table in which nothing ever was has no row yet.
        if raised == 0 {
            db.prepare_cached("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)")?
                .execute(params![table, least])?;
        }
    }
    Ok(())
}

impl Desk<'_> {
    fn taken_of(&self, peer: &OrganisationId) -> Result<u64, OfficeError> {
        let mut taken = self.db.prepare_cached("SELECT number FROM taken WHERE peer = ?1")?;
        let last: Option<i64> = taken.query_row([peer.as_str()], |row| row.get(0)).optional()?;
        Ok(last.map_or(0, unsigned))
    }

    /// Whether any of these devices of this hospital takes part in the channel at another hub: this one has no business
    /// there.
    fn has_other_hub(
        &self,
        channel: ChannelId,
        to: &[ParticipantId],
        peer: &OrganisationId,
    ) -> Result<bool, OfficeError> {
        let mut other = self.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM own_leaves
             WHERE channel = ?1 AND participant = ?2 AND hub != ?3 AND state = 'open')",
        )?;
        for participant in to {
            if other.query_row(params![channel.as_bytes(), participant.as_bytes(), peer.as_str()], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts an item on its way to devices of another hospital. Devices are called to work by one delivery at a time.
    pub(super) fn send(&self, peer: &str, item: &Item, to: Vec<ParticipantId>) -> Result<(), OfficeError> {
        let (channel, kind) = (item.channel, kind(&item.body));
        if kind == "work" {
            let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE peer = ?1 AND channel = ?2 AND kind = 'work')";
            if self.db.prepare_cached(sql)?.query_row(params![peer, channel.as_bytes()], |row| row.get(0))? {
                return Ok(());
            }
        }
        let delivery = Delivery { item: item.clone(), to }.encode();
        let sql = "INSERT INTO outbox (peer, channel, kind, at, delivery) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING number";
        let row = params![peer, channel.as_bytes(), kind, millis(self.now), delivery];
        let number: i64 = self.db.prepare_cached(sql)?.query_row(row, |row| row.get(0))?;
        if unsigned(number).is_multiple_of(TRIM_EVERY) {
            self.trim_outbox(WAITING_MAX)?;
        }
        Ok(())
    }

    /// Drops what waits for peers beyond so many deliveries: the oldest, and first what can be had in another way.
    fn trim_outbox(&self, most: u64) -> Result<(), OfficeError> {
        let mut statement =
            self.db.prepare_cached("SELECT peer, count(*) - ?1 FROM outbox GROUP BY peer HAVING count(*) > ?1")?;
        let rows = statement.query_map([signed(most)], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        for (peer, excess) in rows.collect::<Result<Vec<_>, _>>()? {
            tracing::warn!(%peer, excess, "too much waits for this hospital's node: the oldest deliveries are dropped");
            self.db
                .prepare_cached(
                    "DELETE FROM outbox WHERE number IN (SELECT number FROM outbox WHERE peer = ?1
                         ORDER BY CASE kind WHEN 'ended' THEN 2 WHEN 'other' THEN 1 ELSE 0 END, number LIMIT ?2)",
                )?
                .execute(params![peer, excess])?;
        }
        Ok(())
    }

    /// Drops what waited for thirty days. That a device left stays: nothing else tells its home.
    pub(super) fn clean_outbox(&self) -> Result<(), OfficeError> {
        let before = Timestamp::from_millis(self.now.millis().saturating_sub(QUEUE_MILLIS));
        let sql = "DELETE FROM outbox WHERE at < ?1 AND kind != 'ended'";
        self.db.prepare_cached(sql)?.execute([millis(before)])?;
        self.trim_outbox(WAITING_MAX)
    }

    /// Takes back what waits to go to a device of another hospital: its part has ended, and that hospital may not know.
    pub(super) fn withdraw_deliveries(
        &self,
        peer: &OrganisationId,
        channel: ChannelId,
        participant: ParticipantId,
    ) -> Result<(), OfficeError> {
        let mut statement =
            self.db.prepare_cached("SELECT number, delivery FROM outbox WHERE peer = ?1 AND channel = ?2")?;
        let rows = statement.query_map(params![peer.as_str(), channel.as_bytes()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        for row in rows.collect::<Result<Vec<_>, _>>()? {
            let (number, mut delivery) = (row.0, Delivery::decode(&row.1).map_err(damaged)?);
            if !delivery.to.contains(&participant) {
                continue;
            }
            delivery.to.retain(|one| *one != participant);
            if delivery.to.is_empty() {
                self.db.prepare_cached("DELETE FROM outbox WHERE number = ?1")?.execute([number])?;
            } else {
                let sql = "UPDATE outbox SET delivery = ?2 WHERE number = ?1";
                self.db.prepare_cached(sql)?.execute(params![number, delivery.encode()])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
