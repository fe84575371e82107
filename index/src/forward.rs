//! The tokens of each committed case, in RAM: 2 bytes a token for as long as a segment has fewer than 65,536 different
//! ones, 4 beyond. They are read off the postings at opening and stand in no file.

use semblance_core::limits::TERMS_MAX;

use crate::accumulate::{Entry, Tally};

/// Tokens by case, as numbers of the segment's dictionary.
#[derive(Debug)]
pub(crate) struct Forward {
    /// Where each case's tokens begin, and where the last one's end.
    starts: Vec<u32>,
    tokens: Numbers,
}

#[derive(Debug)]
enum Numbers {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl Forward {
    /// Makes room for cases of these lengths.
    pub(crate) fn with_lengths(lengths: impl Iterator<Item = u8>, dictionary: usize) -> Self {
        let mut starts = vec![0];
        let mut end: u32 = 0;
        for length in lengths {
            // A segment of 2³² tokens would be a hundred million cases; it would answer from its lists alone.
            end = end.saturating_add(u32::from(length));
            starts.push(end);
        }
        let narrow = u16::try_from(dictionary).is_ok();
        let tokens = if narrow { Numbers::Narrow(vec![0; end as usize]) } else { Numbers::Wide(vec![0; end as usize]) };
        Self { starts, tokens }
    }

    /// Writes a token of the case whose `filled` counts what it has been given so far.
    pub(crate) fn put(&mut self, case: u32, token: u32, filled: &mut [u8]) {
        let (Some(start), Some(filled)) = (self.starts.get(case as usize), filled.get_mut(case as usize)) else {
            return;
        };
        let place = *start as usize + usize::from(*filled);
        *filled += 1;
        match &mut self.tokens {
            Numbers::Narrow(tokens) => {
                if let Some(slot) = tokens.get_mut(place) {
                    *slot = token as u16;
                }
            }
            Numbers::Wide(tokens) => {
                if let Some(slot) = tokens.get_mut(place) {
                    *slot = token;
                }
            }
        }
    }

    /// Adds up what a query gives a case.
    pub(crate) fn add_up(&self, case: u32, table: &Table) -> Tally {
        let place = case as usize;
        let (start, end) = match self.starts.get(place..).unwrap_or_default() {
            [start, end, ..] => (*start as usize, *end as usize),
            _ => (0, 0),
        };
        let mut sum = Sum { tally: Tally { case, shared: 0, sum: 0 }, best: [0; TERMS_MAX] };
        match &self.tokens {
            Numbers::Narrow(tokens) => {
                for token in tokens.get(start..end).unwrap_or_default() {
                    sum.add(table, u32::from(*token));
                }
            }
            Numbers::Wide(tokens) => {
                for token in tokens.get(start..end).unwrap_or_default() {
                    sum.add(table, *token);
                }
            }
        }
        sum.tally
    }
}

/// What each token of a segment's dictionary gives to a query's groups: nothing, mostly.
pub(crate) struct Table {
    /// By token: 0, or one more than the place of its first entry.
    firsts: Vec<u16>,
    /// Entries of one token stand together; the flag says whether another follows.
    entries: Vec<(Entry, bool)>,
}

impl Table {
    /// Lays out a query's entries, whose tokens are numbers of a dictionary of this size.
    pub(crate) fn new(mut numbered: Vec<(u32, Entry)>, dictionary: usize) -> Self {
        numbered.sort_by_key(|(token, _)| *token);
        let mut table = Self { firsts: vec![0; dictionary], entries: Vec::with_capacity(numbered.len()) };
        for same in numbered.chunk_by(|(one, _), (next, _)| one == next) {
            // A query has at most 256 tokens.
            let first = table.entries.len() as u16 + 1;
            if let Some(slot) = same.first().and_then(|(token, _)| table.firsts.get_mut(*token as usize)) {
                *slot = first;
            }
            for (place, (_, entry)) in same.iter().enumerate() {
                table.entries.push((*entry, place + 1 < same.len()));
            }
        }
        table
    }
}

struct Sum {
    tally: Tally,
    best: [u32; TERMS_MAX],
}

impl Sum {
    fn add(&mut self, table: &Table, token: u32) {
        let first = table.firsts.get(token as usize).copied().unwrap_or(0);
        if first == 0 {
            return;
        }
        for (entry, more) in table.entries.get(usize::from(first) - 1..).unwrap_or_default() {
            self.tally.shared += u32::from(entry.own);
            if let Some(best) = self.best.get_mut(usize::from(entry.group))
                && entry.gain > *best
            {
                self.tally.sum += entry.gain - *best;
                *best = entry.gain;
            }
            if !more {
                return;
            }
        }
    }
}
