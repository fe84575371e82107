//! Scores in integers, computed alike on every machine, so that every matcher, rebuilt or not, ranks alike.
//!
//! Fixed point has 16 fractional bits. A case's *sum* is Σ over the query's groups of the largest *gain* among the
//! group's tokens that the case carries, a gain being weight · idf; its *score* is sum · length factor, exact. Better
//! scores come first; of equal ones the lower ordinal, that is the earlier publication. The vectors in
//! `tests/vectors/scores.json` were checked against an independent computation in exact arithmetic.

use crate::query::{Breadth, Weight};

/// Fractional bits of an idf, a gain, a sum and a length factor.
pub const FRACTION_BITS: u32 = 16;

/// Bits that any sum fits in: 32 groups, each at most ln(2·2³² + 2) < 23 in 16-bit fixed point, stay below 2²⁶.
pub const SUM_BITS: u32 = 26;

/// Counts over the live cases at one ledger height; what a token is worth depends on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collection {
    /// Live cases.
    pub cases: u32,
    /// Tokens of all of them together.
    pub tokens: u64,
}

impl Collection {
    /// What a token is worth that `frequency` live cases carry: ln(1 + (N − df + ½) / (df + ½)), rounded to the nearest
    /// fixed-point value and at least the smallest one.
    #[must_use]
    pub fn idf(self, frequency: u32) -> u32 {
        let frequency = f64::from(frequency.min(self.cases));
        // The same fraction with whole numbers above and below: (2N + 2) / (2df + 1). Both are exact in an f64, and
        // libm's logarithm gives the same bits everywhere.
        let ratio = 2.0f64.mul_add(f64::from(self.cases), 2.0) / 2.0f64.mul_add(frequency, 1.0);
        let fixed = libm::round(libm::log(ratio) * f64::from(1u32 << FRACTION_BITS));
        // Between 0 and 23 · 2¹⁶: the conversion loses nothing.
        (fixed as u32).max(1)
    }

    /// BM25's length factor for a token that occurs once: (k₁ + 1) / (1 + k₁ · (1 − b + b · length / average)), with
    /// k₁ = 1.2 and b = 0.75 for close, 0.5 for wide queries; rounded to the nearest fixed-point value.
    #[must_use]
    pub fn length_factor(self, breadth: Breadth, length: u8) -> u32 {
        let total = u128::from(self.tokens.max(1));
        let weighted = u128::from(length) * u128::from(self.cases);
        // Both sides of the fraction times 20 · total, so that all coefficients are whole.
        let below = match breadth {
            Breadth::Close => 26 * total + 18 * weighted,
            Breadth::Wide => 32 * total + 12 * weighted,
        };
        let above = (44 * total) << FRACTION_BITS;
        // At most 44/26 in fixed point.
        u32::try_from((above + below / 2) / below).unwrap_or(u32::MAX)
    }
}

/// What a matched token adds: weight · idf, rounded to the nearest, halves up.
#[must_use]
pub const fn gain(idf: u32, weight: Weight) -> u32 {
    // An idf has at most 21 bits and a weight at most ten tenths.
    (idf * weight.tenths() as u32 + 5) / 10
}

/// The score of a case whose groups' best gains add up to `sum`.
#[must_use]
pub const fn score(sum: u32, length_factor: u32) -> u64 {
    sum as u64 * length_factor as u64
}

/// The order of two cases in an answer: higher score first, then lower ordinal.
#[must_use]
pub fn order(one: (u64, u32), other: (u64, u32)) -> std::cmp::Ordering {
    other.0.cmp(&one.0).then(one.1.cmp(&other.1))
}

/// How similar a case is shown to be: the worth of what it shares with the asker's case, out of what could be shared.
/// Counts explainable groups only, so that the two parts tell nothing about rarer symptoms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shown {
    reached: u64,
    possible: u64,
}

impl Shown {
    /// Counts one explainable group: the worth of its own token, and the best gain among its matched explainable
    /// tokens (0 if none). A relative rarer than the symptom itself never counts for more than the symptom.
    pub fn count(&mut self, own_idf: u32, best_gain: u32) {
        self.reached = self.reached.saturating_add(u64::from(best_gain.min(own_idf)));
        self.possible = self.possible.saturating_add(u64::from(own_idf));
    }

    /// What is shared.
    #[must_use]
    pub const fn reached(self) -> u64 {
        self.reached
    }

    /// What could be shared; 0 if no group is explainable.
    #[must_use]
    pub const fn possible(self) -> u64 {
        self.possible
    }

    /// Whether at least so many thousandths are shared. Nothing explainable means nothing shared.
    #[must_use]
    pub const fn reaches(self, thousandths: u64) -> bool {
        self.possible > 0 && self.reached.saturating_mul(1000) >= self.possible.saturating_mul(thousandths)
    }

    /// The band it falls in.
    #[must_use]
    pub const fn band(self) -> Band {
        if self.reaches(Band::HIGH_FROM) {
            Band::High
        } else if self.reaches(Band::MIDDLE_FROM) {
            Band::Middle
        } else {
            Band::Low
        }
    }
}

/// Three bands for people: percentages calibrated on one data set were over-confident on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Some symptoms are shared.
    Low,
    /// Much is shared.
    Middle,
    /// Most is shared.
    High,
}

impl Band {
    /// From so many thousandths on it is high.
    pub const HIGH_FROM: u64 = 667;
    /// From so many thousandths on it is middle.
    pub const MIDDLE_FROM: u64 = 333;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_beyond_the_cases_counts_as_all_of_them() {
        let collection = Collection { cases: 5, tokens: 40 };
        assert_eq!(collection.idf(9), collection.idf(5));
        assert_eq!(Collection::default().length_factor(Breadth::Close, 8), 110_907);
    }

    #[test]
    fn the_largest_sum_fits() {
        let most = Collection { cases: u32::MAX, tokens: 0 }.idf(0);
        assert!(u64::from(gain(most, Weight::OWN)) * (crate::limits::TERMS_MAX as u64) < 1 << SUM_BITS);
    }

    #[test]
    fn gains_round_halves_up() {
        assert_eq!(gain(12_345, Weight::OWN), 12_345);
        assert_eq!([1, 2, 3, 10, 11].map(|idf| gain(idf, Weight::RELATIVE)), [0, 1, 1, 4, 4]);
    }

    #[test]
    fn equal_scores_keep_the_order_of_publication() {
        let mut cases = vec![(5, 2), (9, 3), (5, 1)];
        cases.sort_by(|one, other| order(*one, *other));
        assert_eq!(cases, [(9, 3), (5, 1), (5, 2)]);
    }

    #[test]
    fn shown_scores_add_up_and_fall_into_bands() {
        let mut shown = Shown::default();
        assert_eq!((shown.band(), shown.reaches(0)), (Band::Low, false));
        shown.count(100, 250);
        shown.count(200, 0);
        assert_eq!((shown.reached(), shown.possible(), shown.band()), (100, 300, Band::Middle));
        shown.count(100, 100);
        shown.count(100, 200);
        shown.count(100, 200);
        assert_eq!((shown.reached(), shown.possible(), shown.band()), (400, 600, Band::Middle));
        assert!(shown.reaches(666) && !shown.reaches(667));
    }
}
