//! What is asked of a matcher: groups of weighted tokens.
//!
//! One canonical form: groups in ascending order of their own tokens, relatives in ascending order of token, so that
//! neither order tells anything about symptoms or kinship, and one query has one encoding and one commitment.

mod plan;
mod relatives;

pub use plan::{BuildError, PlanError, QueryPlan};

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{Digest, NetworkId};
use crate::limits::{ANSWER_MAX, GROUP_TOKENS, TERMS_FOR_WIDE, TERMS_MAX, TERMS_MIN};
use crate::token::{EpochNumber, Token};

/// The name of the scheme by which fingerprints and queries are made.
pub const PROFILE: &str = "terms-8";

/// How far a query reaches around each symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breadth {
    /// The case's own tokens, one group each.
    Close,
    /// Each symptom with seven relatives.
    Wide,
}

impl Breadth {
    /// Relatives in each group.
    #[must_use]
    pub const fn relatives(self) -> usize {
        match self {
            Self::Close => 0,
            Self::Wide => GROUP_TOKENS - 1,
        }
    }

    /// Fewest groups of a query of this breadth.
    #[must_use]
    pub const fn groups_min(self) -> usize {
        match self {
            Self::Close => TERMS_MIN,
            Self::Wide => TERMS_FOR_WIDE,
        }
    }

    /// Writes it to a layout: 0 for close, 1 for wide.
    pub fn write(self, writer: &mut Writer) {
        writer.u8(match self {
            Self::Close => 0,
            Self::Wide => 1,
        });
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// No byte left, or one that is neither 0 nor 1.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("breadth")? {
            0 => Ok(Self::Close),
            1 => Ok(Self::Wide),
            _ => Err(DecodeError::Invalid { what: "breadth", why: "0 is close and 1 is wide" }),
        }
    }
}

/// The weight of a token in its group, in tenths: 10 for the symptom itself, 4 for a relative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u8);

impl Weight {
    /// The symptom itself.
    pub const OWN: Self = Self(10);
    /// A relative of the symptom.
    pub const RELATIVE: Self = Self(4);

    /// In tenths.
    #[must_use]
    pub const fn tenths(self) -> u8 {
        self.0
    }
}

/// One symptom of the asker: its own token first, then its relatives in ascending order of token
/// (so that the order tells nothing about kinship).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The symptom itself, weight 1.
    pub own: Token,
    /// Seven relatives, weight 0.4, in a wide query; none in a close one.
    pub relatives: Vec<Token>,
}

/// Why groups are no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Too few or too many symptoms for the breadth.
    #[error("a query of this breadth has {min} to {max} groups, this one has {found}")]
    Groups {
        /// How many there are.
        found: usize,
        /// Fewest allowed.
        min: usize,
        /// Most allowed.
        max: usize,
    },
    /// A group has another number of relatives than the breadth fixes.
    #[error("each group of a query of this breadth has {expected} relatives, one has {found}")]
    Relatives {
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// Groups or relatives do not ascend strictly, or a group's own token is among its relatives.
    #[error("groups and relatives must ascend by token, without repetition")]
    Order,
    /// More or fewer cases wanted than an answer holds.
    #[error("between 1 and {max} cases can be asked for, not {found}")]
    Count {
        /// How many were asked for.
        found: u8,
        /// Most allowed.
        max: usize,
    },
}

/// A checked question: between 3 (wide: 5) and 32 groups, none of whose own tokens stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(crate) epoch: EpochNumber,
    pub(crate) breadth: Breadth,
    pub(crate) groups: Vec<Group>,
    pub(crate) k: u8,
}

impl Query {
    /// Puts groups and relatives into their canonical order and checks them.
    ///
    /// # Errors
    /// Sizes that the breadth does not allow, a token twice where it may stand once, or a `k` outside 1 to 10.
    pub fn new(epoch: EpochNumber, breadth: Breadth, mut groups: Vec<Group>, k: u8) -> Result<Self, QueryError> {
        for group in &mut groups {
            group.relatives.sort_unstable();
        }
        groups.sort_unstable_by_key(|group| group.own);
        let query = Self { epoch, breadth, groups, k };
        query.check()?;
        Ok(query)
    }

    fn check(&self) -> Result<(), QueryError> {
        let (found, min) = (self.groups.len(), self.breadth.groups_min());
        if !(min..=TERMS_MAX).contains(&found) {
            return Err(QueryError::Groups { found, min, max: TERMS_MAX });
        }
        if !(1..=ANSWER_MAX).contains(&usize::from(self.k)) {
            return Err(QueryError::Count { found: self.k, max: ANSWER_MAX });
        }
        if !self.groups.is_sorted_by(|one, next| one.own < next.own) {
            return Err(QueryError::Order);
        }
        for group in &self.groups {
            let (found, expected) = (group.relatives.len(), self.breadth.relatives());
            if found != expected {
                return Err(QueryError::Relatives { found, expected });
            }
            if !group.relatives.is_sorted_by(|one, next| one < next) || group.relatives.contains(&group.own) {
                return Err(QueryError::Order);
            }
        }
        Ok(())
    }

    /// The epoch whose tokens these are.
    #[must_use]
    pub const fn epoch(&self) -> EpochNumber {
        self.epoch
    }

    /// How far it reaches.
    #[must_use]
    pub const fn breadth(&self) -> Breadth {
        self.breadth
    }

    /// The symptoms.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// How many cases are wanted at most, 1 to 10.
    #[must_use]
    pub const fn k(&self) -> u8 {
        self.k
    }

    /// The bytes that travel to the matcher: version 1, then the fields that the commitment covers.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1);
        self.write(&mut writer);
        writer.finish()
    }

    /// Reads exactly what [`Query::encode`] writes.
    ///
    /// # Errors
    /// Anything else: another profile, sizes out of range, another order, other weights, filters, trailing bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "query", 1)?;
        let query = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(query)
    }

    /// The salted commitment that stands in the signed request: BLAKE3 of the statement `semblance/query-commitment`
    /// version 1 (network), salt, profile, epoch, breadth, groups with weights, k, filters.
    #[must_use]
    pub fn commitment(&self, network: NetworkId, salt: &[u8; 32]) -> Digest {
        let mut writer = Writer::statement(domain::QUERY_COMMITMENT, 1, network);
        writer.raw(salt);
        self.write(&mut writer);
        Digest::of(&writer.finish())
    }

    fn write(&self, writer: &mut Writer) {
        writer.text(PROFILE);
        writer.u32(self.epoch.0);
        self.breadth.write(writer);
        writer.count(self.groups.len());
        for group in &self.groups {
            writer.count(1 + group.relatives.len());
            writer.u64(group.own.0).u8(Weight::OWN.tenths());
            for relative in &group.relatives {
                writer.u64(relative.0).u8(Weight::RELATIVE.tenths());
            }
        }
        writer.u8(self.k);
        // No filter exists yet: that the asker's own hospital is left out is a rule, not a filter.
        writer.count(0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.text("profile", 16)? != PROFILE {
            return Err(DecodeError::Invalid { what: "profile", why: "only terms-8 is known" });
        }
        let epoch = EpochNumber(reader.u32("epoch")?);
        let breadth = Breadth::read(reader)?;
        let groups = (0..reader.count("groups", TERMS_MAX)?).map(|_| read_group(reader)).collect::<Result<_, _>>()?;
        let k = reader.u8("k")?;
        reader.count("filters", 0)?;
        let query = Self { epoch, breadth, groups, k };
        query.check().map_err(|_| DecodeError::Invalid {
            what: "query",
            why: "number or order of groups and relatives, or k, is not what the breadth allows",
        })?;
        Ok(query)
    }
}

fn read_group(reader: &mut Reader<'_>) -> Result<Group, DecodeError> {
    let tokens = reader.count("group", GROUP_TOKENS)?;
    if tokens == 0 {
        return Err(DecodeError::Invalid { what: "group", why: "a group has at least its own token" });
    }
    let own = read_token(reader, Weight::OWN)?;
    let relatives = (1..tokens).map(|_| read_token(reader, Weight::RELATIVE)).collect::<Result<_, _>>()?;
    Ok(Group { own, relatives })
}

fn read_token(reader: &mut Reader<'_>, weight: Weight) -> Result<Token, DecodeError> {
    let token = Token(reader.u64("token")?);
    if reader.u8("weight")? != weight.tenths() {
        return Err(DecodeError::Invalid { what: "weight", why: "10 for a group's first token, 4 for the others" });
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn queries() -> impl Strategy<Value = Query> {
        let groups = (any::<bool>(), btree_set(any::<u64>(), 5..=32)).prop_flat_map(|(wide, own)| {
            let count = own.len();
            let relatives = if wide { 7..=7 } else { 0..=0 };
            (Just(wide), Just(own), vec(btree_set(any::<u64>(), relatives), count))
        });
        (groups, any::<u32>(), 1_u8..=10).prop_filter_map(
            "own token among relatives",
            |((wide, own, others), epoch, k)| {
                let group = |(own, relatives): (u64, std::collections::BTreeSet<u64>)| Group {
                    own: Token(own),
                    relatives: relatives.into_iter().map(Token).collect(),
                };
                let groups = own.into_iter().zip(others).map(group).collect();
                let breadth = if wide { Breadth::Wide } else { Breadth::Close };
                Query::new(EpochNumber(epoch), breadth, groups, k).ok()
            },
        )
    }

    fn close(tokens: &[u64], k: u8) -> Result<Query, QueryError> {
        let groups = tokens.iter().map(|token| Group { own: Token(*token), relatives: Vec::new() }).collect();
        Query::new(EpochNumber(1), Breadth::Close, groups, k)
    }

    proptest! {
        #[test]
        fn a_query_reads_back(query in queries()) {
            prop_assert_eq!(Query::decode(&query.encode()).unwrap(), query);
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(bytes in vec(any::<u8>(), 0..400)) {
            if let Ok(query) = Query::decode(&bytes) {
                prop_assert_eq!(query.encode(), bytes);
            }
        }

        #[test]
        fn a_damaged_query_is_refused_or_canonical(query in queries(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut bytes = query.encode();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(query) = Query::decode(&bytes) {
                prop_assert_eq!(query.encode(), bytes);
            }
        }
    }

    #[test]
    fn sizes_are_checked() {
        assert!(matches!(close(&[1, 2], 10), Err(QueryError::Groups { found: 2, min: 3, .. })));
        assert!(matches!(close(&(0..33).collect::<Vec<_>>(), 10), Err(QueryError::Groups { found: 33, .. })));
        assert_eq!(close(&[1, 2, 2], 10), Err(QueryError::Order));
        for k in [0, 11] {
            assert_eq!(close(&[1, 2, 3], k), Err(QueryError::Count { found: k, max: 10 }));
        }
        let narrow = (0..5).map(|own| Group { own: Token(own), relatives: vec![Token(9)] }).collect();
        let error = Query::new(EpochNumber(1), Breadth::Wide, narrow, 10);
        assert_eq!(error, Err(QueryError::Relatives { found: 1, expected: 7 }));
    }

    #[test]
    fn the_order_given_does_not_matter() {
        assert_eq!(close(&[3, 1, 2], 10), close(&[1, 2, 3], 10));
    }

    #[test]
    fn the_commitment_covers_every_field() {
        let base = close(&[1, 2, 3], 10).unwrap();
        let digest = base.commitment(NETWORK, &[0; 32]);
        let mut later = base.clone();
        later.epoch = EpochNumber(2);
        let others = [
            later.commitment(NETWORK, &[0; 32]),
            close(&[1, 2, 4], 10).unwrap().commitment(NETWORK, &[0; 32]),
            close(&[1, 2, 3], 9).unwrap().commitment(NETWORK, &[0; 32]),
            base.commitment(NETWORK, &[1; 32]),
            base.commitment(NetworkId::from_bytes([8; 16]), &[0; 32]),
        ];
        assert!(others.iter().all(|other| *other != digest));
    }
}
