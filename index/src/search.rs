//! Exact search for the best cases.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use semblance_core::id::CaseHandle;
use semblance_core::limits::{FINGERPRINT_MAX, SHARED_TOKENS_MIN, TERMS_MAX};
use semblance_core::query::{Query, Weight};
use semblance_core::score::{self, Collection};
use semblance_core::token::Token;

use crate::accumulate::{Accumulator, Entry, Tally};
use crate::error::IndexError;
use crate::forward::Table;
use crate::position::Position;
use crate::postings::Postings;
use crate::segment::Segment;
use crate::state::{Place, State};

/// Answers questions from an index while its writer goes on. Cheap to clone.
#[derive(Clone)]
pub struct Searcher {
    state: Arc<RwLock<State>>,
}

impl Searcher {
    pub(crate) const fn new(state: Arc<RwLock<State>>) -> Self {
        Self { state }
    }

    /// Takes hold of the present state. The writer's next block waits until the view is dropped: keep it for one
    /// answer, not longer, and not across an `await`.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        // State is changed by code that does not panic between two related changes.
        View { state: self.state.read().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// Which cases are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filters {
    /// The asker's own hospital.
    pub exclude: Option<u16>,
    /// Fewest own tokens of the query that a case carries.
    pub shared_min: u32,
}

impl Filters {
    /// What a look-up of this hospital is answered with.
    #[must_use]
    pub const fn of(hospital: u16) -> Self {
        Self { exclude: Some(hospital), shared_min: SHARED_TOKENS_MIN }
    }
}

/// A found case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Its place in the order of publication.
    pub ordinal: u32,
    /// Its public name.
    pub handle: CaseHandle,
    /// The number of its hospital.
    pub hospital: u16,
    /// Its score, in units of 2⁻³².
    pub score: u64,
    /// How many of the query's own tokens it carries.
    pub shared: u32,
    pub(crate) place: Place,
}

/// The state after one whole block.
pub struct View<'a> {
    pub(crate) state: RwLockReadGuard<'a, State>,
}

/// From so many shared own tokens on, few cases share enough for all lists to be worth reading.
const NARROW_FROM: u32 = 2;
/// A relative is common if more than one case in so many carries it.
const COMMON_SHARE: u32 = 64;

/// What the best are ranked by: score, then the earlier publication.
type Rank = (u64, Reverse<u32>);

thread_local! {
    /// Memory of one window for each thread that searches. It is all zeroes between two searches.
    static ACCUMULATOR: RefCell<Accumulator> = RefCell::new(Accumulator::new());
}

impl View<'_> {
    /// How far along the ledger this state is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.state.position
    }

    /// How many cases are live, and how many tokens they have together.
    #[must_use]
    pub fn collection(&self) -> Collection {
        self.state.statistics.collection()
    }

    /// How many hospitals have live cases.
    #[must_use]
    pub fn hospitals(&self) -> usize {
        self.state.statistics.hospitals()
    }

    /// How many live cases other hospitals than this one have, and how many such hospitals there are.
    #[must_use]
    pub fn of_others(&self, hospital: u16) -> (u32, usize) {
        self.state.statistics.of_others(hospital)
    }

    /// How many live cases carry a token.
    #[must_use]
    pub fn frequency(&self, token: Token) -> u32 {
        self.state.statistics.frequency(token)
    }

    /// What a token is worth now.
    #[must_use]
    pub fn idf(&self, token: Token) -> u32 {
        self.collection().idf(self.frequency(token))
    }

    /// The best cases for a query, as many as it asks for.
    ///
    /// # Errors
    /// The index files cannot be read.
    pub fn search(&self, query: &Query, filters: Filters) -> Result<Vec<Hit>, IndexError> {
        self.search_for(query, filters, usize::from(query.k()))
    }

    /// The best `wanted` cases for a query, however many it asks for itself.
    ///
    /// # Errors
    /// The index files cannot be read.
    pub fn search_for(&self, query: &Query, filters: Filters, wanted: usize) -> Result<Vec<Hit>, IndexError> {
        let entries = self.entries(query);
        let mut factors = [0; FINGERPRINT_MAX + 1];
        for (factor, length) in factors.iter_mut().zip(0..) {
            *factor = self.collection().length_factor(query.breadth(), length);
        }
        let mut best = Best { wanted, ranks: BinaryHeap::new() };
        for part in 0..self.state.parts() {
            self.search_part(part, &entries, filters, &factors, &mut best)?;
        }
        Ok(best.into_hits(&self.state))
    }

    /// The query's tokens with what they add: groups together, the largest gain of each first.
    fn entries(&self, query: &Query) -> Vec<(Entry, Token)> {
        let mut entries = Vec::new();
        for (group, symptom) in (0..).zip(query.groups()) {
            let own = std::iter::once((symptom.own, Weight::OWN));
            let relatives = symptom.relatives.iter().map(|token| (*token, Weight::RELATIVE));
            for (token, weight) in own.chain(relatives) {
                let gain = score::gain(self.idf(token), weight);
                entries.push((Entry { group, own: weight == Weight::OWN, gain }, token));
            }
        }
        entries.sort_by_key(|(entry, _)| (entry.group, Reverse(entry.gain)));
        entries
    }

    fn search_part(
        &self,
        part: u32,
        entries: &[(Entry, Token)],
        filters: Filters,
        factors: &[u32; FINGERPRINT_MAX + 1],
        best: &mut Best,
    ) -> Result<(), IndexError> {
        let Reading { mut lists, base, whole } = self.reading(part, entries, filters)?;
        let columns = self.state.columns(part);
        // The largest factor belongs to the shortest case; beyond it no case can be among the best.
        let most = factors.get(usize::from(columns.shortest())).copied().unwrap_or(u32::MAX);
        let consider = |bound: Tally| {
            if best.excludes(score::score(base + bound.sum, most)) {
                return;
            }
            let Some(facts) = columns.live(bound.case) else { return };
            let factor = factors.get(usize::from(facts.length())).copied().unwrap_or(0);
            if filters.exclude == Some(facts.hospital()) || best.excludes(score::score(base + bound.sum, factor)) {
                return;
            }
            let exact = whole.as_ref().map_or(bound, |(segment, table)| segment.forward.add_up(bound.case, table));
            let Some(ordinal) = columns.ordinal(bound.case) else { return };
            let place = Place { part, case: bound.case };
            best.offer((score::score(exact.sum, factor), Reverse(ordinal)), place, exact.shared);
        };
        ACCUMULATOR.with_borrow_mut(|accumulator| {
            accumulator.run(columns.len(), &mut lists, filters.shared_min, consider);
        });
        Ok(())
    }

    /// Decides which lists of a part are read. Where enough own tokens must be shared, those of common relatives are
    /// not: they are long and worth little. Each is taken for granted in `base`, a token that is read adds what it is
    /// worth beyond that, and a case that can then still be among the best is looked at whole.
    fn reading(&self, part: u32, entries: &[(Entry, Token)], filters: Filters) -> Result<Reading<'_>, IndexError> {
        let common = self.collection().cases / COMMON_SHARE;
        let is_granted = |entry: &Entry, token: &Token| !entry.own && self.frequency(*token) > common;
        let mut granted = [0; TERMS_MAX];
        for (entry, _) in entries.iter().filter(|(entry, token)| is_granted(entry, token)) {
            if let Some(most) = granted.get_mut(usize::from(entry.group)) {
                *most = entry.gain.max(*most);
            }
        }
        let narrow = filters.shared_min >= NARROW_FROM && granted.iter().any(|gain| *gain > 0);
        let Some(segment) = self.state.segments.get(part as usize).filter(|_| narrow) else {
            return Ok(Reading { lists: self.lists(part, entries.iter().copied())?, base: 0, whole: None });
        };
        let read = entries.iter().filter(|(entry, token)| !is_granted(entry, token));
        let beyond = read.map(|(entry, token)| {
            let granted = granted.get(usize::from(entry.group)).copied().unwrap_or(0);
            (Entry { gain: entry.gain.saturating_sub(granted), ..*entry }, *token)
        });
        let whole = Some((segment, segment.table(entries)));
        Ok(Reading { lists: self.lists(part, beyond)?, base: granted.iter().sum(), whole })
    }

    fn lists(
        &self,
        part: u32,
        entries: impl Iterator<Item = (Entry, Token)>,
    ) -> Result<Vec<(Entry, Postings<'_>)>, IndexError> {
        let mut lists = Vec::new();
        for (entry, token) in entries {
            if let Some(postings) = self.state.postings(part, token)? {
                lists.push((entry, postings));
            }
        }
        Ok(lists)
    }
}

/// What is read of one part.
struct Reading<'a> {
    lists: Vec<(Entry, Postings<'a>)>,
    /// What every case is given before its lists are read.
    base: u32,
    /// Where cases are looked at whole, if the lists give only an upper bound.
    whole: Option<(&'a Segment, Table)>,
}

/// The best cases so far, the worst of them on top.
struct Best {
    wanted: usize,
    ranks: BinaryHeap<Reverse<(Rank, Place, u32)>>,
}

impl Best {
    /// Whether a case with at most this score cannot be among the best.
    fn excludes(&self, most: u64) -> bool {
        self.ranks.len() >= self.wanted && self.ranks.peek().is_none_or(|Reverse(((score, _), ..))| most < *score)
    }

    fn offer(&mut self, rank: Rank, place: Place, shared: u32) {
        if self.ranks.len() < self.wanted {
            self.ranks.push(Reverse((rank, place, shared)));
        } else if let Some(mut worst) = self.ranks.peek_mut()
            && worst.0.0 < rank
        {
            *worst = Reverse((rank, place, shared));
        }
    }

    fn into_hits(self, state: &State) -> Vec<Hit> {
        let ranked = self.ranks.into_sorted_vec().into_iter();
        let hit = |Reverse(((score, Reverse(ordinal)), place, shared)): Reverse<(Rank, Place, u32)>| {
            let hospital = state.columns(place.part).live(place.case)?.hospital();
            Some(Hit { ordinal, handle: state.handle(place)?, hospital, score, shared, place })
        };
        ranked.filter_map(hit).collect()
    }
}
