//! The leaves of this hub's channels.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use semblance_core::attestation::{LeafAttestation, LeafProof};
use semblance_core::id::{ChannelId, ConsentId, OrganisationId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::channel::{damaged, millis, signed};
use super::{Desk, Office, OfficeError, Speaker};
use crate::check::Roster;
use crate::store::StoreError;
use crate::wire::Refusal;

/// How a leaf stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeafState {
    Pending,
    Member,
    Cut,
    Gone,
}

impl LeafState {
    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Member => "member",
            Self::Cut => "cut",
            Self::Gone => "gone",
        }
    }
}

/// One leaf.
pub(super) struct HubLeaf {
    pub(super) participant: ParticipantId,
    pub(super) hospital: OrganisationId,
    pub(super) proof: LeafProof,
    pub(super) key_package: Option<Vec<u8>>,
    pub(super) state: LeafState,
    pub(super) ground: Option<Vec<u8>>,
    pub(super) since: u64,
}

const COLUMNS: &str = "participant, hospital, proof, key_package, state, ground, since";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<HubLeaf, StoreError>> {
    let (hospital, proof): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
    let state: String = row.get(4)?;
    let known = [LeafState::Pending, LeafState::Member, LeafState::Cut, LeafState::Gone];
    let parts = (|| {
        Ok((
            OrganisationId::new(&hospital).map_err(damaged)?,
            LeafProof::decode(&proof).map_err(damaged)?,
            known.into_iter().find(|one| one.word() == state).ok_or_else(|| damaged("a leaf's state"))?,
        ))
    })();
    let (participant, key_package, ground) = (row.get(0)?, row.get(3)?, row.get(5)?);
    let since = super::channel::unsigned(row.get(6)?);
    Ok(parts.map(|(hospital, proof, state)| HubLeaf {
        participant: ParticipantId::from_bytes(participant),
        hospital,
        proof,
        key_package,
        state,
        ground,
        since,
    }))
}

/// Writes that a member was there.
pub(super) fn seen(
    db: &Connection,
    channel: ChannelId,
    participant: ParticipantId,
    at: Timestamp,
) -> Result<(), OfficeError> {
    db.prepare_cached("UPDATE leaves SET seen = ?3 WHERE channel = ?1 AND participant = ?2 AND seen < ?3 - 1000")?
        .execute(params![channel.as_bytes(), participant.as_bytes(), millis(at)])?;
    Ok(())
}

impl Office {
    /// Looks at a channel on behalf of a member who may still speak, and notes that the member was there.
    pub(super) fn look_for<R>(
        &mut self,
        channel: ChannelId,
        from: &Speaker,
        now: Timestamp,
        look: impl FnOnce(&Desk<'_>, HubLeaf) -> Result<R, OfficeError>,
    ) -> Result<R, OfficeError> {
        let seen = self.look(now, |desk| look(desk, desk.member(channel, from)?))?;
        self.noted.seen(channel, from.participant, now);
        Ok(seen)
    }
}

impl Desk<'_> {
    pub(super) fn leaf(&self, channel: ChannelId, participant: ParticipantId) -> Result<Option<HubLeaf>, OfficeError> {
        let sql = format!("SELECT {COLUMNS} FROM leaves WHERE channel = ?1 AND participant = ?2");
        let mut statement = self.db.prepare_cached(&sql)?;
        let found = statement.query_row(params![channel.as_bytes(), participant.as_bytes()], read).optional()?;
        Ok(found.transpose()?)
    }

    /// The leaf of a speaker who may still speak; writes that it was seen.
    pub(super) fn speaking(&self, channel: ChannelId, from: &Speaker) -> Result<HubLeaf, OfficeError> {
        let leaf = self.member(channel, from)?;
        seen(self.db, channel, from.participant, self.now)?;
        Ok(leaf)
    }

    /// The leaf of a speaker who may still speak.
    fn member(&self, channel: ChannelId, from: &Speaker) -> Result<HubLeaf, OfficeError> {
        let leaf = self.leaf(channel, from.participant)?.filter(|leaf| leaf.hospital == from.hospital);
        let leaf = leaf.ok_or(Refusal::NotMember)?;
        match leaf.state {
            LeafState::Member => Ok(leaf),
            LeafState::Pending => Err(Refusal::NotMember.into()),
            LeafState::Cut | LeafState::Gone => Err(Refusal::Ended.into()),
        }
    }

    pub(super) fn leaves(&self, channel: ChannelId, states: &[LeafState]) -> Result<Vec<HubLeaf>, OfficeError> {
        let words: Vec<_> = states.iter().map(|state| format!("'{}'", state.word())).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM leaves WHERE channel = ?1 AND state IN ({}) ORDER BY participant",
            words.join(", ")
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([channel.as_bytes()], read)?;
        rows.map(|row| Ok(row??)).collect()
    }

    /// Who waits to be added, the first who came first.
    pub(super) fn pending(&self, channel: ChannelId) -> Result<Vec<HubLeaf>, OfficeError> {
        let sql =
            format!("SELECT {COLUMNS} FROM leaves WHERE channel = ?1 AND state = 'pending' ORDER BY seen, participant");
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([channel.as_bytes()], read)?;
        rows.map(|row| Ok(row??)).collect()
    }

    pub(super) fn leaves_on(&self, consent: ConsentId) -> Result<Vec<(ChannelId, HubLeaf)>, OfficeError> {
        let sql =
            format!("SELECT {COLUMNS}, channel FROM leaves WHERE consent = ?1 AND state IN ('pending', 'member')");
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows =
            statement.query_map([consent.as_bytes()], |row| Ok((ChannelId::from_bytes(row.get(7)?), read(row)?)))?;
        rows.map(|row| {
            let (channel, leaf) = row?;
            Ok((channel, leaf?))
        })
        .collect()
    }

    /// Writes how a leaf stands, and when its device was there last.
    pub(super) fn put_leaf(
        &self,
        leaf: &LeafAttestation,
        proof: &LeafProof,
        key_package: Option<&[u8]>,
        (state, since): (LeafState, u64),
        seen: Timestamp,
    ) -> Result<(), OfficeError> {
        self.db
            .prepare_cached(
                "INSERT INTO leaves (channel, participant, hospital, consent, proof, key_package, state, since, seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (channel, participant) DO UPDATE SET hospital = excluded.hospital,
                     consent = excluded.consent, proof = excluded.proof, key_package = excluded.key_package,
                     state = excluded.state, since = excluded.since, seen = excluded.seen, ground = NULL",
            )?
            .execute(params![
                leaf.channel.as_bytes(),
                leaf.participant.as_bytes(),
                leaf.hospital.as_str(),
                leaf.consent.as_bytes(),
                proof.encode(),
                key_package,
                state.word(),
                signed(since),
                millis(seen),
            ])?;
        Ok(())
    }

    pub(super) fn set_leaf_state(
        &self,
        channel: ChannelId,
        participant: ParticipantId,
        state: LeafState,
        ground: Option<&[u8]>,
    ) -> Result<(), OfficeError> {
        self.db
            .prepare_cached(
                "UPDATE leaves SET state = ?3, ground = coalesce(?4, ground), key_package = NULL
                 WHERE channel = ?1 AND participant = ?2",
            )?
            .execute(params![channel.as_bytes(), participant.as_bytes(), state.word(), ground])?;
        Ok(())
    }

    /// Who is in a channel's group, the cut ones among them.
    pub(super) fn roster(&self, channel: ChannelId) -> Result<Roster, OfficeError> {
        let mut roster = Roster::new();
        for leaf in self.leaves(channel, &[LeafState::Member, LeafState::Cut])? {
            let attested = leaf.proof.claims(self.network).map_err(damaged)?;
            roster.insert(attested.participant, attested);
        }
        Ok(roster)
    }

    /// The consents about which the hub has to know, to judge what comes next for a channel.
    pub(super) fn consents_at_stake(&self, channel: ChannelId) -> Result<BTreeSet<ConsentId>, OfficeError> {
        let mut statement = self.db.prepare_cached(
            "SELECT DISTINCT consent FROM leaves WHERE channel = ?1 AND state IN ('pending', 'member')",
        )?;
        let rows = statement.query_map([channel.as_bytes()], |row| Ok(ConsentId::from_bytes(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
