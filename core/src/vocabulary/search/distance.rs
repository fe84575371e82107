//! How many slips of the finger lie between two words.

/// Longest word compared, in bytes; longer ones are never similar.
const WORD_MAX: usize = 40;

/// The Damerau–Levenshtein distance (insertions, deletions, replacements, swaps of neighbours; no byte is touched
/// twice), if it is at most `limit`.
pub(super) fn bounded(left: &[u8], right: &[u8], limit: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > limit || left.len() > WORD_MAX || right.len() > WORD_MAX {
        return None;
    }
    let mut before_last: [u8; WORD_MAX + 1] = [0; WORD_MAX + 1];
    let mut last = before_last;
    for (at, cell) in (0..).zip(last.iter_mut()) {
        *cell = at;
    }
    let mut row = last;
    for (i, a) in left.iter().enumerate() {
        let mut least = step(&mut row, 0, u8::try_from(i + 1).unwrap_or(u8::MAX));
        for (j, b) in right.iter().enumerate() {
            let cell = |cells: &[u8], at: usize| cells.get(at).copied().unwrap_or(u8::MAX);
            let mut cost = cell(&last, j) + u8::from(a != b);
            cost = cost.min(cell(&last, j + 1) + 1).min(cell(&row, j) + 1);
            let swapped = i > 0 && j > 0 && left.get(i - 1) == Some(b) && right.get(j - 1) == Some(a);
            if swapped {
                cost = cost.min(cell(&before_last, j - 1) + 1);
            }
            least = least.min(step(&mut row, j + 1, cost));
        }
        if usize::from(least) > limit {
            return None;
        }
        before_last = last;
        last = row;
    }
    last.get(right.len()).map(|distance| usize::from(*distance)).filter(|distance| *distance <= limit)
}

fn step(row: &mut [u8], at: usize, cost: u8) -> u8 {
    if let Some(cell) = row.get_mut(at) {
        *cell = cost;
    }
    cost
}

/// Which bytes a word holds, one bit for each of 32 kinds: two words within `n` slips differ in at most `2n` bits.
pub(super) fn letters(word: &[u8]) -> u32 {
    word.iter().fold(0, |bits, byte| bits | 1 << (byte & 31))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slips_are_counted() {
        let distance = |left: &str, right: &str| bounded(left.as_bytes(), right.as_bytes(), 2);
        assert_eq!(distance("seizure", "seizure"), Some(0));
        assert_eq!(distance("seizre", "seizure"), Some(1));
        assert_eq!(distance("seziure", "seizure"), Some(1), "neighbours swapped");
        assert_eq!(distance("sezur", "seizure"), Some(2));
        assert_eq!(distance("hypotonia", "hypertonia"), Some(2));
        assert_eq!(distance("ataxia", "dystonia"), None);
        assert_eq!(distance("", "ab"), Some(2));
        assert_eq!(bounded(&[b'a'; 50], &[b'a'; 50], 2), None);
    }

    proptest! {
        #[test]
        fn the_filter_loses_nothing(left in "[a-z]{0,12}", right in "[a-z]{0,12}", limit in 0_usize..3) {
            if bounded(left.as_bytes(), right.as_bytes(), limit).is_some() {
                let differing = (letters(left.as_bytes()) ^ letters(right.as_bytes())).count_ones() as usize;
                prop_assert!(differing <= 2 * limit);
            }
        }

        #[test]
        fn the_distance_is_symmetric(left in "[ab]{0,8}", right in "[ab]{0,8}") {
            prop_assert_eq!(bounded(left.as_bytes(), right.as_bytes(), 4), bounded(right.as_bytes(), left.as_bytes(), 4));
        }
    }
}
