//! The vocabulary of symptoms: one release of the Human Phenotype Ontology (HPO) with its disease annotations, in one
//! compact file.
//!
//! The file is made by [`build`] from the official `hp.obo` and `phenotype.hpoa` and read by [`Vocabulary::decode`];
//! the default one is part of the program ([`Vocabulary::built_in`]). Nothing here reads files or logs: bytes in,
//! values out. What it must never know: patients.

mod build;
mod built_in;
mod content;
mod file;
mod frequency;
mod hpoa;
mod obo;
pub mod search;
mod varint;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::Digest;
use crate::term::TermId;

pub use build::{AnnotationProblem, BuildError, BuildReport, Built, Outcome, build};
pub use content::{CrossReference, Disease, DiseaseTerm, Scope, Synonym, SynonymKind};
pub use file::VocabularyError;
pub use frequency::{ASSUMED_PER_MILLE, Frequency, FrequencyError};
pub use hpoa::HpoaError;
pub use obo::OboError;

use content::{Content, Former, Term};

/// Most entries in all ancestries together; HPO has about 300,000.
const ANCESTRY_MAX: usize = 4_000_000;

/// One release of the HPO, ready to be asked.
#[derive(Debug)]
pub struct Vocabulary {
    content: Content,
    digest: Digest,
    /// The ids of `content.terms`, ascending: what a search for an id touches.
    ids: Vec<TermId>,
    children: Vec<Vec<TermId>>,
    ancestors: Vec<Vec<TermId>>,
}

/// What became of an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The id of a term of this release.
    Current(TermId),
    /// An id that was merged into or replaced by a term of this release.
    Replaced {
        /// The term to use instead.
        by: TermId,
    },
    /// An id that was retired without a single replacement.
    Obsolete {
        /// Terms of this release that may fit instead; a person has to choose.
        consider: Vec<TermId>,
    },
    /// An id that this release has never heard of; a newer release may have it.
    Unknown,
}

/// Why an id cannot be used as a symptom. The text is for the person who gave the id; it is never logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// Retired without a single replacement.
    #[error("{term} is obsolete in HPO release {release} and has no single replacement{}", considered(.consider))]
    Obsolete {
        /// The id given.
        term: TermId,
        /// The release asked.
        release: String,
        /// Terms that may fit instead, with their labels.
        consider: Vec<(TermId, String)>,
    },
    /// Not in this release.
    #[error("{term} is not in HPO release {release}; check the digits, or use a newer vocabulary")]
    Unknown {
        /// The id given.
        term: TermId,
        /// The release asked.
        release: String,
    },
    /// A term of the HPO, but no symptom.
    #[error("{term} ({label}) is no phenotypic abnormality: it cannot describe a case")]
    NoSymptom {
        /// The id given.
        term: TermId,
        /// Its label.
        label: String,
    },
}

fn considered(consider: &[(TermId, String)]) -> String {
    let mut text = String::new();
    for (position, (term, label)) in consider.iter().enumerate() {
        text.push_str(if position == 0 { "; consider " } else { ", " });
        text.push_str(&format!("{term} ({label})"));
    }
    text
}

impl Vocabulary {
    /// Reads a compact file.
    ///
    /// # Errors
    /// Anything but the exact bytes that `build` wrote; sizes are bounded before anything is allocated.
    pub fn decode(bytes: &[u8]) -> Result<Self, VocabularyError> {
        Self::assemble(file::decode(bytes)?, Digest::of(bytes))
    }

    /// The release that is part of the program, decoded once.
    #[must_use]
    pub fn built_in() -> Arc<Self> {
        built_in::vocabulary()
    }

    /// The release's date, as in `2026-02-16`.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.content.release
    }

    /// The date of the disease annotations, as in `2025-01-16`; empty when there are none.
    #[must_use]
    pub fn annotation_release(&self) -> &str {
        &self.content.annotation_release
    }

    /// The BLAKE3 hash of the compact file: two parties with the same digest have the same vocabulary.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The ids of all terms, ascending.
    pub fn terms(&self) -> impl ExactSizeIterator<Item = TermId> + DoubleEndedIterator + '_ {
        self.ids.iter().copied()
    }

    /// Whether the id is a term of this release.
    #[must_use]
    pub fn contains(&self, term: TermId) -> bool {
        self.position(term).is_some()
    }

    /// What became of an id: alternative ids and replacements are followed to a term of this release.
    #[must_use]
    pub fn resolve(&self, term: TermId) -> Resolution {
        if self.contains(term) {
            return Resolution::Current(term);
        }
        match self.content.former.get(&term) {
            Some(Former::Moved { to }) => Resolution::Replaced { by: *to },
            Some(Former::Retired { consider }) => Resolution::Obsolete { consider: consider.clone() },
            None => Resolution::Unknown,
        }
    }

    /// The term of this release that a case may be described with: the id itself or its replacement.
    ///
    /// # Errors
    /// An unknown or retired id, or one that is no phenotypic abnormality.
    pub fn symptom(&self, term: TermId) -> Result<TermId, TermError> {
        let found = match self.resolve(term) {
            Resolution::Current(found) | Resolution::Replaced { by: found } => found,
            Resolution::Obsolete { consider } => {
                let labelled = |id: TermId| (id, self.label(id).unwrap_or_default().to_owned());
                let consider = consider.into_iter().map(labelled).collect();
                return Err(TermError::Obsolete { term, release: self.release().to_owned(), consider });
            }
            Resolution::Unknown => return Err(TermError::Unknown { term, release: self.release().to_owned() }),
        };
        if !self.is_phenotypic_abnormality(found) {
            let label = self.label(found).unwrap_or_default().to_owned();
            return Err(TermError::NoSymptom { term: found, label });
        }
        Ok(found)
    }

    /// The term's name; `None` unless the id is a term of this release.
    #[must_use]
    pub fn label(&self, term: TermId) -> Option<&str> {
        self.term(term).map(|found| found.label.as_str())
    }

    /// The term's other names.
    #[must_use]
    pub fn synonyms(&self, term: TermId) -> &[Synonym] {
        self.term(term).map_or(&[], |found| &found.synonyms)
    }

    /// The term's codes in SNOMED CT and UMLS.
    #[must_use]
    pub fn cross_references(&self, term: TermId) -> &[CrossReference] {
        self.term(term).map_or(&[], |found| &found.cross_references)
    }

    /// The terms directly above, ascending by id.
    #[must_use]
    pub fn parents(&self, term: TermId) -> &[TermId] {
        self.term(term).map_or(&[], |found| &found.parents)
    }

    /// The terms directly below, ascending by id.
    #[must_use]
    pub fn children(&self, term: TermId) -> &[TermId] {
        self.listed(&self.children, term)
    }

    /// The term itself and all terms above it, ascending by id; empty unless the id is a term of this release.
    #[must_use]
    pub fn ancestors(&self, term: TermId) -> &[TermId] {
        self.listed(&self.ancestors, term)
    }

    /// Whether the term is *Phenotypic abnormality* or descends from it: what a fingerprint may hold.
    #[must_use]
    pub fn is_phenotypic_abnormality(&self, term: TermId) -> bool {
        self.ancestors(term).binary_search(&TermId::PHENOTYPIC_ABNORMALITY).is_ok()
    }

    /// Rows of `phenotype.hpoa` that name this very term (moved ids counted where they moved to, exclusions left out).
    #[must_use]
    pub fn annotation_count(&self, term: TermId) -> u32 {
        self.term(term).map_or(0, |found| found.annotations)
    }

    /// Diseases that have this term or one below it.
    #[must_use]
    pub fn disease_count(&self, term: TermId) -> u32 {
        self.term(term).map_or(0, |found| found.diseases)
    }

    /// How much a term says: −ln(diseases with the term or one below it ÷ all diseases), in nats; a term of no
    /// disease counts as one of a single disease. The same on every machine (logarithm in software). 0 for a foreign id.
    #[must_use]
    pub fn information_content(&self, term: TermId) -> f64 {
        let Some(found) = self.term(term) else { return 0.0 };
        let all = u32::try_from(self.content.diseases.len()).unwrap_or(u32::MAX).max(1);
        libm::log(f64::from(all) / f64::from(found.diseases.clamp(1, all)))
    }

    /// The annotated diseases, ascending by id.
    #[must_use]
    pub fn diseases(&self) -> &[Disease] {
        &self.content.diseases
    }

    /// A disease by its id, as in `OMIM:147791`.
    #[must_use]
    pub fn disease(&self, id: &str) -> Option<&Disease> {
        let position = self.content.diseases.binary_search_by(|disease| disease.id().cmp(id)).ok()?;
        self.content.diseases.get(position)
    }

    /// Ids that are no longer terms, ascending.
    pub fn former_ids(&self) -> impl Iterator<Item = TermId> + '_ {
        self.content.former.keys().copied()
    }

    fn position(&self, term: TermId) -> Option<usize> {
        self.ids.binary_search(&term).ok()
    }

    fn term(&self, term: TermId) -> Option<&Term> {
        self.content.terms.get(self.position(term)?)
    }

    fn listed<'a>(&self, lists: &'a [Vec<TermId>], term: TermId) -> &'a [TermId] {
        self.position(term).and_then(|position| lists.get(position)).map_or(&[], Vec::as_slice)
    }

    /// Derives what the file does not store, and refuses a hierarchy that runs in a circle.
    fn assemble(content: Content, digest: Digest) -> Result<Self, VocabularyError> {
        let ids: Vec<TermId> = content.terms.iter().map(|term| term.id).collect();
        let (children, ancestors) = relate(&content.terms, &ids)?;
        Ok(Self { content, digest, ids, children, ancestors })
    }
}

type Lists = Vec<Vec<TermId>>;

/// Children and ancestors of every term, in the order of `terms`.
fn relate(terms: &[Term], ids: &[TermId]) -> Result<(Lists, Lists), VocabularyError> {
    let positions: BTreeMap<TermId, usize> = ids.iter().copied().zip(0..).collect();
    let mut children: Lists = vec![Vec::new(); terms.len()];
    let mut waiting: Vec<usize> = terms.iter().map(|term| term.parents.len()).collect();
    for term in terms {
        for parent in &term.parents {
            let list = positions.get(parent).and_then(|position| children.get_mut(*position));
            list.ok_or(VocabularyError::Structure("a parent is not a term"))?.push(term.id);
        }
    }
    let mut ancestors: Lists = vec![Vec::new(); terms.len()];
    let mut ready: Vec<usize> = (0..terms.len()).filter(|position| waiting.get(*position) == Some(&0)).collect();
    let (mut done, mut entries) = (0, 0);
    while let Some(position) = ready.pop() {
        done += 1;
        let Some(term) = terms.get(position) else { continue };
        let mut above = vec![term.id];
        for parent in term.parents.iter().filter_map(|parent| positions.get(parent)) {
            above.extend(ancestors.get(*parent).into_iter().flatten());
        }
        above.sort_unstable();
        above.dedup();
        entries += above.len();
        if entries > ANCESTRY_MAX {
            return Err(VocabularyError::Structure("the ancestries are too large"));
        }
        if let Some(list) = ancestors.get_mut(position) {
            *list = above;
        }
        for child in children.get(position).into_iter().flatten().filter_map(|child| positions.get(child)) {
            let Some(left) = waiting.get_mut(*child) else { continue };
            *left -= 1;
            if *left == 0 {
                ready.push(*child);
            }
        }
    }
    if done < terms.len() {
        return Err(VocabularyError::Structure("the hierarchy runs in a circle"));
    }
    Ok((children, ancestors))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_skew;
