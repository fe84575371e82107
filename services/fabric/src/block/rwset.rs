//! What a transaction read and wrote.

use prost::Message;

use super::BlockError;
use crate::proto::kvrwset::range_query_info::ReadsInfo;
use crate::proto::kvrwset::{self, HashedRwSet, KvMetadataEntry, KvrwSet};
use crate::proto::rwset::{CollectionHashedReadWriteSet, NsReadWriteSet};

/// Which transaction wrote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Its block.
    pub block: u64,
    /// Its place there.
    pub place: u64,
}

/// Name and value of one of a key's metadata, for example its endorsement policy.
pub type Metadatum = (String, Vec<u8>);

/// One chaincode's part of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The chaincode.
    pub name: String,
    /// Keys read, with the versions found.
    pub reads: Vec<(String, Option<Version>)>,
    /// Ranges read.
    pub ranges: Vec<RangeRead>,
    /// Keys written.
    pub writes: Vec<(String, Write)>,
    /// Keys whose metadata were set, with all that they then have: name and value of each. None at all removes them.
    pub metadata: Vec<(String, Vec<Metadatum>)>,
    /// Private collections, by their hashes.
    pub collections: Vec<CollectionWrites>,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// It has this value.
    Put(Vec<u8>),
    /// It is gone.
    Delete,
}

/// A range and what it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRead {
    /// First key.
    pub start: String,
    /// First key behind it; where it was not read to the end, the last one read.
    pub end: String,
    /// Whether it was read to the end.
    pub exhausted: bool,
    /// Keys and versions, unless they were too many and only their hashes were kept.
    pub rows: Option<Vec<(String, Option<Version>)>>,
}

/// What a transaction read and wrote of a private collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionWrites {
    /// The collection.
    pub name: String,
    /// Hashes of keys read, with versions.
    pub reads: Vec<(Vec<u8>, Option<Version>)>,
    /// Hashes of keys written.
    pub writes: Vec<(Vec<u8>, PrivateWrite)>,
}

/// What became of a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivateWrite {
    /// It has a value with this SHA-256.
    Put(Vec<u8>),
    /// It is gone.
    Delete,
    /// It is gone, and its history with it.
    Purge,
}

impl Namespace {
    pub(super) fn read(set: NsReadWriteSet) -> Result<Self, BlockError> {
        let public = KvrwSet::decode(set.rwset.as_slice()).map_err(|_| BlockError::Malformed("public writes"))?;
        let writes = public
            .writes
            .into_iter()
            .map(|write| (write.key, if write.is_delete { Write::Delete } else { Write::Put(write.value) }));
        let metadata = public.metadata_writes.into_iter().map(|write| {
            let entries = write.entries.into_iter().map(|KvMetadataEntry { name, value }| (name, value));
            (write.key, entries.collect())
        });
        Ok(Self {
            name: set.namespace,
            reads: public.reads.into_iter().map(read).collect(),
            ranges: public.range_queries_info.into_iter().map(range).collect(),
            writes: writes.collect(),
            metadata: metadata.collect(),
            collections: set.collection_hashed_rwset.into_iter().map(collection).collect::<Result<_, _>>()?,
        })
    }
}

fn version(version: Option<kvrwset::Version>) -> Option<Version> {
    version.map(|version| Version { block: version.block_num, place: version.tx_num })
}

fn read(read: kvrwset::KvRead) -> (String, Option<Version>) {
    (read.key, version(read.version))
}

fn range(range: kvrwset::RangeQueryInfo) -> RangeRead {
    let rows = match range.reads_info {
        Some(ReadsInfo::RawReads(rows)) => Some(rows.kv_reads.into_iter().map(read).collect()),
        Some(ReadsInfo::ReadsMerkleHashes(_)) => None,
        None => Some(Vec::new()),
    };
    RangeRead { start: range.start_key, end: range.end_key, exhausted: range.itr_exhausted, rows }
}

fn collection(set: CollectionHashedReadWriteSet) -> Result<CollectionWrites, BlockError> {
    let hashed =
        HashedRwSet::decode(set.hashed_rwset.as_slice()).map_err(|_| BlockError::Malformed("private writes"))?;
    let writes = hashed.hashed_writes.into_iter().map(|write| {
        let became = match (write.is_purge, write.is_delete) {
            (true, _) => PrivateWrite::Purge,
            (false, true) => PrivateWrite::Delete,
            (false, false) => PrivateWrite::Put(write.value_hash),
        };
        (write.key_hash, became)
    });
    Ok(CollectionWrites {
        name: set.collection_name,
        reads: hashed.hashed_reads.into_iter().map(|read| (read.key_hash, version(read.version))).collect(),
        writes: writes.collect(),
    })
}
