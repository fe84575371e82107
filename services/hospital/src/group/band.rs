//! A number of people as it is shown: never exactly, so that nobody counts who came and went.

semblance_core::coded! {
    /// About how many.
    SizeBand, "size band", {
        /// Under 10.
        UnderTen = 1 "under-10",
        /// 10 to 19.
        Tens = 2 "10-19",
        /// 20 to 49.
        Twenties = 3 "20-49",
        /// 50 to 99.
        Fifties = 4 "50-99",
        /// 100 or more.
        Hundreds = 5 "100-or-more",
    }
}

impl SizeBand {
    /// The band of a number.
    #[must_use]
    pub const fn of(count: u64) -> Self {
        match count {
            0..10 => Self::UnderTen,
            10..20 => Self::Tens,
            20..50 => Self::Twenties,
            50..100 => Self::Fifties,
            _ => Self::Hundreds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_meet_without_a_gap() {
        let bands = [0, 9, 10, 19, 20, 49, 50, 99, 100, u64::MAX].map(SizeBand::of);
        let words = bands.map(SizeBand::word);
        let twice = |word| [word, word];
        assert_eq!(
            words.chunks(2).map(<[_]>::to_vec).collect::<Vec<_>>(),
            [twice("under-10"), twice("10-19"), twice("20-49"), twice("50-99"), twice("100-or-more"),]
        );
    }
}
