//! What a transaction read and what it would write, as a block records it.

use std::collections::BTreeMap;

use semblance_contract::stub::KeyPolicy;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::Digest;
use semblance_core::limits::{STATE_KEY_MAX, STATE_VALUE_MAX};

use super::policy::{read_policy, write_policy};

/// Most entries of one kind in one transaction.
const ENTRIES_MAX: usize = 100_000;

/// The transaction that wrote a value last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Its block.
    pub block: u64,
    /// Its place in the block.
    pub position: u32,
}

/// A private key as blocks name it: the collection and the SHA-256 of the key.
pub type PrivateKey = (String, [u8; 32]);

/// A range that was read, with a hash over the keys and versions it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRead {
    /// First key.
    pub start: String,
    /// First key behind the range.
    pub end: String,
    /// How many rows were wanted at most.
    pub limit: u32,
    /// `rows_digest` of what was found.
    pub rows: Digest,
}

/// What was read, and in which version; `None` where there was nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// Public keys.
    pub public: BTreeMap<String, Option<Version>>,
    /// Private keys.
    pub private: BTreeMap<PrivateKey, Option<Version>>,
    /// Ranges, in the order of reading.
    pub ranges: Vec<RangeRead>,
}

/// What is to be written; of private data the hashes alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSet {
    /// Public keys; `None` deletes.
    pub public: BTreeMap<String, Option<Vec<u8>>>,
    /// Policies for later writes.
    pub policies: BTreeMap<String, KeyPolicy>,
    /// SHA-256 of private values; `None` purges.
    pub private: BTreeMap<PrivateKey, Option<[u8; 32]>>,
}

/// The hash over what a range read gave: each key with its version.
pub(crate) fn rows_digest<'a>(rows: impl Iterator<Item = (&'a str, Version)>) -> Digest {
    let mut writer = Writer::default();
    for (key, version) in rows {
        writer.text(key);
        write_version(&mut writer, version);
    }
    Digest::of(&writer.finish())
}

impl ReadSet {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.count(self.public.len());
        for (key, version) in &self.public {
            writer.text(key);
            write_optional(writer, version.as_ref(), |writer, version| write_version(writer, *version));
        }
        writer.count(self.private.len());
        for ((collection, key), version) in &self.private {
            writer.text(collection).raw(key);
            write_optional(writer, version.as_ref(), |writer, version| write_version(writer, *version));
        }
        writer.count(self.ranges.len());
        for range in &self.ranges {
            writer.text(&range.start).text(&range.end).u32(range.limit);
            range.rows.write(writer);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            public: read_map(reader, read_key, |reader| read_optional(reader, read_version))?,
            private: read_map(reader, read_private_key, |reader| read_optional(reader, read_version))?,
            ranges: (0..reader.count("ranges read", ENTRIES_MAX)?)
                .map(|_| {
                    Ok(RangeRead {
                        start: read_key(reader)?,
                        end: read_key(reader)?,
                        limit: reader.u32("limit")?,
                        rows: Digest::read(reader)?,
                    })
                })
                .collect::<Result<_, DecodeError>>()?,
        })
    }
}

impl WriteSet {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.count(self.public.len());
        for (key, value) in &self.public {
            writer.text(key);
            write_optional(writer, value.as_ref(), |writer, value| {
                writer.bytes(value);
            });
        }
        writer.count(self.policies.len());
        for (key, policy) in &self.policies {
            writer.text(key);
            write_policy(writer, policy);
        }
        writer.count(self.private.len());
        for ((collection, key), hash) in &self.private {
            writer.text(collection).raw(key);
            write_optional(writer, hash.as_ref(), |writer, hash| {
                writer.raw(hash);
            });
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            public: read_map(reader, read_key, |reader| {
                read_optional(reader, |reader| Ok(reader.bytes("value", STATE_VALUE_MAX)?.to_vec()))
            })?,
            policies: read_map(reader, read_key, read_policy)?,
            private: read_map(reader, read_private_key, |reader| {
                read_optional(reader, |reader| reader.array("private hash"))
            })?,
        })
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    reader.text("key", STATE_KEY_MAX).map(str::to_owned)
}

fn read_private_key(reader: &mut Reader<'_>) -> Result<PrivateKey, DecodeError> {
    Ok((reader.text("collection", STATE_KEY_MAX)?.to_owned(), reader.array("private key")?))
}

fn write_version(writer: &mut Writer, version: Version) {
    writer.u64(version.block).u32(version.position);
}

fn read_version(reader: &mut Reader<'_>) -> Result<Version, DecodeError> {
    Ok(Version { block: reader.u64("block")?, position: reader.u32("position")? })
}

/// Writes a flag and, where it is set, the value.
pub(super) fn write_optional<T>(writer: &mut Writer, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
    writer.bool(value.is_some());
    if let Some(value) = value {
        write(writer, value);
    }
}

/// Reads a flag and, where it is set, the value.
pub(super) fn read_optional<T>(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if reader.bool("presence")? { read(reader).map(Some) } else { Ok(None) }
}

fn read_map<K: Ord, V>(
    reader: &mut Reader<'_>,
    key: impl Fn(&mut Reader<'_>) -> Result<K, DecodeError>,
    value: impl Fn(&mut Reader<'_>) -> Result<V, DecodeError>,
) -> Result<BTreeMap<K, V>, DecodeError> {
    let mut map = BTreeMap::new();
    for _ in 0..reader.count("entries", ENTRIES_MAX)? {
        let next = key(reader)?;
        if map.last_key_value().is_some_and(|(last, _)| *last >= next) {
            return Err(DecodeError::Invalid { what: "entries", why: "keys must ascend" });
        }
        map.insert(next, value(reader)?);
    }
    Ok(map)
}
