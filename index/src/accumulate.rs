//! Adding up gains, case by case, over all lists of a query.
//!
//! Nothing is pruned by score: the k-th is low, so that most postings would be read anyway. Cases are taken in windows
//! that fit the processor's second-level cache. Each has one word: the count of own tokens it shares in the high bits,
//! its sum of gains in the low bits, so that the filter on shared tokens costs one comparison of the word.

use semblance_core::score::SUM_BITS;

use crate::postings::Postings;

/// Cases in a window: 128 KB of words, 32 KB of stamps.
const WINDOW: u32 = 1 << 15;
/// One shared own token.
const SHARED: u32 = 1 << SUM_BITS;
/// The sum's bits.
const SUM: u32 = SHARED - 1;
/// Words that are looked at together in a sweep.
const STRIDE: usize = 64;

/// One token of a query: where it counts and for how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its group, 0 to 31.
    pub(crate) group: u8,
    /// Whether it is the group's own token.
    pub(crate) own: bool,
    /// What it adds.
    pub(crate) gain: u32,
}

/// A case that shares enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) case: u32,
    pub(crate) shared: u32,
    pub(crate) sum: u32,
}

/// Memory for one window, used again and again.
pub(crate) struct Accumulator {
    words: Vec<u32>,
    /// The last group that counted each case; groups of successive windows get successive stamps.
    stamps: Vec<u8>,
    next: u8,
}

impl Accumulator {
    pub(crate) fn new() -> Self {
        Self { words: vec![0; WINDOW as usize], stamps: vec![0; WINDOW as usize], next: 1 }
    }

    /// Reads all lists and hands over each case that shares at least so many own tokens, in ascending order.
    /// A group's lists stand together, the largest gain first: a case counts once a group, for the best.
    pub(crate) fn run(
        &mut self,
        cases: u32,
        lists: &mut [(Entry, Postings<'_>)],
        shared_min: u32,
        mut each: impl FnMut(Tally),
    ) {
        let Some(least) = shared_min.checked_mul(SHARED).map(|least| least.max(1)) else { return };
        let mut start = 0;
        while start < cases {
            let end = start.saturating_add(WINDOW).min(cases);
            self.add_window(start, end, lists);
            self.sweep(start, (end - start) as usize, least, &mut each);
            start = end;
        }
    }

    fn add_window(&mut self, start: u32, end: u32, lists: &mut [(Entry, Postings<'_>)]) {
        for group in lists.chunk_by_mut(|(one, _), (next, _)| one.group == next.group) {
            if let [(entry, postings)] = group {
                self.add_alone(start, end, *entry, postings);
                continue;
            }
            if self.next == 0 {
                // The stamps have come round: forget all of them.
                self.stamps.fill(0);
                self.next = 1;
            }
            for (entry, postings) in group {
                self.add_stamped(start, end, *entry, postings);
            }
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Adds the only list of a group.
    fn add_alone(&mut self, start: u32, end: u32, entry: Entry, postings: &mut Postings<'_>) {
        let add = entry.gain + if entry.own { SHARED } else { 0 };
        let words = self.words.as_mut_slice();
        postings.read_before(end, |cases| {
            for case in cases {
                if let Some(word) = words.get_mut(case.wrapping_sub(start) as usize) {
                    *word += add;
                }
            }
        });
    }

    /// Adds a list whose group has others.
    fn add_stamped(&mut self, start: u32, end: u32, entry: Entry, postings: &mut Postings<'_>) {
        let shared = if entry.own { SHARED } else { 0 };
        let (stamp, gain) = (self.next, entry.gain);
        let (words, stamps) = (self.words.as_mut_slice(), self.stamps.as_mut_slice());
        postings.read_before(end, |cases| {
            for case in cases {
                let place = case.wrapping_sub(start) as usize;
                if let (Some(word), Some(last)) = (words.get_mut(place), stamps.get_mut(place)) {
                    *word += shared + if *last == stamp { 0 } else { gain };
                    *last = stamp;
                }
            }
        });
    }

    fn sweep(&mut self, start: u32, length: usize, least: u32, each: &mut impl FnMut(Tally)) {
        let Some(words) = self.words.get_mut(..length) else { return };
        for (words, first) in words.chunks_mut(STRIDE).zip((start..).step_by(STRIDE)) {
            // No early end: so the compiler compares many words at once.
            let found = words.iter().fold(false, |found, word| found | (*word >= least));
            if found {
                for (word, case) in words.iter().zip(first..) {
                    if *word >= least {
                        each(Tally { case, shared: word >> SUM_BITS, sum: word & SUM });
                    }
                }
            }
            words.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cases: u32, lists: &[(Entry, &[u32])], shared_min: u32) -> Vec<(u32, u32, u32)> {
        let mut accumulator = Accumulator::new();
        let mut found = Vec::new();
        // Twice: nothing may be left over from the first time.
        for _ in 0..2 {
            let mut lists: Vec<_> = lists.iter().map(|(entry, cases)| (*entry, Postings::Recent(cases))).collect();
            found.clear();
            accumulator.run(cases, &mut lists, shared_min, |tally| found.push((tally.case, tally.shared, tally.sum)));
        }
        found
    }

    #[test]
    fn a_group_counts_once_for_the_best() {
        let entry = |group, own, gain| Entry { group, own, gain };
        let lists: [(Entry, &[u32]); 4] = [
            (entry(0, false, 9), &[1, 2]),
            (entry(0, true, 5), &[1, 3]),
            (entry(1, true, 7), &[1, 4]),
            (entry(2, true, 1), &[4]),
        ];
        assert_eq!(run(5, &lists, 1), [(1, 2, 16), (3, 1, 5), (4, 2, 8)]);
        assert_eq!(run(5, &lists, 0), [(1, 2, 16), (2, 0, 9), (3, 1, 5), (4, 2, 8)]);
        assert_eq!(run(5, &lists, 3), []);
        assert_eq!(run(5, &lists, u32::MAX), []);
    }

    #[test]
    fn windows_join_without_a_seam() {
        let own = |group| Entry { group, own: true, gain: 3 };
        let near = |group| Entry { group, own: false, gain: 2 };
        let places: Vec<u32> = (0..400_000).step_by(997).collect();
        let lists: Vec<(Entry, &[u32])> =
            (0..32).flat_map(|group| [(own(group), places.as_slice()), (near(group), places.as_slice())]).collect();
        let expected: Vec<_> = places.iter().map(|place| (*place, 32, 96)).collect();
        assert_eq!(run(400_000, &lists, 3), expected);
    }
}
