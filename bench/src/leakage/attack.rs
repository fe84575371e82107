//! Reading tokens without a key: frequencies first, then co-occurrence, then the same again with what is known by then.
//!
//! The attacker sees sets of nameless tokens and has plaintext sets of terms made the same way (padded or closed as the
//! published ones are). Each pair of a token and a term gets the logarithm of its likelihood: that the token's frequency
//! is a Poisson draw around the term's, and so the number of cases it shares with each *anchor*, a token taken as read.
//! Every round assigns terms to tokens greedily by posterior probability and takes more of the tokens as anchors.

use std::collections::HashMap;

use semblance_core::term::TermId;

/// Tokens that are attacked, the most frequent ones.
const TOKENS: usize = 2000;
/// Terms that are considered, the most frequent ones.
const TERMS: usize = 2500;
/// Anchors in each round.
const ANCHORS: [usize; 9] = [25, 50, 100, 150, 200, 300, 400, 500, 500];
/// Candidates of each token that the assignment looks at.
const CANDIDATES: usize = 30;
/// How many imagined cases of independent terms smooth a co-occurrence.
const SMOOTHING: f32 = 3.0;

/// How far the attacker trusts his model; no setting is best against all designs, so each attack is made with both and
/// the better reading counts.
const SETTINGS: [Setting; 2] = [Setting { temper: 0.1, width: 0.02 }, Setting { temper: 0.05, width: 0.1 }];

/// Cases are alike in more than pairs of terms, and two populations differ: taken at face value, the likelihoods drown
/// what is known for sure.
#[derive(Clone, Copy)]
struct Setting {
    /// What the likelihood of shared cases is multiplied by.
    temper: f32,
    /// How much frequencies of two populations differ, as a share of their variance.
    width: f32,
}

/// What the attacker holds beside the published sets.
pub(super) struct Knowledge<'a> {
    /// Plaintext sets of terms, treated as the published ones are.
    pub(super) sets: &'a [Vec<TermId>],
    /// Published sets whose plaintext is known: index and terms, as far as they are in the open.
    pub(super) known: &'a [(usize, Vec<TermId>)],
    /// The log-probability of a token in a known case that is none of its terms.
    pub(super) stray: f32,
    /// Which terms stand together in a wide query's group, if groups are seen.
    pub(super) kin: Option<&'a Kin<'a>>,
}

/// Groups of wide queries, and what the attacker expects of them.
pub(super) struct Kin<'a> {
    /// For each token that was a group's own: all tokens of the group.
    pub(super) seen: &'a HashMap<u32, Vec<u32>>,
    /// The terms of a term's group, as the public rule makes it.
    pub(super) expected: &'a HashMap<TermId, Vec<TermId>>,
}

struct Tables {
    /// Attacked tokens.
    tokens: Vec<u32>,
    /// Considered terms.
    terms: Vec<TermId>,
    /// For each attacked token: other attacked tokens with the number of sets they share.
    shared: Vec<Vec<(usize, f32)>>,
    /// Expected number of sets shared by two terms, and its logarithm, row by row.
    expected: Vec<f32>,
    logarithm: Vec<f32>,
    /// What frequency and known cases say of each pair.
    prior: Vec<f32>,
}

/// The attacker's readings of tokens, one for each setting.
pub(super) fn read(published: &[Vec<u32>], knowledge: &Knowledge<'_>) -> Vec<HashMap<u32, TermId>> {
    SETTINGS.iter().map(|setting| read_with(published, knowledge, *setting)).collect()
}

fn read_with(published: &[Vec<u32>], knowledge: &Knowledge<'_>, setting: Setting) -> HashMap<u32, TermId> {
    let tables = Tables::build(published, knowledge, setting);
    let overlap = knowledge.kin.map(|kin| Overlap::build(&tables, kin));
    let mut assigned = tables.assign(&tables.prior);
    for anchors in ANCHORS {
        let mut trusted: Vec<(usize, usize, f32)> = assigned.clone();
        trusted.sort_by(|one, other| other.2.total_cmp(&one.2));
        trusted.truncate(anchors);
        let mut scores = vec![0.0; tables.prior.len()];
        tables.add_shared(&mut scores, &trusted);
        for (score, prior) in scores.iter_mut().zip(&tables.prior) {
            *score = *score * setting.temper + prior;
        }
        if let Some(overlap) = &overlap {
            overlap.add(&mut scores, &trusted, tables.terms.len());
        }
        assigned = tables.assign(&scores);
    }
    let name = |(token, term, _): (usize, usize, f32)| Some((*tables.tokens.get(token)?, *tables.terms.get(term)?));
    assigned.into_iter().filter_map(name).collect()
}

/// Items by falling count, of equal ones the lower first.
fn most<T: Copy + Ord + std::hash::Hash>(sets: impl Iterator<Item = T>, limit: usize) -> (Vec<T>, Vec<f32>) {
    let mut counts: HashMap<T, u32> = HashMap::new();
    for item in sets {
        *counts.entry(item).or_default() += 1;
    }
    let mut counts: Vec<(T, u32)> = counts.into_iter().collect();
    counts.sort_by_key(|(item, count)| (std::cmp::Reverse(*count), *item));
    counts.truncate(limit);
    counts.into_iter().map(|(item, count)| (item, count as f32)).unzip()
}

/// For each item, the sets it is in.
fn places<T: Copy + Eq + std::hash::Hash>(sets: &[Vec<T>], items: &[T]) -> Vec<Vec<usize>> {
    let positions: HashMap<T, usize> = items.iter().copied().zip(0..).collect();
    sets.iter().map(|set| set.iter().filter_map(|item| positions.get(item).copied()).collect()).collect()
}

impl Tables {
    fn build(published: &[Vec<u32>], knowledge: &Knowledge<'_>, setting: Setting) -> Self {
        let (tokens, token_counts) = most(published.iter().flatten().copied(), TOKENS);
        let (terms, term_counts) = most(knowledge.sets.iter().flatten().copied(), TERMS);
        let mut shared: Vec<HashMap<usize, f32>> = vec![HashMap::new(); tokens.len()];
        for set in places(published, &tokens) {
            for one in &set {
                let Some(row) = shared.get_mut(*one) else { continue };
                for other in set.iter().filter(|other| *other != one) {
                    *row.entry(*other).or_default() += 1.0;
                }
            }
        }
        let (cases, sets) = (published.len() as f32, knowledge.sets.len() as f32);
        let width = terms.len();
        let mut expected = vec![0.0_f32; width * width];
        for set in places(knowledge.sets, &terms) {
            for one in &set {
                for other in &set {
                    add(&mut expected, one * width + other, 1.0);
                }
            }
        }
        for (row, one) in expected.chunks_mut(width).zip(&term_counts) {
            for (cell, other) in row.iter_mut().zip(&term_counts) {
                let independent = one / sets * other / sets;
                *cell = cases * (*cell + SMOOTHING * independent) / (sets + SMOOTHING);
                *cell = cell.max(1e-4);
            }
        }
        let logarithm = expected.iter().map(|cell| cell.ln()).collect();
        let mut prior = Vec::with_capacity(tokens.len() * width);
        for count in &token_counts {
            prior.extend(term_counts.iter().map(|term| {
                let mean = cases * (term + 0.5) / sets;
                // Square roots of Poisson counts spread alike; the width allows for two populations that differ.
                let distance = count.sqrt() - mean.sqrt();
                -distance * distance / (0.5 + setting.width * count)
            }));
        }
        let shared = shared.into_iter().map(|row| row.into_iter().collect()).collect();
        let mut tables = Self { tokens, terms, shared, expected, logarithm, prior };
        tables.add_known(published, knowledge);
        tables
    }

    /// A term of a known case must be one of its tokens; a token of it that is none of its terms is a stray.
    fn add_known(&mut self, published: &[Vec<u32>], knowledge: &Knowledge<'_>) {
        if knowledge.known.is_empty() {
            return;
        }
        let sets: Vec<Vec<u32>> = knowledge.known.iter().filter_map(|(at, _)| published.get(*at).cloned()).collect();
        let plain: Vec<Vec<TermId>> = knowledge.known.iter().map(|(_, terms)| terms.clone()).collect();
        let bits = |places: Vec<Vec<usize>>, items: usize| {
            let mut bits = vec![[0_u64; 4]; items];
            for (case, set) in places.into_iter().enumerate() {
                for item in set {
                    if let Some(word) = bits.get_mut(item).and_then(|bits| bits.get_mut(case / 64)) {
                        *word |= 1 << (case % 64);
                    }
                }
            }
            bits
        };
        let tokens = bits(places(&sets, &self.tokens), self.tokens.len());
        let terms = bits(places(&plain, &self.terms), self.terms.len());
        let count = |one: &[u64; 4], without: &[u64; 4]| -> f32 {
            one.iter().zip(without).map(|(one, without)| (one & !without).count_ones() as f32).sum()
        };
        for (row, token) in self.prior.chunks_mut(self.terms.len()).zip(&tokens) {
            for (cell, term) in row.iter_mut().zip(&terms) {
                *cell += knowledge.stray * count(token, term) - 50.0 * count(term, token);
            }
        }
    }

    fn add_shared(&self, scores: &mut [f32], anchors: &[(usize, usize, f32)]) {
        let width = self.terms.len();
        let mut read: Vec<Option<usize>> = vec![None; self.tokens.len()];
        let mut base = vec![0.0_f32; width];
        for (token, term, _) in anchors {
            if let Some(read) = read.get_mut(*token) {
                *read = Some(*term);
            }
            for (base, expected) in base.iter_mut().zip(row(&self.expected, *term, width)) {
                *base -= expected;
            }
        }
        for ((token, scores), shared) in scores.chunks_mut(width).enumerate().zip(&self.shared) {
            for (score, base) in scores.iter_mut().zip(&base) {
                *score += base;
            }
            // A token is not expected to meet itself.
            if let Some(term) = read.get(token).copied().flatten() {
                for (score, expected) in scores.iter_mut().zip(row(&self.expected, term, width)) {
                    *score += expected;
                }
            }
            for (other, count) in shared {
                let Some(term) = read.get(*other).copied().flatten() else { continue };
                for (score, logarithm) in scores.iter_mut().zip(row(&self.logarithm, term, width)) {
                    *score += count * logarithm;
                }
            }
        }
    }

    /// One term to each token, the surest first: token, term, log-probability.
    fn assign(&self, scores: &[f32]) -> Vec<(usize, usize, f32)> {
        let mut candidates = Vec::new();
        for (token, scores) in scores.chunks(self.terms.len()).enumerate() {
            let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let all = scores.iter().map(|score| (score - best).exp()).sum::<f32>().ln() + best;
            let mut ranked: Vec<(usize, f32)> = scores.iter().map(|score| score - all).enumerate().collect();
            let last = CANDIDATES.min(ranked.len().saturating_sub(1));
            ranked.select_nth_unstable_by(last, |one, other| other.1.total_cmp(&one.1));
            candidates.extend(ranked.into_iter().take(CANDIDATES).map(|(term, surety)| (token, term, surety)));
        }
        candidates.sort_by(|one, other| other.2.total_cmp(&one.2).then(one.0.cmp(&other.0)));
        let mut free_tokens = vec![true; self.tokens.len()];
        let mut free_terms = vec![true; self.terms.len()];
        candidates.retain(|(token, term, _)| match (free_tokens.get_mut(*token), free_terms.get_mut(*term)) {
            (Some(token), Some(term)) if *token && *term => {
                (*token, *term) = (false, false);
                true
            }
            _ => false,
        });
        candidates
    }
}

fn row(table: &[f32], at: usize, width: usize) -> &[f32] {
    table.get(at * width..(at + 1) * width).unwrap_or_default()
}

fn add(table: &mut [f32], at: usize, value: f32) {
    if let Some(cell) = table.get_mut(at) {
        *cell += value;
    }
}

/// How many members the groups of two own tokens, or of two terms, have in common.
struct Overlap {
    seen: Vec<HashMap<usize, f32>>,
    expected: Vec<Vec<(usize, f32)>>,
}

impl Overlap {
    fn build(tables: &Tables, kin: &Kin<'_>) -> Self {
        let groups: Vec<Vec<u32>> =
            tables.tokens.iter().map(|token| kin.seen.get(token).cloned().unwrap_or_default()).collect();
        let wanted: Vec<Vec<TermId>> =
            tables.terms.iter().map(|term| kin.expected.get(term).cloned().unwrap_or_default()).collect();
        let expected = overlaps(&wanted).into_iter().map(|row| row.into_iter().collect()).collect();
        Self { seen: overlaps(&groups), expected }
    }

    /// Two tokens whose groups overlap stand for two terms whose groups do.
    fn add(&self, scores: &mut [f32], anchors: &[(usize, usize, f32)], width: usize) {
        const AGREE: f32 = 4.0;
        const DIFFER: f32 = 2.0;
        for ((token, scores), seen) in scores.chunks_mut(width).enumerate().zip(&self.seen) {
            if seen.is_empty() {
                continue;
            }
            for (anchor, read, _) in anchors.iter().filter(|(anchor, ..)| *anchor != token) {
                let seen = seen.get(anchor).copied().unwrap_or(0.0);
                for (term, expected) in self.expected.get(*read).into_iter().flatten() {
                    let agreement = AGREE * seen.min(*expected) - DIFFER * (seen - expected).abs() + DIFFER * seen;
                    add(scores, *term, agreement);
                }
            }
        }
    }
}

fn overlaps<T: Copy + Eq + std::hash::Hash>(groups: &[Vec<T>]) -> Vec<HashMap<usize, f32>> {
    let mut holders: HashMap<T, Vec<usize>> = HashMap::new();
    for (at, group) in groups.iter().enumerate() {
        for member in group {
            holders.entry(*member).or_default().push(at);
        }
    }
    let mut overlaps = vec![HashMap::new(); groups.len()];
    for (at, group) in groups.iter().enumerate() {
        let Some(row) = overlaps.get_mut(at) else { continue };
        for other in group.iter().filter_map(|member| holders.get(member)).flatten() {
            *row.entry(*other).or_default() += 1.0;
        }
    }
    overlaps
}
