//! The decoders of blocks: strict, and never in a panic.

use proptest::prelude::*;
use semblance_contract::stub::KeyPolicy;
use semblance_core::id::{Digest, NetworkId, OrganisationId};
use semblance_core::signature::Signature;
use semblance_core::time::Timestamp;

use crate::Validation;
use crate::embedded::block::{BlockData, Executed, Header, RecordedTransaction};
use crate::embedded::effects::{RangeRead, ReadSet, Version, WriteSet};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

fn transaction() -> RecordedTransaction {
    let organisation = |name| OrganisationId::new(name).unwrap();
    let version = Version { block: 3, position: 1 };
    RecordedTransaction {
        proposal: b"proposal".to_vec(),
        signature: Signature::from_bytes([5; 64]),
        executed: Executed {
            endorsers: vec![organisation("hospital-1"), organisation("matcher-1")],
            reads: ReadSet {
                public: [("a".to_owned(), Some(version)), ("b".to_owned(), None)].into(),
                private: [(("c".to_owned(), [1; 32]), Some(version))].into(),
                ranges: vec![RangeRead { start: "a".into(), end: "b".into(), limit: 9, rows: Digest::of(b"rows") }],
            },
            writes: WriteSet {
                public: [("a".to_owned(), Some(b"value".to_vec())), ("b".to_owned(), None)].into(),
                policies: [("a".to_owned(), KeyPolicy::AllOf(vec![organisation("hospital-1")]))].into(),
                private: [(("c".to_owned(), [1; 32]), Some([2; 32])), (("c".to_owned(), [2; 32]), None)].into(),
            },
            response: b"response".to_vec(),
            event: Some(("event".to_owned(), b"payload".to_vec())),
        },
        validation: Validation::MvccConflict,
    }
}

fn header() -> Header {
    Header {
        network: NETWORK,
        number: 4,
        previous: Digest::of(b"previous"),
        timestamp: Timestamp::from_millis(9),
        data: Digest::of(b"data"),
    }
}

#[test]
fn the_bytes_of_a_block_stay_as_they_are() {
    let bytes = transaction().encode();
    assert_eq!(RecordedTransaction::decode(&bytes).unwrap(), transaction());
    assert_eq!(Header::decode(&header().encode(), NETWORK).unwrap(), header());
    assert!(Header::decode(&header().encode(), NetworkId::from_bytes([8; 16])).is_err());
    // Other programs read these files: a changed layout needs a new version.
    let found = [Digest::of(&header().encode()), Digest::of(&bytes), BlockData::of(vec![bytes]).hash()];
    assert_eq!(found.map(|digest| digest.to_string()), VECTORS);
}

/// BLAKE3 of the header, of the transaction, and the data hash of a block of it.
const VECTORS: [&str; 3] = [
    "8d3dc99e67c437406fe94c2d7621cc0c151051ee3893a4230a398dd6a01b58ee",
    "1aa5f2c43eb53b5e281a8ddcdaab1d2727f3083e728ba608b524735c6b428965",
    "0f27376ac1579990ee8e1b70c5aec033360eca2d76bb2f9eb2d7cacf4f294569",
];

/// Whatever a decoder takes encodes to the very same bytes again.
fn strict(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = RecordedTransaction::decode(bytes) {
        prop_assert_eq!(value.encode(), bytes);
    }
    if let Ok(value) = BlockData::decode(bytes) {
        prop_assert_eq!(value.encode(), bytes);
    }
    if let Ok(value) = Header::decode(bytes, NETWORK) {
        prop_assert_eq!(value.encode(), bytes);
    }
    Ok(())
}

proptest! {
    #[test]
    fn decoders_are_strict(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<proptest::sample::Index>(),
        noise in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let data = BlockData::of(vec![transaction().encode(), b"second".to_vec()]).encode();
        for mut bytes in [transaction().encode(), header().encode(), data] {
            for (index, byte) in &edits {
                let place = index.index(bytes.len());
                bytes[place] = *byte;
            }
            strict(&bytes)?;
            bytes.truncate(cut.index(bytes.len()));
            strict(&bytes)?;
            bytes.extend_from_slice(&noise);
            strict(&bytes)?;
        }
        strict(&noise)?;
    }
}
