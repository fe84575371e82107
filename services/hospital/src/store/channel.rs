//! Channels of this hospital's cases, and every symptom group of the network.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use semblance_core::channel::{ChannelKind, Topic};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, IntroductionId, OrganisationId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::limits::CHANNEL_CONSENTS_MAX;
use semblance_core::signature::SignedBytes;
use semblance_core::time::Timestamp;
use zeroize::Zeroizing;

use super::case::LocalCaseId;
use super::{StoreError, blob, decoded, millis, moment, optional_blob, parsed, word, words};

words! {
    /// How far a channel got.
    ChannelState {
        /// Its opening is signed; the ledger has not acknowledged it yet.
        Queued = "queued",
        /// It stands on the ledger.
        Open = "open",
        /// A consent that it rests on has ended.
        Ended = "ended",
        /// The ledger refused it.
        Refused = "refused",
    }
}

/// A stored channel.
#[derive(Clone)]
pub struct StoredChannel {
    /// Its random name on the ledger.
    pub channel: ChannelId,
    /// Who talks in it.
    pub kind: ChannelKind,
    /// The introduction that it was opened on.
    pub introduction: Option<IntroductionId>,
    /// The own case in it; of a symptom group, the one that it was opened for.
    pub local_id: Option<LocalCaseId>,
    /// Who orders its messages.
    pub hub: OrganisationId,
    /// The hub's number, from 1.
    pub fence: u32,
    /// The hub's signed statement, as on the ledger.
    pub opening: SignedBytes,
    /// The consents that it rests on, in the order of the commitments, as far as they are known here.
    pub consents: Vec<ConsentOpening>,
    /// Where this hospital is the hub: the seed of the hub key.
    pub seed: Option<Zeroizing<[u8; 32]>>,
    /// Of a symptom group: what it is about.
    pub topic: Option<Topic>,
    /// How far it got.
    pub state: ChannelState,
    /// Why it was refused.
    pub code: Option<String>,
    /// When it was signed here, or when the ledger showed it.
    pub at: Timestamp,
}

const COLUMNS: &str =
    "channel, kind, introduction, local_id, hub, fence, opening, consents, seed, topic, state, code, at";

fn read(row: &Row<'_>) -> rusqlite::Result<StoredChannel> {
    Ok(StoredChannel {
        channel: ChannelId::from_bytes(blob(row, 0)?),
        kind: word(row, 1, ChannelKind::from_word)?,
        introduction: optional_blob(row, 2)?.map(IntroductionId::from_bytes),
        local_id: if row.get_ref(3)? == rusqlite::types::ValueRef::Null { None } else { Some(parsed(row, 3)?) },
        hub: parsed(row, 4)?,
        fence: row.get(5)?,
        opening: decoded(row, 6, whole(SignedBytes::read))?,
        consents: decoded(row, 7, whole(read_consents))?,
        seed: optional_blob(row, 8)?.map(Zeroizing::new),
        topic: if row.get_ref(9)? == rusqlite::types::ValueRef::Null {
            None
        } else {
            Some(decoded(row, 9, Topic::decode)?)
        },
        state: parsed(row, 10)?,
        code: row.get(11)?,
        at: moment(row, 12)?,
    })
}

/// Reads all bytes of a column.
fn whole<T>(read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>) -> impl Fn(&[u8]) -> Result<T, DecodeError> {
    move |bytes| {
        let mut reader = Reader::new(bytes);
        let value = read(&mut reader)?;
        reader.finish().map(|()| value)
    }
}

fn read_consents(reader: &mut Reader<'_>) -> Result<Vec<ConsentOpening>, DecodeError> {
    let count = reader.count("consents of a channel", CHANNEL_CONSENTS_MAX)?;
    (0..count).map(|_| ConsentOpening::read(reader)).collect()
}

fn write_consents(writer: &mut Writer, consents: &[ConsentOpening]) {
    writer.count(consents.len());
    for consent in consents {
        consent.write(writer);
    }
}

fn written(write: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    write(&mut writer);
    writer.finish()
}

/// Stores a channel; one that is there already takes over a hub with a higher fence.
///
/// # Errors
/// Failing storage.
pub fn put(tx: &Transaction<'_>, channel: &StoredChannel) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO channels ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (channel) DO UPDATE
         SET hub = excluded.hub, fence = excluded.fence, opening = excluded.opening, consents = excluded.consents,
             seed = excluded.seed, topic = excluded.topic
         WHERE excluded.fence > fence"
    );
    tx.prepare_cached(&sql)?.execute(params![
        channel.channel.as_bytes(),
        channel.kind.word(),
        channel.introduction.map(|id| *id.as_bytes()),
        channel.local_id.as_ref().map(LocalCaseId::as_str),
        channel.hub.as_str(),
        channel.fence,
        written(|writer| channel.opening.write(writer)),
        written(|writer| write_consents(writer, &channel.consents)),
        channel.seed.as_ref().map(|seed| **seed),
        channel.topic.as_ref().map(Topic::encode),
        channel.state.as_str(),
        channel.code,
        millis(channel.at),
    ])?;
    Ok(())
}

/// Reads a channel.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, id: ChannelId) -> Result<Option<StoredChannel>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM channels WHERE channel = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([id.as_bytes()], read).optional()?)
}

/// Reads the channel that was opened, or is being opened, on an introduction.
///
/// # Errors
/// Failing storage.
pub fn of_introduction(tx: &Transaction<'_>, id: IntroductionId) -> Result<Option<StoredChannel>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM channels WHERE introduction = ?1 AND state <> 'refused'");
    Ok(tx.prepare_cached(&sql)?.query_row([id.as_bytes()], read).optional()?)
}

/// Reads channels, newest first, skipping `skip`, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn page(tx: &Transaction<'_>, skip: usize, limit: usize) -> Result<Vec<StoredChannel>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM channels ORDER BY at DESC, channel LIMIT ?1 OFFSET ?2");
    let (limit, skip) = (i64::try_from(limit).unwrap_or(i64::MAX), i64::try_from(skip).unwrap_or(i64::MAX));
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map(params![limit, skip], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records how a queued opening ended on the ledger.
///
/// # Errors
/// Failing storage.
pub fn settle(tx: &Transaction<'_>, id: ChannelId, code: Option<&str>) -> Result<(), StoreError> {
    let state = if code.is_none() { ChannelState::Open } else { ChannelState::Refused };
    tx.prepare_cached("UPDATE channels SET state = ?2, code = ?3 WHERE channel = ?1 AND state = 'queued'")?
        .execute(params![id.as_bytes(), state.as_str(), code])?;
    Ok(())
}

/// Ends the channels whose introductions have ended.
///
/// # Errors
/// Failing storage.
pub fn end_with_introductions(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE channels SET state = 'ended' WHERE state IN ('queued', 'open')
         AND introduction IN (SELECT introduction FROM introductions WHERE state = 'ended')",
    )?
    .execute([])?;
    Ok(())
}
