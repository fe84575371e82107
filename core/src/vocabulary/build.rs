//! Makes a vocabulary from the official files.

use std::collections::{BTreeMap, BTreeSet};

use super::content::{Content, Disease, DiseaseTerm, Former, Term};
use super::file::{self, VocabularyError};
use super::frequency::{self, Frequency, Stated};
use super::hpoa::{self, Annotations, HpoaError, Row};
use super::obo::{self, Obo, OboError};
use super::{Resolution, Vocabulary};
use crate::term::TermId;

/// Replacements are followed so far: a replacement of a replacement of a replacement is a circle.
const CHAIN_MAX: usize = 16;

/// Why the files make no vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The ontology cannot be read.
    #[error("hp.obo: {0}")]
    Obo(#[from] OboError),
    /// The annotations cannot be read.
    #[error("phenotype.hpoa: {0}")]
    Hpoa(#[from] HpoaError),
    /// The result is no vocabulary.
    #[error("hp.obo: {0}")]
    Vocabulary(#[from] VocabularyError),
}

/// A vocabulary and how it was made.
#[derive(Debug)]
pub struct Built {
    /// The vocabulary.
    pub vocabulary: Vocabulary,
    /// Its compact file.
    pub file: Vec<u8>,
    /// What happened to every row.
    pub report: BuildReport,
}

/// What became of the rows of the official files; nothing is dropped silently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Terms of the release.
    pub terms: usize,
    /// Alternative and obsolete ids.
    pub former_ids: usize,
    /// Synonyms of all terms.
    pub synonyms: usize,
    /// Terms of other ontologies in `hp.obo`, passed over.
    pub foreign_terms: usize,
    /// Cross-references that are no SNOMED CT or UMLS code, left out.
    pub bad_references: usize,
    /// Diseases with at least one symptom.
    pub diseases: usize,
    /// Annotation rows in the file.
    pub rows: usize,
    /// Rows about inheritance, onset, course or modifiers: counted for their terms, no symptom of the disease.
    pub rows_no_symptom: usize,
    /// Rows that say the disease does not show the term.
    pub rows_excluded: usize,
    /// Rows that needed attention, in the order of the file.
    pub problems: Vec<AnnotationProblem>,
}

impl BuildReport {
    /// How many rows ended so.
    pub fn count(&self, wanted: impl Fn(&Outcome) -> bool) -> usize {
        self.problems.iter().filter(|problem| wanted(&problem.outcome)).count()
    }
}

/// An annotation row that needed attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotationProblem {
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// What was done with it.
    pub outcome: Outcome,
}

/// What was done with an annotation row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It names an id that has moved; it counts for the new one.
    Moved {
        /// The id in the row.
        from: TermId,
        /// Where it counts.
        to: TermId,
    },
    /// It names an id that was retired without a single replacement; it does not count.
    Obsolete {
        /// The id in the row.
        term: TermId,
        /// Terms that may fit instead.
        consider: Vec<TermId>,
    },
    /// It names an id that this release has never heard of; it does not count.
    Unknown {
        /// The id in the row.
        term: TermId,
    },
    /// It could not be read, wholly or in part.
    Refused {
        /// The reason.
        why: &'static str,
    },
}

/// Makes a vocabulary from the bytes of `hp.obo` and, if given, of `phenotype.hpoa`. The same bytes make the same file.
///
/// # Errors
/// A file that cannot be read, a parent that does not exist, a hierarchy in a circle.
pub fn build(obo: &[u8], annotations: Option<&[u8]>) -> Result<Built, BuildError> {
    let obo = obo::parse(obo)?;
    let annotations = annotations.map(hpoa::parse).transpose()?.unwrap_or_default();
    let mut report =
        BuildReport { foreign_terms: obo.foreign, bad_references: obo.bad_references, ..Default::default() };
    let mut content = ontology(obo)?;
    report.terms = content.terms.len();
    report.former_ids = content.former.len();
    report.synonyms = content.terms.iter().map(|term| term.synonyms.len()).sum();
    // Asked about ids and ancestors while the annotations are laid over the terms.
    let bare = Vocabulary::assemble(content.clone(), crate::id::Digest::of(&[]))?;
    annotate(&mut content, &bare, annotations, &mut report);
    report.diseases = content.diseases.len();
    let file = file::encode(&content)?;
    Ok(Built { vocabulary: Vocabulary::decode(&file)?, file, report })
}

fn ontology(obo: Obo) -> Result<Content, BuildError> {
    let mut content = Content { release: obo.release, ..Content::default() };
    // What an id points to: alternative ids to their term, obsolete ones to their replacements.
    let mut points: BTreeMap<TermId, (Vec<TermId>, Vec<TermId>)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for stanza in obo.stanzas {
        if !seen.insert(stanza.id) {
            return Err(OboError::Line { line: stanza.line, why: "the id stands twice" }.into());
        }
        for alternative in &stanza.alternative {
            points.entry(*alternative).or_insert_with(|| (vec![stanza.id], Vec::new()));
        }
        if stanza.obsolete {
            // An obsolete term's own statement outweighs another term's claim on its id.
            if !stanza.replaced_by.is_empty() || !stanza.consider.is_empty() || !points.contains_key(&stanza.id) {
                points.insert(stanza.id, (stanza.replaced_by, stanza.consider));
            }
            continue;
        }
        let ascending = |mut ids: Vec<TermId>| {
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let mut cross_references = stanza.cross_references;
        cross_references.sort_unstable_by_key(|reference| file::reference_code(*reference));
        cross_references.dedup();
        content.terms.push(Term {
            id: stanza.id,
            label: stanza.label,
            parents: ascending(stanza.parents),
            synonyms: stanza.synonyms,
            cross_references,
            annotations: 0,
            diseases: 0,
        });
    }
    content.terms.sort_unstable_by_key(|term| term.id);
    let ids: Vec<TermId> = content.terms.iter().map(|term| term.id).collect();
    if content.terms.iter().flat_map(|term| &term.parents).any(|parent| ids.binary_search(parent).is_err()) {
        return Err(VocabularyError::Structure("a parent is not a term").into());
    }
    for id in points.keys().filter(|id| ids.binary_search(id).is_err()) {
        content.former.insert(*id, follow(*id, &points, &ids));
    }
    Ok(content)
}

type Points = BTreeMap<TermId, (Vec<TermId>, Vec<TermId>)>;

/// Follows an id to a term. One that leads to several terms, or to none, is retired: a person has to choose.
fn follow(id: TermId, points: &Points, ids: &[TermId]) -> Former {
    let mut consider = BTreeSet::new();
    let (mut replacements, mut edge) = (BTreeSet::new(), vec![id]);
    let mut visited = BTreeSet::from([id]);
    for _ in 0..CHAIN_MAX {
        let mut next = Vec::new();
        for (replaced_by, considered) in edge.iter().filter_map(|id| points.get(id)) {
            consider.extend(considered.iter().copied().filter(|id| ids.binary_search(id).is_ok()));
            for target in replaced_by {
                if ids.binary_search(target).is_ok() {
                    replacements.insert(*target);
                } else if visited.insert(*target) {
                    next.push(*target);
                }
            }
        }
        edge = next;
    }
    if replacements.len() == 1
        && let Some(to) = replacements.first()
    {
        return Former::Moved { to: *to };
    }
    consider.extend(replacements);
    Former::Retired { consider: consider.into_iter().collect() }
}

/// What the rows say of one disease.
#[derive(Default)]
struct Gathered {
    name: String,
    shown: BTreeMap<TermId, Vec<Stated>>,
    excluded: BTreeSet<TermId>,
}

fn annotate(content: &mut Content, bare: &Vocabulary, annotations: Annotations, report: &mut BuildReport) {
    content.annotation_release = annotations.release;
    report.rows = annotations.rows.len();
    for (line, why) in annotations.refused {
        report.rows += usize::from(!annotations.rows.iter().any(|row| row.line == line));
        report.problems.push(AnnotationProblem { line, outcome: Outcome::Refused { why } });
    }
    let mut counts: BTreeMap<TermId, u32> = BTreeMap::new();
    let mut diseases: BTreeMap<String, Gathered> = BTreeMap::new();
    for row in annotations.rows {
        let Some(term) = place(&row, bare, report) else { continue };
        if !row.excluded {
            *counts.entry(term).or_default() += 1;
        }
        if !bare.is_phenotypic_abnormality(term) {
            report.rows_no_symptom += 1;
            continue;
        }
        let disease = diseases.entry(row.disease).or_default();
        if disease.name.is_empty() {
            disease.name = row.name;
        }
        if row.excluded {
            report.rows_excluded += 1;
            disease.excluded.insert(term);
        } else {
            disease.shown.entry(term).or_default().push(row.stated);
        }
    }
    report.problems.sort_by_key(|problem| problem.line);
    content.diseases = diseases.into_iter().filter_map(|(id, gathered)| disease(id, gathered)).collect();
    let spread = spread(&content.diseases, bare);
    for term in &mut content.terms {
        term.annotations = counts.get(&term.id).copied().unwrap_or_default();
        term.diseases = spread.get(&term.id).copied().unwrap_or_default();
    }
}

/// The term a row counts for; anything unusual goes into the report.
fn place(row: &Row, bare: &Vocabulary, report: &mut BuildReport) -> Option<TermId> {
    let (outcome, term) = match bare.resolve(row.term) {
        Resolution::Current(term) => return Some(term),
        Resolution::Replaced { by } => (Outcome::Moved { from: row.term, to: by }, Some(by)),
        Resolution::Obsolete { consider } => (Outcome::Obsolete { term: row.term, consider }, None),
        Resolution::Unknown => (Outcome::Unknown { term: row.term }, None),
    };
    report.problems.push(AnnotationProblem { line: row.line, outcome });
    term
}

fn disease(id: String, gathered: Gathered) -> Option<Disease> {
    let mut excluded = gathered.excluded;
    let mut terms = Vec::with_capacity(gathered.shown.len());
    for (term, stated) in gathered.shown {
        let frequency = frequency::pool(&stated);
        if frequency.map(Frequency::per_mille) == Some(0) {
            excluded.insert(term);
        } else {
            excluded.remove(&term);
            terms.push(DiseaseTerm { term, frequency });
        }
    }
    let disease = Disease { id, name: gathered.name, terms, excluded: excluded.into_iter().collect() };
    (!disease.terms.is_empty()).then_some(disease)
}

/// How many diseases have each term or one below it.
fn spread(diseases: &[Disease], bare: &Vocabulary) -> BTreeMap<TermId, u32> {
    let mut spread: BTreeMap<TermId, u32> = BTreeMap::new();
    for disease in diseases {
        let above: BTreeSet<TermId> = disease.terms.iter().flat_map(|row| bare.ancestors(row.term)).copied().collect();
        for term in above {
            *spread.entry(term).or_default() += 1;
        }
    }
    spread
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
