//! The words of all names, and which of them are like a word that was typed.

use std::collections::HashMap;

use super::distance;
use super::fold;

/// A word of the lexicon that may be meant, and how surely, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) word: u32,
    pub(super) likeness: u32,
}

/// Thousandths of the ways in which words are alike.
mod likeness {
    pub(super) const SAME: u32 = 1000;
    pub(super) const SAME_SOUND: u32 = 960;
    pub(super) const ONE_SLIP: u32 = 880;
    pub(super) const ONE_SLIP_IN_SHORT: u32 = 780;
    pub(super) const TWO_SLIPS: u32 = 740;
    pub(super) const SAME_STEM: u32 = 800;
    pub(super) const SAME_MEANING: u32 = 860;
    pub(super) const PREFIX: u32 = 550;
}

/// Words that mean nearly the same, one group a line.
const LIKE_WORDS: &str = include_str!("../../../data/like-words.txt");
/// Letters that words of one stem share at least.
const STEM_MIN: usize = 4;
/// Letters of a word's ending at most.
const ENDING_MAX: usize = 3;
/// Shorter sounds say nothing.
const SOUND_MIN: usize = 3;
/// From so many sounds on one slip is forgiven.
const ONE_SLIP_FROM: usize = 4;
/// From so many sounds on two slips are forgiven.
const TWO_SLIPS_FROM: usize = 7;

#[derive(Debug)]
struct Word {
    text: String,
    sound: Vec<u8>,
    letters: u32,
    weight: u32,
}

/// All words, ascending by text.
#[derive(Debug)]
pub(super) struct Lexicon {
    words: Vec<Word>,
    numbers: HashMap<String, u32>,
    /// Numbers of the words by length of sound.
    by_length: Vec<Vec<u32>>,
    /// For a word, known or not, the numbers of those that mean nearly the same.
    meanings: HashMap<String, Vec<u32>>,
}

impl Lexicon {
    /// From each word's number of names, of `names` in all. A rare word weighs more: ln(1 + names ÷ its names).
    pub(super) fn new(counts: HashMap<String, u32>, names: usize) -> Self {
        let mut counts: Vec<(String, u32)> = counts.into_iter().collect();
        counts.sort_unstable();
        let weigh = |count: u32| (libm::log(1.0 + names as f64 / f64::from(count.max(1))) * 1000.0) as u32;
        let words: Vec<Word> = counts
            .into_iter()
            .map(|(text, count)| {
                let sound = fold::sound(&text);
                Word { letters: distance::letters(&sound), sound, weight: weigh(count), text }
            })
            .collect();
        let numbers = words.iter().map(|word| word.text.clone()).zip(0..).collect();
        let mut by_length: Vec<Vec<u32>> = Vec::new();
        for (word, number) in words.iter().zip(0..) {
            if by_length.len() <= word.sound.len() {
                by_length.resize(word.sound.len() + 1, Vec::new());
            }
            if let Some(list) = by_length.get_mut(word.sound.len()) {
                list.push(number);
            }
        }
        let mut lexicon = Self { words, numbers, by_length, meanings: HashMap::new() };
        for group in LIKE_WORDS.lines().filter(|line| !line.starts_with('#')) {
            lexicon.add_group(&fold::words(group));
        }
        lexicon
    }

    fn add_group(&mut self, group: &[String]) {
        let known: Vec<u32> = group.iter().filter_map(|word| self.number(word)).collect();
        for word in group {
            self.meanings.entry(word.clone()).or_default().extend(&known);
        }
    }

    pub(super) fn number(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    pub(super) fn weight(&self, word: u32) -> u32 {
        self.word(word).map_or(0, |word| word.weight)
    }

    fn word(&self, number: u32) -> Option<&Word> {
        self.words.get(usize::try_from(number).ok()?)
    }

    /// The words that may be meant, the likeliest first.
    pub(super) fn candidates(&self, typed: &str) -> Vec<Candidate> {
        let mut best: HashMap<u32, u32> = HashMap::new();
        let mut add = |word: u32, likeness: u32| {
            let known = best.entry(word).or_default();
            *known = likeness.max(*known);
        };
        let same = self.number(typed);
        if let Some(word) = same {
            add(word, likeness::SAME);
        }
        for word in self.meanings.get(typed).into_iter().flatten() {
            add(*word, likeness::SAME_MEANING);
        }
        self.add_kin(typed, &mut add);
        self.add_slips(typed, same.is_some(), &mut add);
        let mut candidates: Vec<Candidate> =
            best.into_iter().map(|(word, likeness)| Candidate { word, likeness }).collect();
        candidates.sort_unstable_by_key(|candidate| (std::cmp::Reverse(candidate.likeness), candidate.word));
        candidates
    }

    /// Words that begin as the typed one does: completions, and other endings of the same stem.
    fn add_kin(&self, typed: &str, add: &mut impl FnMut(u32, u32)) {
        let stem: String = typed.chars().take(STEM_MIN).collect();
        if typed.chars().count() < 3 {
            return;
        }
        let start = self.words.partition_point(|word| word.text.as_str() < stem.as_str());
        for (number, word) in (start..).zip(self.words.iter().skip(start)) {
            if !word.text.starts_with(&stem) {
                break;
            }
            let Ok(number) = u32::try_from(number) else { break };
            let shared = typed.bytes().zip(word.text.bytes()).take_while(|(a, b)| a == b).count();
            let (left, right) = (typed.len() - shared, word.text.len() - shared);
            if left == 0 {
                let part = u32::try_from(typed.len() * 300 / word.text.len().max(1)).unwrap_or(0);
                add(number, likeness::PREFIX + part);
            }
            let longest = typed.len().max(word.text.len());
            if shared >= STEM_MIN && left <= ENDING_MAX && right <= ENDING_MAX && shared * 10 >= longest * 6 {
                add(number, likeness::SAME_STEM);
            }
        }
    }

    /// Words that sound like the typed one but for a slip or two; of a known word only those of the very same sound.
    fn add_slips(&self, typed: &str, known: bool, add: &mut impl FnMut(u32, u32)) {
        let sound = fold::sound(typed);
        if sound.len() < SOUND_MIN {
            return;
        }
        let limit = match sound.len() {
            _ if known => 0,
            TWO_SLIPS_FROM.. => 2,
            ONE_SLIP_FROM.. => 1,
            _ => 0,
        };
        let letters = distance::letters(&sound);
        let lengths = sound.len().saturating_sub(limit)..=sound.len() + limit;
        for number in lengths.filter_map(|length| self.by_length.get(length)).flatten() {
            let Some(word) = self.word(*number) else { continue };
            if (word.letters ^ letters).count_ones() as usize > 2 * limit {
                continue;
            }
            match distance::bounded(&sound, &word.sound, limit) {
                Some(0) => add(*number, likeness::SAME_SOUND),
                Some(1) if sound.len() < 6 => add(*number, likeness::ONE_SLIP_IN_SHORT),
                Some(1) => add(*number, likeness::ONE_SLIP),
                Some(_) => add(*number, likeness::TWO_SLIPS),
                None => {}
            }
        }
    }
}
