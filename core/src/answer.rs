//! What a matcher answers, and the commitment to it that stands on the ledger.
//!
//! A shown score is not stored but follows from its parts, so that it always adds up: the answer names the asker's
//! explainable groups with the worth of each, and every match names those it shares with what each adds.

use std::collections::BTreeSet;
use std::fmt;

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{CaseHandle, Digest, NetworkId, OrganisationId};
use crate::limits::{ANSWER_MAX, TERMS_MAX};
use crate::receipt::{Receipt, SlotKey};
use crate::score::Shown;
use crate::signature::Statement;

/// What an answer covers: live cases at the height of the matcher's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coverage {
    /// Live cases searched, the asker's own hospital's left out.
    pub cases: u32,
    /// Hospitals they belong to.
    pub hospitals: u32,
    /// The last block that the index holds.
    pub height: u64,
}

/// A number for one of the query's groups: the worth of an explainable group, or what a match reaches of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupValue {
    /// The group's place in the query, from 0.
    pub group: u8,
    /// Fixed point with [`crate::score::FRACTION_BITS`] fractional bits, at least 1.
    pub value: u32,
}

/// A found case, as far as the asker may know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its public name.
    pub handle: CaseHandle,
    /// Its hospital.
    pub hospital: OrganisationId,
    /// Which explainable groups it shares and what each adds to the shown score, ascending by group.
    pub shared: Vec<GroupValue>,
    /// Whether it shares rarer symptoms, of which nothing is shown.
    pub rarer: bool,
    /// Where its receipt stands, and what it was sealed with.
    pub receipt: SlotKey,
}

/// Why an answer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// More matches than an answer holds.
    #[error("an answer has at most {ANSWER_MAX} matches")]
    Matches,
    /// A case or a receipt slot stands twice.
    #[error("a case or a receipt slot stands twice")]
    Twice,
    /// Groups are out of order or range, or a value is 0.
    #[error("groups ascend, below {TERMS_MAX}, with values of at least 1")]
    Groups,
    /// A match reaches more of a group than it is worth, or shares one that is not explainable.
    #[error("a match shares a group that is not explainable, or more of it than it is worth")]
    Shared,
}

/// What an answer says, before it is checked; debug output does not show the salt.
#[derive(Clone, PartialEq, Eq)]
pub struct AnswerParts {
    /// The network.
    pub network: NetworkId,
    /// Random; without it the commitment confirms no guess.
    pub salt: [u8; 32],
    /// The digest of the signed request.
    pub request: Digest,
    /// What it covers.
    pub coverage: Coverage,
    /// The asker's groups that may be explained, with the worth of each, ascending by group.
    pub explainable: Vec<GroupValue>,
    /// The found cases, best first: the first has rank 1.
    pub matches: Vec<Match>,
}

impl fmt::Debug for AnswerParts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AnswerParts")
            .field("network", &self.network)
            .field("request", &self.request)
            .field("coverage", &self.coverage)
            .field("explainable", &self.explainable)
            .field("matches", &self.matches)
            .finish_non_exhaustive()
    }
}

/// A matcher's answer, checked; reads like its [`AnswerParts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(AnswerParts);

impl Answer {
    /// Checks that numbers, order and parts agree.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn new(parts: AnswerParts) -> Result<Self, AnswerError> {
        if parts.matches.len() > ANSWER_MAX {
            return Err(AnswerError::Matches);
        }
        check_groups(&parts.explainable)?;
        let (mut handles, mut slots) = (BTreeSet::new(), BTreeSet::new());
        for found in &parts.matches {
            if !handles.insert(found.handle) || !slots.insert(found.receipt.slot) {
                return Err(AnswerError::Twice);
            }
            check_groups(&found.shared)?;
            let fits = |part: &GroupValue| worth(&parts.explainable, part.group).is_some_and(|own| part.value <= own);
            if !found.shared.iter().all(fits) {
                return Err(AnswerError::Shared);
            }
        }
        Ok(Self(parts))
    }

    /// How similar a match is shown to be.
    #[must_use]
    pub fn shown(&self, found: &Match) -> Shown {
        let mut shown = Shown::default();
        for own in &self.explainable {
            shown.count(own.value, worth(&found.shared, own.group).unwrap_or(0));
        }
        shown
    }

    /// The matches with their ranks, from 1, and the receipt that each must have left.
    pub fn receipts(&self) -> impl Iterator<Item = (&Match, Receipt)> {
        self.matches
            .iter()
            .zip(1..)
            .map(|(found, rank)| (found, Receipt { handle: found.handle, rank, index_height: self.coverage.height }))
    }

    /// What stands on the ledger: BLAKE3 keyed with the salt over the answer's bytes.
    #[must_use]
    pub fn commitment(&self) -> Digest {
        Digest::from_bytes(*blake3::keyed_hash(&self.salt, &self.encode()).as_bytes())
    }
}

fn worth(groups: &[GroupValue], group: u8) -> Option<u32> {
    groups.iter().find(|own| own.group == group).map(|own| own.value)
}

fn check_groups(groups: &[GroupValue]) -> Result<(), AnswerError> {
    let ascending = groups.is_sorted_by(|left, right| left.group < right.group);
    let in_range = groups.iter().all(|own| usize::from(own.group) < TERMS_MAX && own.value > 0);
    if ascending && in_range { Ok(()) } else { Err(AnswerError::Groups) }
}

impl std::ops::Deref for Answer {
    type Target = AnswerParts;

    fn deref(&self) -> &AnswerParts {
        &self.0
    }
}

impl Statement for Answer {
    const DOMAIN: &'static str = domain::ANSWER_COMMITMENT;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.salt);
        self.request.write(writer);
        writer.u32(self.coverage.cases).u32(self.coverage.hospitals).u64(self.coverage.height);
        write_groups(writer, &self.explainable);
        writer.count(self.matches.len());
        for found in &self.matches {
            found.handle.write(writer);
            found.hospital.write(writer);
            write_groups(writer, &found.shared);
            writer.bool(found.rarer);
            found.receipt.write(writer);
        }
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let parts = AnswerParts {
            network,
            salt: reader.array("salt")?,
            request: Digest::read(reader)?,
            coverage: Coverage {
                cases: reader.u32("cases")?,
                hospitals: reader.u32("hospitals")?,
                height: reader.u64("height")?,
            },
            explainable: read_groups(reader)?,
            matches: (0..reader.count("matches", ANSWER_MAX)?).map(|_| read_match(reader)).collect::<Result<_, _>>()?,
        };
        Self::new(parts).map_err(|_| DecodeError::Invalid { what: "answer", why: "its parts do not agree" })
    }
}

fn read_match(reader: &mut Reader<'_>) -> Result<Match, DecodeError> {
    Ok(Match {
        handle: CaseHandle::read(reader)?,
        hospital: OrganisationId::read(reader)?,
        shared: read_groups(reader)?,
        rarer: reader.bool("rarer symptoms")?,
        receipt: SlotKey::read(reader)?,
    })
}

fn read_groups(reader: &mut Reader<'_>) -> Result<Vec<GroupValue>, DecodeError> {
    let count = reader.count("groups", TERMS_MAX)?;
    (0..count).map(|_| Ok(GroupValue { group: reader.u8("group")?, value: reader.u32("group value")? })).collect()
}

fn write_groups(writer: &mut Writer, groups: &[GroupValue]) {
    writer.count(groups.len());
    for own in groups {
        writer.u8(own.group).u32(own.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::{SlotIndex, SlotSeed};
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn found(byte: u8, shared: &[(u8, u32)]) -> Match {
        Match {
            handle: CaseHandle::from_bytes([byte; 16]),
            hospital: OrganisationId::new("south").unwrap(),
            shared: groups(shared),
            rarer: byte == 1,
            receipt: SlotKey { slot: SlotIndex::new(byte).unwrap(), seed: SlotSeed::from_bytes([byte; 32]) },
        }
    }

    fn groups(values: &[(u8, u32)]) -> Vec<GroupValue> {
        values.iter().map(|&(group, value)| GroupValue { group, value }).collect()
    }

    fn parts() -> AnswerParts {
        AnswerParts {
            network: NETWORK,
            salt: [1; 32],
            request: Digest::from_bytes([2; 32]),
            coverage: Coverage { cases: 90, hospitals: 2, height: 12 },
            explainable: groups(&[(0, 100), (3, 300)]),
            matches: vec![found(1, &[(0, 100), (3, 40)]), found(2, &[])],
        }
    }

    #[test]
    fn the_shown_score_adds_up() {
        let answer = Answer::new(parts()).unwrap();
        let shown: Vec<_> = answer.matches.iter().map(|found| answer.shown(found)).collect();
        assert_eq!((shown[0].reached(), shown[0].possible()), (140, 400));
        assert_eq!((shown[1].reached(), shown[1].possible()), (0, 400));
        let ranks: Vec<_> = answer.receipts().map(|(_, receipt)| (receipt.rank, receipt.index_height)).collect();
        assert_eq!(ranks, [(1, 12), (2, 12)]);
    }

    #[test]
    fn parts_that_do_not_agree_are_refused() {
        let refused = |change: fn(&mut AnswerParts)| {
            let mut parts = parts();
            change(&mut parts);
            Answer::new(parts).unwrap_err()
        };
        assert_eq!(refused(|parts| parts.matches[1].handle = parts.matches[0].handle), AnswerError::Twice);
        assert_eq!(refused(|parts| parts.matches[1].receipt.slot = parts.matches[0].receipt.slot), AnswerError::Twice);
        assert_eq!(refused(|parts| parts.matches[0].shared[0].value = 101), AnswerError::Shared);
        assert_eq!(refused(|parts| parts.matches[0].shared[0].group = 1), AnswerError::Shared);
        assert_eq!(refused(|parts| parts.matches[0].shared[0].value = 0), AnswerError::Groups);
        assert_eq!(refused(|parts| parts.explainable.reverse()), AnswerError::Groups);
        assert_eq!(refused(|parts| parts.explainable[1].group = 32), AnswerError::Groups);
        assert_eq!(refused(|parts| parts.matches = vec![found(1, &[]); 11]), AnswerError::Matches);
    }

    #[test]
    fn the_commitment_covers_salt_request_and_matches() {
        let commit = |change: fn(&mut AnswerParts)| {
            let mut parts = parts();
            change(&mut parts);
            Answer::new(parts).unwrap().commitment()
        };
        let base = commit(|_| ());
        assert_eq!(base, commit(|_| ()));
        for other in [
            commit(|parts| parts.salt[0] = 9),
            commit(|parts| parts.request = Digest::from_bytes([9; 32])),
            commit(|parts| parts.coverage.height = 13),
            commit(|parts| parts.matches.swap(0, 1)),
            commit(|parts| parts.network = NetworkId::from_bytes([9; 16])),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn debug_output_shows_no_salt() {
        let shown = format!("{:?}", Answer::new(AnswerParts { salt: [0xa7; 32], ..parts() }).unwrap());
        assert!(shown.contains("matches") && !shown.contains("167") && !shown.contains("salt"), "{shown}");
    }

    #[test]
    fn the_decoder_is_strict() {
        let answer = Answer::new(parts()).unwrap();
        assert_strict(&answer.encode(), |bytes| Answer::decode(bytes, NETWORK), Statement::encode);
    }
}
