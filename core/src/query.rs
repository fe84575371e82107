//! What is asked of a matcher: groups of weighted tokens.

use crate::token::{EpochNumber, Token};

/// How far a query reaches around each symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breadth {
    /// The case's own tokens, one group each.
    Close,
    /// Each symptom with seven relatives.
    Wide,
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

/// A checked question: between 3 and 32 groups, none of whose own tokens stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(crate) epoch: EpochNumber,
    pub(crate) breadth: Breadth,
    pub(crate) groups: Vec<Group>,
    pub(crate) k: u8,
}

impl Query {
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
}
