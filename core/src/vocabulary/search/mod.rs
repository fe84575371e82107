//! Finds symptoms by what people type: labels, synonyms, lay words, British or American, with slips of the finger; and
//! says which words matched.

mod distance;
mod fold;
mod lay;
mod lexicon;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use super::Vocabulary;
use super::content::{Scope, SynonymKind};
use crate::term::TermId;

pub use lay::{LayWord, LayWordError};
use lexicon::{Candidate, Lexicon};

/// Bytes of a query that are read; the rest is ignored.
pub const QUERY_BYTES_MAX: usize = 256;
/// Words of a query that are looked for; the rest is ignored.
pub const QUERY_WORDS_MAX: usize = 16;

/// What matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchKind {
    /// The term's label.
    Label,
    /// A professional's synonym.
    Synonym,
    /// A layperson's synonym of the HPO.
    Lay,
    /// A lay word of our own list.
    Overlay,
}

/// How well it matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exactness {
    /// Word for word, but for spelling variants, plural, order and fillers.
    Exact,
    /// Every word typed is there, among others.
    Words,
    /// With slips, other endings, or words left over.
    Similar,
}

/// A term found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The term.
    pub term: TermId,
    /// Its label.
    pub label: String,
    /// The name that matched: the label itself, a synonym or a lay word.
    pub matched: String,
    /// What kind of name that is.
    pub kind: MatchKind,
    /// How well it matched.
    pub exactness: Exactness,
    /// The rank's ground, in thousandths; comparable within one answer only.
    pub score: u32,
}

/// One name of a term.
#[derive(Debug)]
struct Name {
    term: TermId,
    text: String,
    kind: MatchKind,
    /// Thousandths: a synonym that means more, less or something near counts less.
    worth: u32,
    /// The weights of its words together, and their number.
    weight: u32,
    words: u32,
}

/// All names of a vocabulary's symptoms, by word. Building one takes a moment: keep it.
#[derive(Debug)]
pub struct SearchIndex {
    vocabulary: Arc<Vocabulary>,
    names: Vec<Name>,
    lexicon: Lexicon,
    /// For each word the names that hold it.
    postings: Vec<Vec<u32>>,
}

/// What a name has in common with the query so far.
#[derive(Debug, Clone, Copy, Default)]
struct Overlap {
    /// The typed word that counted last, from 1.
    stamp: u32,
    /// Weight of the typed words that were found, and of the name's words that were met.
    typed: u32,
    met: u32,
    /// How many typed words were found exactly.
    exact: u32,
}

static BUILT_IN: LazyLock<Arc<SearchIndex>> =
    LazyLock::new(|| Arc::new(SearchIndex::new(Vocabulary::built_in(), &LayWord::built_in())));

impl SearchIndex {
    /// Indexes the symptoms of a vocabulary. Lay words whose term is unknown to it are left out.
    #[must_use]
    pub fn new(vocabulary: Arc<Vocabulary>, overlay: &[LayWord]) -> Self {
        let mut names = names(&vocabulary, overlay);
        let folded: Vec<Vec<String>> = names.iter().map(|name| distinct(fold::words(&name.text))).collect();
        let mut counts: HashMap<String, u32> = HashMap::new();
        for word in folded.iter().flatten() {
            *counts.entry(word.clone()).or_default() += 1;
        }
        let lexicon = Lexicon::new(counts, names.len());
        let mut postings = vec![Vec::new(); lexicon.len()];
        for ((name, words), number) in names.iter_mut().zip(&folded).zip(0..) {
            for word in words.iter().filter_map(|word| lexicon.number(word)) {
                name.weight += lexicon.weight(word);
                name.words += 1;
                if let Some(list) = usize::try_from(word).ok().and_then(|word| postings.get_mut(word)) {
                    list.push(number);
                }
            }
        }
        Self { vocabulary, names, lexicon, postings }
    }

    /// The index of the built-in vocabulary and lay words, made once.
    #[must_use]
    pub fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    /// The vocabulary it searches.
    #[must_use]
    pub const fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The best symptoms for what was typed, the best first; one hit a term, with the name that matched best.
    #[must_use]
    pub fn search(&self, typed: &str, limit: usize) -> Vec<Hit> {
        let end = typed.floor_char_boundary(QUERY_BYTES_MAX);
        let mut words = distinct(fold::words(typed.get(..end).unwrap_or_default()));
        words.truncate(QUERY_WORDS_MAX);
        let mut best: BTreeMap<TermId, (u32, u32, Exactness)> = BTreeMap::new();
        for reading in self.readings(words) {
            self.score(&reading, &mut best);
        }
        let mut ranked: Vec<_> = best.into_iter().collect();
        ranked.sort_unstable_by_key(|(term, (score, ..))| (Reverse(*score), *term));
        ranked.truncate(limit);
        ranked.into_iter().filter_map(|(term, found)| self.hit(term, found)).collect()
    }

    fn hit(&self, term: TermId, (score, name, exactness): (u32, u32, Exactness)) -> Option<Hit> {
        let name = self.names.get(usize::try_from(name).ok()?)?;
        let label = self.vocabulary.label(term)?.to_owned();
        Some(Hit { term, label, matched: name.text.clone(), kind: name.kind, exactness, score })
    }

    /// The query as typed, and with words joined or parted where that makes known words.
    fn readings(&self, words: Vec<String>) -> Vec<Vec<String>> {
        let mut readings = Vec::new();
        for (at, pair) in words.windows(2).enumerate() {
            let joined = pair.concat();
            if self.lexicon.number(&joined).is_some() {
                let mut reading = words.clone();
                reading.splice(at..at + 2, [joined]);
                readings.push(reading);
            }
        }
        let known = |part: &str| part.len() >= 3 && self.lexicon.number(part).is_some();
        for (at, word) in words.iter().enumerate().filter(|(_, word)| self.lexicon.number(word).is_none()) {
            let mut cuts = (3..word.len()).filter_map(|cut| word.split_at_checked(cut));
            if let Some((first, second)) = cuts.find(|(first, second)| known(first) && known(second)) {
                let mut reading = words.clone();
                reading.splice(at..=at, [first.to_owned(), second.to_owned()]);
                readings.push(reading);
            }
        }
        readings.push(words);
        readings
    }

    fn score(&self, words: &[String], best: &mut BTreeMap<TermId, (u32, u32, Exactness)>) {
        let mut overlaps = vec![Overlap::default(); self.names.len()];
        let mut touched = Vec::new();
        let mut whole = 0;
        for (word, stamp) in words.iter().zip(1..) {
            let candidates = self.lexicon.candidates(word);
            // A word that nothing is like weighs as much as a rare one: it is probably what matters.
            let weight = candidates.first().map_or(8000, |first| self.lexicon.weight(first.word));
            whole += weight;
            for candidate in candidates {
                self.count(candidate, weight, stamp, &mut overlaps, &mut touched);
            }
        }
        for number in touched {
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            let (Some(name), Some(overlap)) = (self.names.get(at), overlaps.get(at)) else { continue };
            let score = self.rank(name, *overlap, whole);
            let all = overlap.exact as usize == words.len();
            let exactness = match (all, overlap.exact == name.words) {
                (true, true) => Exactness::Exact,
                (true, false) => Exactness::Words,
                _ => Exactness::Similar,
            };
            let entry = best.entry(name.term).or_insert((score, number, exactness));
            if score > entry.0 {
                *entry = (score, number, exactness);
            }
        }
    }

    fn count(&self, candidate: Candidate, weight: u32, stamp: u32, overlaps: &mut [Overlap], touched: &mut Vec<u32>) {
        let list = usize::try_from(candidate.word).ok().and_then(|word| self.postings.get(word));
        let met = self.lexicon.weight(candidate.word) * candidate.likeness / 1000;
        for number in list.into_iter().flatten() {
            let Some(overlap) = usize::try_from(*number).ok().and_then(|at| overlaps.get_mut(at)) else { continue };
            if overlap.stamp == stamp {
                continue;
            }
            if overlap.stamp == 0 {
                touched.push(*number);
            }
            overlap.stamp = stamp;
            overlap.typed += weight * candidate.likeness / 1000;
            overlap.met += met;
            overlap.exact += u32::from(candidate.likeness == 1000);
        }
    }

    /// What was typed must be found (two thirds) and what was found should be all of the name (one third); commoner
    /// symptoms come first among equals.
    fn rank(&self, name: &Name, overlap: Overlap, whole: u32) -> u32 {
        let found = overlap.typed * 1000 / whole.max(1);
        let filled = (overlap.met.min(name.weight) * 1000).checked_div(name.weight).unwrap_or(0);
        let fit = found * (650 + 350 * filled / 1000) / 1000;
        let common = 32 - self.vocabulary.annotation_count(name.term).leading_zeros();
        fit * name.worth / 1000 * 10 + common * 3
    }
}

fn distinct(words: Vec<String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        if !distinct.contains(&word) {
            distinct.push(word);
        }
    }
    distinct
}

fn names(vocabulary: &Vocabulary, overlay: &[LayWord]) -> Vec<Name> {
    let mut names = Vec::new();
    let mut push = |term, text: &str, kind, worth| {
        names.push(Name { term, text: text.to_owned(), kind, worth, weight: 0, words: 0 });
    };
    for term in vocabulary.terms().filter(|term| vocabulary.is_phenotypic_abnormality(*term)) {
        push(term, vocabulary.label(term).unwrap_or_default(), MatchKind::Label, 1000);
        for synonym in vocabulary.synonyms(term) {
            let kind = if synonym.kind() == SynonymKind::Lay { MatchKind::Lay } else { MatchKind::Synonym };
            let worth = match synonym.scope() {
                Scope::Exact => 995,
                Scope::Narrow | Scope::Broad => 950,
                Scope::Related => 930,
            };
            push(term, synonym.text(), kind, worth);
        }
    }
    for word in overlay {
        if let Ok(term) = vocabulary.symptom(word.term()) {
            push(term, word.words(), MatchKind::Overlay, 1000);
        }
    }
    names
}

#[cfg(test)]
mod tests;
