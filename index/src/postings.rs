//! The cases that carry a token, as ascending numbers, whether on disk or in the tail.

use tantivy::postings::BlockSegmentPostings;

/// Reads a list of cases forward.
pub(crate) enum Postings<'a> {
    /// Tantivy's compressed blocks, and how far the current one has been read.
    Stored(Box<BlockSegmentPostings>, usize),
    /// Plain numbers.
    Recent(&'a [u32]),
}

impl Postings<'_> {
    /// Hands over, in slices, all cases not read yet that lie before `end`.
    #[inline]
    pub(crate) fn read_before(&mut self, end: u32, mut each: impl FnMut(&[u32])) {
        match self {
            Self::Recent(cases) => {
                let (before, after) = split(cases, end);
                each(before);
                *cases = after;
            }
            Self::Stored(blocks, read) => loop {
                let rest = blocks.docs().get(*read..).unwrap_or_default();
                let Some(last) = rest.last() else { return };
                if *last >= end {
                    let (before, _) = split(rest, end);
                    each(before);
                    *read += before.len();
                    return;
                }
                each(rest);
                blocks.advance();
                *read = 0;
            },
        }
    }

    /// Whether the list holds this case, which must not precede one asked for before.
    pub(crate) fn holds(&mut self, case: u32) -> bool {
        match self {
            Self::Recent(cases) => cases.binary_search(&case).is_ok(),
            // A block that is read to its end is not advanced, so that seeking may start from it.
            Self::Stored(blocks, _) => {
                blocks.doc_freq() > 0 && {
                    let place = blocks.seek(case);
                    blocks.docs().get(place) == Some(&case)
                }
            }
        }
    }
}

fn split(cases: &[u32], end: u32) -> (&[u32], &[u32]) {
    cases.split_at(cases.partition_point(|case| *case < end))
}
