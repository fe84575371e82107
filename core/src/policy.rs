//! Rules of conduct that are no limits of size: who may ask how far, and what is shown.

use crate::limits::{TERMS_FOR_WIDE, TERMS_MIN};
use crate::query::Breadth;
use crate::score::Shown;

/// Cases whose shown score is below this, in thousandths, are not shown.
///
/// Calibrated by the bench `retrieval` on published cases: below it about one shown case in ten has the asker's
/// disease or fewer, and leaving these out takes the answer from one query in two hundred. A floor of .25 would take it
/// from three times as many, and what lies between is right no more rarely.
pub const SHOWN_FLOOR_THOUSANDTHS: u64 = 200;

/// Whether a found case is similar enough to be shown.
#[must_use]
pub const fn is_shown(shown: Shown) -> bool {
    shown.reaches(SHOWN_FLOOR_THOUSANDTHS)
}

/// What a number of observed terms allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Too few terms to publish or to ask.
    Nothing,
    /// Three or four terms: close only, and the audit marks the look-up *short*, because so few symptoms
    /// single people out.
    Short,
    /// Close and wide.
    Full,
}

impl Reach {
    /// From the number of a case's distinct observed terms.
    #[must_use]
    pub const fn of(terms: usize) -> Self {
        match terms {
            TERMS_FOR_WIDE.. => Self::Full,
            TERMS_MIN.. => Self::Short,
            _ => Self::Nothing,
        }
    }

    /// Whether a query of this breadth may be asked.
    #[must_use]
    pub const fn allows(self, breadth: Breadth) -> bool {
        matches!((self, breadth), (Self::Full, _) | (Self::Short, Breadth::Close))
    }

    /// Whether the audit marks the look-up *short*.
    #[must_use]
    pub const fn is_short(self) -> bool {
        matches!(self, Self::Short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_shown_and_nothing_below() {
        let shown = |reached: u32| {
            let mut shown = Shown::default();
            shown.count(1000, reached);
            is_shown(shown)
        };
        assert!(shown(200) && !shown(199) && !is_shown(Shown::default()));
    }

    #[test]
    fn few_terms_reach_less_far() {
        let rules = [(2, Reach::Nothing), (3, Reach::Short), (4, Reach::Short), (5, Reach::Full), (32, Reach::Full)];
        for (terms, reach) in rules {
            assert_eq!(Reach::of(terms), reach, "{terms} terms");
        }
        assert!(!Reach::Nothing.allows(Breadth::Close));
        assert!(Reach::Short.allows(Breadth::Close) && !Reach::Short.allows(Breadth::Wide));
        assert!(Reach::Full.allows(Breadth::Wide));
        assert!(Reach::Short.is_short() && !Reach::Full.is_short());
    }
}
