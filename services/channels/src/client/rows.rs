//! Where a client keeps its records beside its MLS state, each kind under a prefix of its own.

use std::collections::BTreeSet;

use semblance_core::attestation::LeafAttestation;
use semblance_core::encode::DecodeError;
use semblance_core::id::{ChannelId, Digest, NetworkId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::signature::Statement;
use semblance_core::time::Timestamp;
use zeroize::Zeroizing;

use super::ClientError;
use super::content::Content;
use super::records::{ChannelRow, Message, Outgoing, OwnLeaf};
use crate::check::Roster;
use crate::limits::{MEMBERS_MAX, NAME_BYTES_MAX};
use crate::store::{KeyValue, Readable, StoreError};
use crate::wire::Submission;

/// What is so since some moment.
#[derive(Clone, Copy)]
pub(super) enum Since {
    /// The device waits to be let in.
    Waiting = 1,
    /// The hub took something that has not come back.
    Awaiting = 2,
}

/// The rows of one channel.
pub(super) struct Rows<'a, K> {
    rows: &'a K,
    channel: ChannelId,
}

impl<'a, K: Readable> Rows<'a, K> {
    pub(super) const fn new(rows: &'a K, channel: ChannelId) -> Self {
        Self { rows, channel }
    }

    fn key(&self, kind: u8, rest: &[u8]) -> Vec<u8> {
        [&[b'c', kind][..], self.channel.as_bytes(), rest].concat()
    }

    fn load<T: Record>(&self, kind: u8, rest: &[u8]) -> Result<Option<T>, StoreError> {
        self.rows.get(&self.key(kind, rest))?.map(Zeroizing::new).map(|bytes| decode(&bytes)).transpose()
    }

    pub(super) fn channel(&self) -> Result<ChannelRow, ClientError> {
        self.load(b'c', &[])?.ok_or(ClientError::UnknownChannel)
    }

    pub(super) fn find_channel(&self) -> Result<Option<ChannelRow>, StoreError> {
        self.load(b'c', &[])
    }

    pub(super) fn own_leaf(&self) -> Result<Option<OwnLeaf>, StoreError> {
        self.load(b'l', &[])
    }

    pub(super) fn roster(&self, network: NetworkId) -> Result<Roster, StoreError> {
        let prefix = self.key(b'r', &[]);
        let mut roster = Roster::new();
        let found = self.rows.scan(&prefix, MEMBERS_MAX + 1)?;
        if found.len() > MEMBERS_MAX {
            return Err(StoreError::Damaged("more members than a channel may have".to_owned()));
        }
        for (_, bytes) in found {
            let leaf = LeafAttestation::decode(&bytes, network).map_err(damaged)?;
            roster.insert(leaf.participant, leaf);
        }
        Ok(roster)
    }

    pub(super) fn is_gone(&self, participant: ParticipantId) -> Result<bool, StoreError> {
        Ok(self.rows.get(&self.key(b'x', participant.as_bytes()))?.is_some())
    }

    pub(super) fn outgoing(&self) -> Result<Vec<(Digest, Outgoing)>, StoreError> {
        let (prefix, mut found) = (self.key(b'o', &[]), Vec::new());
        for (key, bytes) in self.rows.scan(&prefix, usize::MAX)? {
            let digest = key.get(prefix.len()..).and_then(|digest| digest.try_into().ok());
            let digest = digest.ok_or_else(|| StoreError::Damaged("key of an outgoing row".to_owned()))?;
            found.push((Digest::from_bytes(digest), decode(&bytes)?));
        }
        // Rows lie in the order of their keys, which says nothing; what was said goes out as it was said.
        found.sort_by_key(|(_, outgoing): &(Digest, Outgoing)| outgoing.said);
        Ok(found)
    }

    pub(super) fn find_outgoing(&self, key: Digest) -> Result<Option<Outgoing>, StoreError> {
        self.load(b'o', key.as_bytes())
    }

    pub(super) fn waiting(&self) -> Result<Vec<(u64, Content)>, StoreError> {
        let (prefix, mut found) = (self.key(b'w', &[]), Vec::new());
        for (key, bytes) in self.rows.scan(&prefix, usize::MAX)? {
            let number = key.get(prefix.len()..).and_then(|number| number.try_into().ok()).map(u64::from_be_bytes);
            let number = number.ok_or_else(|| StoreError::Damaged("key of a waiting row".to_owned()))?;
            found.push((number, decode(&Zeroizing::new(bytes))?));
        }
        Ok(found)
    }

    pub(super) fn find_waiting(&self, number: u64) -> Result<Option<Content>, StoreError> {
        self.load(b'w', &number.to_be_bytes())
    }

    pub(super) fn messages(&self, after: u64, limit: usize) -> Result<Vec<Message>, StoreError> {
        let rows = self.rows.scan(&self.key(b'h', &[]), usize::MAX)?;
        let messages = rows.iter().map(|(_, bytes)| decode::<Message>(bytes));
        messages.filter(|message| message.as_ref().map_or(true, |one| one.sequence > after)).take(limit).collect()
    }

    pub(super) fn name(&self, participant: ParticipantId) -> Result<Option<String>, StoreError> {
        let name = self.rows.get(&self.key(b'n', participant.as_bytes()))?;
        let limit = |bytes: &Vec<u8>| bytes.len() <= NAME_BYTES_MAX;
        Ok(name.filter(limit).and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// Since when something is so, if it is.
    pub(super) fn find_since(&self, what: Since) -> Result<Option<Timestamp>, StoreError> {
        let since = self.rows.get(&self.key(b't', &[what as u8]))?;
        let since = since.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        Ok(since.map(Timestamp::from_millis))
    }
}

impl<K: KeyValue> Rows<'_, K> {
    fn save<T: Record>(&self, kind: u8, rest: &[u8], value: &T) -> Result<(), StoreError> {
        self.rows.put(&self.key(kind, rest), &Zeroizing::new(value.encode()))
    }

    pub(super) fn set_channel(&self, row: &ChannelRow) -> Result<(), StoreError> {
        self.save(b'c', &[], row)
    }

    pub(super) fn set_own_leaf(&self, leaf: &OwnLeaf) -> Result<(), StoreError> {
        self.save(b'l', &[], leaf)
    }

    pub(super) fn set_roster(&self, roster: &Roster) -> Result<(), StoreError> {
        // Whether they can be read or not.
        let kept: BTreeSet<_> = roster.keys().map(|one| self.key(b'r', one.as_bytes())).collect();
        let known = self.rows.scan(&self.key(b'r', &[]), usize::MAX)?;
        known.iter().filter(|(key, _)| !kept.contains(key)).try_for_each(|(key, _)| self.rows.delete(key))?;
        roster.values().try_for_each(|leaf| self.add_leaf(leaf))
    }

    pub(super) fn add_leaf(&self, leaf: &LeafAttestation) -> Result<(), StoreError> {
        self.rows.put(&self.key(b'r', leaf.participant.as_bytes()), &Statement::encode(leaf))
    }

    pub(super) fn remove_leaf(&self, participant: ParticipantId) -> Result<(), StoreError> {
        self.rows.delete(&self.key(b'r', participant.as_bytes()))
    }

    /// Since when something is so; from now on if it was not.
    pub(super) fn since(&self, what: Since, now: Timestamp) -> Result<Timestamp, StoreError> {
        if let Some(since) = self.find_since(what)? {
            return Ok(since);
        }
        self.rows.put(&self.key(b't', &[what as u8]), &now.millis().to_be_bytes())?;
        Ok(now)
    }

    /// Something is so no more.
    pub(super) fn end(&self, what: Since) -> Result<(), StoreError> {
        let key = self.key(b't', &[what as u8]);
        if self.rows.get(&key)?.is_some() { self.rows.delete(&key) } else { Ok(()) }
    }

    /// Notes that somebody was removed: under this pseudonym they never come back.
    pub(super) fn add_gone(&self, participant: ParticipantId) -> Result<(), StoreError> {
        self.rows.put(&self.key(b'x', participant.as_bytes()), &[])
    }

    pub(super) fn set_outgoing(&self, key: Digest, outgoing: &Outgoing) -> Result<(), StoreError> {
        self.save(b'o', key.as_bytes(), outgoing)
    }

    pub(super) fn remove_outgoing(&self, key: Digest) -> Result<(), StoreError> {
        self.rows.delete(&self.key(b'o', key.as_bytes()))
    }

    /// Forgets what was made with a group that is gone. Messages stay: the hub may have taken them, and says so when
    /// it sees the same bytes again. What cannot be read is of no use, and would stand in the way for ever.
    pub(super) fn clear_changes(&self) -> Result<(), StoreError> {
        self.forget(b'o', |bytes| !matches!(decode(bytes), Ok(Outgoing { submission: Submission::Message(_), .. })))?;
        self.forget(b'w', |bytes| decode::<Content>(bytes).is_err())
    }

    /// Forgets the rows of one kind whose bytes are so.
    fn forget(&self, kind: u8, is_so: impl Fn(&[u8]) -> bool) -> Result<(), StoreError> {
        let found = self.rows.scan(&self.key(kind, &[]), usize::MAX)?;
        let found = found.into_iter().map(|(key, bytes)| (key, Zeroizing::new(bytes)));
        found.filter(|(_, bytes)| is_so(bytes)).try_for_each(|(key, _)| self.rows.delete(&key))
    }

    /// Forgets what the hub took before this device joined again: it has its place, and does not come any more.
    pub(super) fn clear_taken(&self) -> Result<(), StoreError> {
        for (key, outgoing) in self.outgoing()?.into_iter().filter(|(_, one)| one.taken) {
            self.remove_outgoing(key)?;
            outgoing.said.map_or(Ok(()), |said| self.remove_waiting(said))?;
        }
        Ok(())
    }

    /// Forgets everything that was to be said.
    pub(super) fn clear_said(&self) -> Result<(), StoreError> {
        self.forget(b'o', |_| true)?;
        self.forget(b'w', |_| true)
    }

    pub(super) fn add_waiting(&self, number: u64, content: &Content) -> Result<(), StoreError> {
        self.save(b'w', &number.to_be_bytes(), content)
    }

    pub(super) fn remove_waiting(&self, number: u64) -> Result<(), StoreError> {
        self.rows.delete(&self.key(b'w', &number.to_be_bytes()))
    }

    pub(super) fn add_message(&self, message: &Message) -> Result<(), StoreError> {
        self.save(b'h', &message.sequence.to_be_bytes(), message)
    }

    pub(super) fn set_name(&self, participant: ParticipantId, name: &str) -> Result<(), StoreError> {
        self.rows.put(&self.key(b'n', participant.as_bytes()), name.as_bytes())
    }
}

/// The channels of a device.
pub(super) fn channels(rows: &impl Readable) -> Result<Vec<ChannelId>, StoreError> {
    let found = rows.scan(b"cc", usize::MAX)?;
    let ids = found.iter().filter_map(|(key, _)| key.get(2..)?.try_into().ok());
    Ok(ids.map(ChannelId::from_bytes).collect())
}

pub(super) fn kept(rows: &impl Readable) -> Result<u64, StoreError> {
    let bytes = rows.get(b"qk")?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
}

pub(super) fn set_kept(rows: &impl KeyValue, position: u64) -> Result<(), StoreError> {
    rows.put(b"qk", &position.to_be_bytes())
}

/// A key package's leaf, kept until a channel takes it up.
pub(super) fn save_package_leaf(rows: &impl KeyValue, leaf: &OwnLeaf) -> Result<(), StoreError> {
    rows.put(&[b"pl", leaf.participant.as_bytes().as_slice()].concat(), &Zeroizing::new(leaf.encode()))
}

pub(super) fn package_leaf(rows: &impl Readable, participant: ParticipantId) -> Result<Option<OwnLeaf>, StoreError> {
    let found = rows.get(&[b"pl", participant.as_bytes().as_slice()].concat())?;
    found.map(Zeroizing::new).map(|bytes| decode(&bytes)).transpose()
}

pub(super) fn remove_package_leaf(rows: &impl KeyValue, participant: ParticipantId) -> Result<(), StoreError> {
    rows.delete(&[b"pl", participant.as_bytes().as_slice()].concat())
}

fn decode<T: Record>(bytes: &[u8]) -> Result<T, StoreError> {
    T::decode(bytes).map_err(damaged)
}

fn damaged(error: DecodeError) -> StoreError {
    StoreError::Damaged(error.to_string())
}
