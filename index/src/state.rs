//! The state after one whole block: committed segments, the tail, and the counts over both.

use std::collections::{BTreeSet, HashSet};

use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_core::token::Token;
use tantivy::index::SegmentId;

use crate::case::IndexedCase;
use crate::columns::Columns;
use crate::error::IndexError;
use crate::position::Position;
use crate::postings::Postings;
use crate::segment::Segment;
use crate::statistics::Statistics;
use crate::tail::Tail;

/// Everything an answer is made of.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) segments: Vec<Segment>,
    pub(crate) tail: Tail,
    pub(crate) statistics: Statistics,
    pub(crate) position: Position,
}

/// Where a case stands: the number of its part and its number in it. The tail comes after the segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) part: u32,
    pub(crate) case: u32,
}

/// Cases of one segment that leave, and how many of them carried each token: worked out before the state is locked.
pub(crate) struct Leaving {
    pub(crate) segment: SegmentId,
    pub(crate) cases: Vec<u32>,
    pub(crate) carried: Vec<(Token, u32)>,
}

impl State {
    /// Counts the live cases anew, at opening.
    pub(crate) fn count(&mut self) -> Result<(), IndexError> {
        let mut statistics = Statistics::default();
        for segment in &self.segments {
            for (_, facts) in segment.columns.all_live() {
                statistics.add_case(facts.hospital(), facts.length());
            }
            for (token, cases) in segment.frequencies()? {
                statistics.add_token(token, cases);
            }
        }
        self.statistics = statistics;
        Ok(())
    }

    pub(crate) fn parts(&self) -> u32 {
        self.segments.len() as u32 + 1
    }

    pub(crate) fn columns(&self, part: u32) -> &Columns {
        self.segments.get(part as usize).map_or(&self.tail.columns, |segment| &segment.columns)
    }

    pub(crate) fn postings(&self, part: u32, token: Token) -> Result<Option<Postings<'_>>, IndexError> {
        match self.segments.get(part as usize) {
            Some(segment) => segment.postings(token),
            None => Ok(self.tail.postings(token)),
        }
    }

    pub(crate) fn handle(&self, place: Place) -> Option<CaseHandle> {
        match self.segments.get(place.part as usize) {
            Some(segment) => segment.handle(place.case),
            None => self.tail.handle(place.case),
        }
    }

    /// Which committed cases leave with these withdrawals at this time.
    pub(crate) fn leaving(&self, withdrawn: &BTreeSet<CaseHandle>, now: Timestamp) -> Result<Vec<Leaving>, IndexError> {
        let mut all = Vec::new();
        for segment in &self.segments {
            let mut cases = segment.find(withdrawn);
            cases.extend(segment.columns.expired(now));
            cases.sort_unstable();
            cases.dedup();
            if !cases.is_empty() {
                all.push(Leaving { segment: segment.id, carried: segment.carried(&cases)?, cases });
            }
        }
        Ok(all)
    }

    /// Takes a case in.
    pub(crate) fn add(&mut self, case: &IndexedCase) {
        self.tail.push(case);
        self.statistics.add_case(case.hospital(), case.length());
        for token in case.tokens() {
            self.statistics.add_token(*token, 1);
        }
    }

    /// Takes cases out, wherever they stand, and returns their ordinals.
    pub(crate) fn remove(&mut self, leaving: &[Leaving], withdrawn: &BTreeSet<CaseHandle>, now: Timestamp) -> Vec<u32> {
        let mut ordinals = Vec::new();
        for Leaving { segment, cases, carried } in leaving {
            let Some(segment) = self.segments.iter_mut().find(|known| known.id == *segment) else { continue };
            bury(&mut segment.columns, cases, &mut self.statistics, &mut ordinals);
            segment.columns.settle(now);
            for (token, count) in carried {
                self.statistics.remove_token(*token, *count);
            }
        }
        let mut recent = if withdrawn.is_empty() { Vec::new() } else { self.tail.find(withdrawn) };
        recent.extend(self.tail.columns.expired(now));
        recent.sort_unstable();
        recent.dedup();
        for case in &recent {
            for token in self.tail.tokens(*case) {
                self.statistics.remove_token(*token, 1);
            }
        }
        bury(&mut self.tail.columns, &recent, &mut self.statistics, &mut ordinals);
        self.tail.columns.settle(now);
        ordinals
    }

    /// The ordinals of dead cases in segments that are about to go, and in the tail if that goes too.
    pub(crate) fn dead_outside(&self, kept: &HashSet<SegmentId>, tail: bool) -> HashSet<u32> {
        let going = self.segments.iter().filter(|segment| !kept.contains(&segment.id));
        let mut dead: HashSet<u32> = going.flat_map(|segment| segment.columns.dead_ordinals()).collect();
        if tail {
            dead.extend(self.tail.columns.dead_ordinals());
        }
        dead
    }

    /// Replaces segments by others that hold the same live cases.
    pub(crate) fn exchange(&mut self, kept: &HashSet<SegmentId>, new: Vec<Segment>, tail: bool) {
        self.segments.retain(|segment| kept.contains(&segment.id));
        self.segments.extend(new);
        if tail {
            self.tail = Tail::default();
        }
    }
}

fn bury(columns: &mut Columns, cases: &[u32], statistics: &mut Statistics, ordinals: &mut Vec<u32>) {
    for case in cases {
        if let Some(facts) = columns.live(*case) {
            statistics.remove_case(facts.hospital(), facts.length());
            ordinals.extend(columns.ordinal(*case));
            columns.kill(*case);
        }
    }
}
