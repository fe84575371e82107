//! How the state of MLS groups lies in rows: a label, the MessagePack bytes of what openmls asks by, and of what it keeps.

use openmls::prelude::GroupId;
use rmp_serde::config::BytesMode;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::store::StoreError;

/// One for each kind of thing openmls keeps; the number is part of stored keys and never changes its meaning.
#[derive(Clone, Copy)]
pub(super) enum Label {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    ProposalRefs = 3,
    Proposal = 4,
    Tree = 5,
    TranscriptHash = 6,
    Context = 7,
    ConfirmationTag = 8,
    GroupState = 9,
    MessageSecrets = 10,
    ResumptionPsks = 11,
    OwnLeafIndex = 12,
    EpochSecrets = 13,
    SignatureKey = 14,
    EncryptionKey = 15,
    EpochKeys = 16,
    KeyPackage = 17,
    Psk = 18,
}

/// What is kept of a group, under its name or a tuple that begins with it.
const GROUP_LABELS: [Label; 14] = [
    Label::JoinConfig,
    Label::OwnLeafNodes,
    Label::ProposalRefs,
    Label::Proposal,
    Label::Tree,
    Label::TranscriptHash,
    Label::Context,
    Label::ConfirmationTag,
    Label::GroupState,
    Label::MessageSecrets,
    Label::ResumptionPsks,
    Label::OwnLeafIndex,
    Label::EpochSecrets,
    Label::EpochKeys,
];

/// Bytes that most values fit in.
const ROOM: usize = 4096;
/// First byte of every key of MLS state.
const MLS_ROWS: u8 = b'm';

pub(super) fn encode(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut bytes = Wiped(Zeroizing::new(Vec::with_capacity(ROOM)));
    // With names, so that a version of openmls that adds a field can still read what an earlier one wrote; keys and
    // the like as bytes, not as lists of numbers.
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_bytes(BytesMode::ForceIterables);
    value.serialize(&mut serializer).map_err(|error| StoreError::Encode(error.to_string()))?;
    Ok(bytes.0)
}

/// Bytes that leave no copy behind where they need more room.
struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    #[cold]
    fn grow(&mut self, needed: usize) {
        let mut roomier = Zeroizing::new(Vec::with_capacity(2 * needed));
        roomier.extend_from_slice(&self.0);
        self.0 = roomier;
    }
}

// The serializer writes a few bytes at a time.
impl std::io::Write for Wiped {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            self.grow(needed);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn key(label: Label, id: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut key = vec![MLS_ROWS, label as u8];
    key.extend_from_slice(&id_bytes(id)?);
    Ok(key)
}

/// What the keys of all that is kept of a group begin with: its name alone, or as the first of two or three (MessagePack's
/// arrays of so many).
pub(super) fn prefixes_of(group: &GroupId) -> Result<Vec<Vec<u8>>, StoreError> {
    let id = id_bytes(group)?;
    let of = |label: Label| [&[][..], &[0x92], &[0x93]].map(|array| [&[MLS_ROWS, label as u8], array, &id].concat());
    Ok(GROUP_LABELS.into_iter().flat_map(of).collect())
}

/// As it always was: a key that is written in another way is not found any more.
fn id_bytes(id: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec_named(id).map_err(|error| StoreError::Encode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored is found by these bytes for ever.
    #[test]
    fn keys_stay_as_they_were_written() {
        let key = key(Label::Tree, &GroupId::from_slice(&[1, 200])).unwrap();
        assert_eq!(key, [b"m\x05\x81\xa5value\x81\xa3vec\x92\x01\xcc\xc8".as_slice()].concat());
    }

    #[test]
    fn everything_of_a_group_is_found_by_its_name() {
        let (group, other) = (GroupId::from_slice(&[1, 200]), GroupId::from_slice(&[1, 200, 3]));
        let keys = |group: &GroupId| {
            [
                key(Label::Tree, group).unwrap(),
                key(Label::Proposal, &(group, "reference")).unwrap(),
                key(Label::EpochKeys, &(group, 7_u64, 2_u32)).unwrap(),
            ]
        };
        let prefixes = prefixes_of(&group).unwrap();
        let found = |key: &Vec<u8>| prefixes.iter().any(|prefix| key.starts_with(prefix));
        assert!(keys(&group).iter().all(found));
        assert!(!keys(&other).iter().any(found));
    }

    #[test]
    fn values_are_read_as_bytes_and_as_the_lists_that_were_written_before() {
        let group = GroupId::from_slice(&[200; 9]);
        let before = rmp_serde::to_vec_named(&group).unwrap();
        let now = encode(&group).unwrap();
        assert!(now.len() < before.len());
        for bytes in [before.as_slice(), now.as_slice()] {
            assert_eq!(rmp_serde::from_slice::<GroupId>(bytes).unwrap(), group);
        }
    }

    #[test]
    fn a_long_value_is_written_whole() {
        let value: Vec<u32> = (0..5000).collect();
        assert_eq!(rmp_serde::from_slice::<Vec<u32>>(&encode(&value).unwrap()).unwrap(), value);
    }
}
