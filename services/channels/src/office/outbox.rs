//! Deliveries between hospitals: each peer's in their order, again until it took them.

use rusqlite::{OptionalExtension, params};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::channel::{damaged, signed, unsigned};
use super::{Desk, Office, OfficeError};
use crate::limits::{ANSWER_BYTES, MEMBERS_MAX};
use crate::wire::{Item, Refusal};

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
        self.unsynced_step(now, |desk| {
            let mut statement = desk.db.prepare_cached("SELECT DISTINCT peer FROM outbox")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.map(|peer| Ok(OrganisationId::new(&peer?).map_err(damaged)?)).collect()
        })
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
        self.unsynced_step(now, |desk| {
            let mut statement = desk
                .db
                .prepare_cached("SELECT number, delivery FROM outbox WHERE peer = ?1 ORDER BY number LIMIT ?2")?;
            let rows = statement.query_map(params![peer.as_str(), limit as i64], |row| {
                Ok((unsigned(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
            })?;
            let (mut outbound, mut total) = (Vec::new(), 0);
            for row in rows {
                let (number, bytes) = row?;
                total += bytes.len();
                if total > ANSWER_BYTES && !outbound.is_empty() {
                    break;
                }
                outbound.push(Outbound { number, delivery: Delivery::decode(&bytes).map_err(damaged)? });
            }
            Ok(outbound)
        })
    }

    /// Notes that a peer took everything up to a number.
    ///
    /// # Errors
    /// The database failed.
    pub fn acknowledged(&mut self, peer: &OrganisationId, number: u64, now: Timestamp) -> Result<(), OfficeError> {
        // If it is lost, the peer is told again and passes over what it took.
        self.unsynced_step(now, |desk| {
            desk.db
                .prepare_cached("DELETE FROM outbox WHERE peer = ?1 AND number <= ?2")?
                .execute(params![peer.as_str(), signed(number)])?;
            Ok(())
        })
    }

    /// Takes deliveries from another hospital's hub, in their order; those that were taken before are passed over.
    /// Returns the number up to which everything is taken.
    ///
    /// # Errors
    /// The database failed; nothing was taken.
    pub fn take(&mut self, peer: &OrganisationId, deliveries: &[Outbound], now: Timestamp) -> Result<u64, OfficeError> {
        self.step(now, |desk| {
            let last: Option<i64> = desk
                .db
                .prepare_cached("SELECT number FROM taken WHERE peer = ?1")?
                .query_row([peer.as_str()], |row| row.get(0))
                .optional()?;
            let mut last = last.map_or(0, unsigned);
            for outbound in deliveries.iter().filter(|one| one.number > last).collect::<Vec<_>>() {
                if outbound.number <= last {
                    return Err(Refusal::Malformed.into());
                }
                desk.put_in_queues(peer, &outbound.delivery.item, &outbound.delivery.to)?;
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

impl Desk<'_> {
    /// Takes back what waits to go to a device of another hospital: its part has ended, and that hospital may not know.
    pub(super) fn withdraw_deliveries(
        &self,
        peer: &OrganisationId,
        channel: ChannelId,
        participant: ParticipantId,
    ) -> Result<(), OfficeError> {
        let mut statement = self.db.prepare_cached("SELECT number, delivery FROM outbox WHERE peer = ?1")?;
        let rows =
            statement.query_map([peer.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        for row in rows.collect::<Result<Vec<_>, _>>()? {
            let (number, mut delivery) = (row.0, Delivery::decode(&row.1).map_err(damaged)?);
            if delivery.item.channel != channel || !delivery.to.contains(&participant) {
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
