//! Reading and writing the blocks table.

use rusqlite::{Connection, OptionalExtension, params};
use semblance_core::id::{Digest, NetworkId};
use semblance_core::time::Timestamp;

use super::block::{BlockData, Header};
use super::store::{StoreError, signed, unsigned};

/// The newest block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The network.
    pub network: NetworkId,
    /// How many blocks there are.
    pub height: u64,
    /// The hash of the newest.
    pub hash: Digest,
    /// The time of the newest.
    pub timestamp: Timestamp,
}

/// A block as it stands in the table, not decoded yet.
pub(super) struct StoredBlock {
    pub(super) number: u64,
    pub(super) hash: Vec<u8>,
    pub(super) header: Vec<u8>,
    pub(super) data: Vec<u8>,
}

/// The network's id; none before genesis.
pub(super) fn network(connection: &Connection) -> Result<Option<NetworkId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = 'network'")?;
    let Some(bytes) = statement.query_row([], |row| row.get::<_, Vec<u8>>(0)).optional()? else { return Ok(None) };
    let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| StoreError::Damaged("the network's id is damaged".into()))?;
    Ok(Some(NetworkId::from_bytes(bytes)))
}

pub(super) fn set_network(connection: &Connection, network: NetworkId) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("INSERT INTO meta (name, value) VALUES ('network', ?1)")?;
    statement.execute([network.as_bytes()])?;
    Ok(())
}

/// How many blocks there are.
pub(super) fn height(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(number) + 1, 0) FROM block")?;
    unsigned(statement.query_row([], |row| row.get(0))?)
}

/// The newest block, read back and checked against its own hash; none before genesis.
pub(super) fn head(connection: &Connection) -> Result<Option<Head>, StoreError> {
    let Some(network) = network(connection)? else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT number, hash, header FROM block ORDER BY number DESC LIMIT 1")?;
    let row: Option<(i64, Vec<u8>, Vec<u8>)> =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((number, hash, bytes)) = row else { return Ok(None) };
    let damaged = |what: &str| StoreError::Damaged(format!("block {number}: {what}"));
    let header = Header::decode(&bytes, network).map_err(|error| damaged(&error.to_string()))?;
    let digest = Digest::of(&bytes);
    if hash != digest.as_bytes() || signed(header.number) != number {
        return Err(damaged("its hash or number does not agree with its header"));
    }
    Ok(Some(Head { network, height: unsigned(number)?.saturating_add(1), hash: digest, timestamp: header.timestamp }))
}

/// Appends a block.
pub(super) fn append(connection: &Connection, header: &Header, data: &BlockData) -> Result<Digest, StoreError> {
    let bytes = header.encode();
    let hash = Digest::of(&bytes);
    // The row was put in place first, so that states can refer to it while the block is made.
    connection
        .prepare_cached("UPDATE block SET hash = ?2, header = ?3, data = ?4 WHERE number = ?1")?
        .execute(params![signed(header.number), hash.as_bytes(), bytes, data.encode()])?;
    Ok(hash)
}

/// Makes the row of a block that is being made, in the same database transaction that fills it.
pub(super) fn begin(connection: &Connection, number: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO block (number, hash, header, data) VALUES (?1, x'', x'', x'')")?
        .execute([signed(number)])?;
    Ok(())
}

/// Blocks from a number on, in order, at most `limit` of them.
pub(super) fn blocks(connection: &Connection, from: u64, limit: u32) -> Result<Vec<StoredBlock>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT number, hash, header, data FROM block WHERE number >= ?1 ORDER BY number LIMIT ?2")?;
    let rows = statement.query_map(params![signed(from), limit], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.map(|row| {
        let (number, hash, header, data) = row?;
        Ok(StoredBlock { number: unsigned(number)?, hash, header, data })
    })
    .collect()
}
