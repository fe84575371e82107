//! What a vocabulary file holds, as plain values.

use std::collections::BTreeMap;
use std::fmt;

use super::frequency::{ASSUMED_PER_MILLE, Frequency};
use crate::term::TermId;

/// Everything the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// The release's date.
    pub(super) release: String,
    /// The date of the annotations.
    pub(super) annotation_release: String,
    /// Ascending by id.
    pub(super) terms: Vec<Term>,
    /// What became of ids that are no longer terms.
    pub(super) former: BTreeMap<TermId, Former>,
    /// Ascending by id.
    pub(super) diseases: Vec<Disease>,
}

/// A term of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) id: TermId,
    pub(super) label: String,
    /// Ascending.
    pub(super) parents: Vec<TermId>,
    pub(super) synonyms: Vec<Synonym>,
    /// Ascending by `file::reference_code`.
    pub(super) cross_references: Vec<CrossReference>,
    pub(super) annotations: u32,
    pub(super) diseases: u32,
}

/// What became of an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Former {
    /// Merged into or replaced by a term of the release.
    Moved { to: TermId },
    /// Gone; these may fit, ascending.
    Retired { consider: Vec<TermId> },
}

/// How a synonym relates to its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Means the same.
    Exact,
    /// Means more.
    Broad,
    /// Means less.
    Narrow,
    /// Means something near.
    Related,
}

/// Whose word a synonym is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SynonymKind {
    /// A professional's.
    Plain,
    /// A layperson's.
    Lay,
    /// An abbreviation.
    Abbreviation,
    /// The British spelling.
    British,
    /// The plural.
    Plural,
    /// A word no longer used.
    Discarded,
}

/// Another name of a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    pub(super) text: String,
    pub(super) scope: Scope,
    pub(super) kind: SynonymKind,
}

impl Synonym {
    /// The name.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How it relates to the term.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whose word it is.
    #[must_use]
    pub const fn kind(&self) -> SynonymKind {
        self.kind
    }
}

/// A term's code in another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrossReference {
    /// A concept of SNOMED CT.
    Snomed(u64),
    /// A concept of the UMLS, without its `C`.
    Umls(u32),
}

impl fmt::Display for CrossReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snomed(code) => write!(formatter, "SNOMEDCT_US:{code}"),
            Self::Umls(code) => write!(formatter, "UMLS:C{code:07}"),
        }
    }
}

/// A disease and its symptoms, from `phenotype.hpoa`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disease {
    pub(super) id: String,
    pub(super) name: String,
    /// Ascending by term.
    pub(super) terms: Vec<DiseaseTerm>,
    /// Ascending.
    pub(super) excluded: Vec<TermId>,
}

impl Disease {
    /// Its id, as in `OMIM:147791`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its symptoms (phenotypic abnormalities only), ascending by term.
    #[must_use]
    pub fn terms(&self) -> &[DiseaseTerm] {
        &self.terms
    }

    /// Symptoms that were looked for and that nobody had, ascending.
    #[must_use]
    pub fn excluded(&self) -> &[TermId] {
        &self.excluded
    }
}

/// A symptom of a disease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiseaseTerm {
    pub(super) term: TermId,
    pub(super) frequency: Option<Frequency>,
}

impl DiseaseTerm {
    /// The symptom.
    #[must_use]
    pub const fn term(&self) -> TermId {
        self.term
    }

    /// How many patients of a thousand have it, 1 to 1000; [`ASSUMED_PER_MILLE`] where the source does not say.
    #[must_use]
    pub const fn per_mille(&self) -> u16 {
        match self.frequency {
            Some(frequency) => frequency.per_mille(),
            None => ASSUMED_PER_MILLE,
        }
    }

    /// Whether the source states the frequency.
    #[must_use]
    pub const fn is_stated(&self) -> bool {
        self.frequency.is_some()
    }
}
