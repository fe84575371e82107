//! What an import says of every row.

use semblance_core::limits::TERMS_MIN;
use serde::Serialize;

use crate::store::case::LocalCaseId;

/// Something that was read otherwise than it stood in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "repair", rename_all = "kebab-case")]
pub enum Repair {
    /// An alternative or obsolete id was replaced by the current one.
    Replaced {
        /// As it stood.
        id: String,
        /// As it is kept.
        by: String,
    },
    /// An obsolete id without a single replacement was set aside.
    Retired {
        /// As it stood.
        id: String,
    },
    /// A term that is no phenotypic abnormality was set aside.
    NoSymptom {
        /// As it stood.
        id: String,
    },
    /// A term of another ontology was set aside.
    Foreign {
        /// As it stood.
        id: String,
    },
    /// The same symptom stood there twice and is kept once.
    Duplicate {
        /// The symptom.
        id: String,
    },
    /// A symptom stood there both as observed and as excluded; it is kept as observed.
    Contradiction {
        /// The symptom.
        id: String,
    },
    /// A field was read in an older meaning.
    #[serde(untagged)]
    Read(String),
}

impl std::fmt::Display for Repair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Replaced { id, by } => write!(formatter, "{id} replaced by {by}"),
            Self::Retired { id } => write!(formatter, "{id} set aside: obsolete, without a single replacement"),
            Self::NoSymptom { id } => write!(formatter, "{id} set aside: not a phenotypic abnormality"),
            Self::Foreign { id } => write!(formatter, "{id} set aside: not an HPO term"),
            Self::Duplicate { id } => write!(formatter, "{id} stood there twice"),
            Self::Contradiction { id } => write!(formatter, "{id} both observed and excluded, kept as observed"),
            Self::Read(note) => formatter.write_str(note),
        }
    }
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum RowOutcome {
    /// It is a new case.
    Imported,
    /// The same content was there already.
    Unchanged,
    /// It corrects a case that was there.
    Corrected {
        /// The case's new revision.
        revision: u32,
    },
    /// It was not taken.
    Refused {
        /// Why.
        reason: String,
    },
    /// It is nothing an import reads.
    Ignored {
        /// Why.
        reason: String,
    },
}

/// One row of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowReport {
    /// Where it stands: file, archive entry or line.
    pub row: String,
    /// The case, when it has a usable id.
    pub case: Option<LocalCaseId>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RowOutcome,
    /// What was repaired, the first [`RowReport::REPAIRS_MAX`] repairs.
    pub repairs: Vec<Repair>,
    /// How many more repairs there were.
    pub repairs_left_out: u64,
    /// How many observed symptoms are kept.
    pub observed: usize,
    /// Why it cannot be published although it is imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpublishable: Option<String>,
}

/// The beginning of a text that comes from the source, so that a report stays small whatever stands there.
fn begin(text: &str) -> String {
    text.chars().take(RowReport::TEXT_MAX).collect()
}

impl RowReport {
    /// Most repairs named for one row.
    pub const REPAIRS_MAX: usize = 50;
    /// Most characters of a place or a reason.
    pub const TEXT_MAX: usize = 400;

    /// A row that was not taken.
    pub(super) fn left(row: &str, case: Option<LocalCaseId>, outcome: RowOutcome) -> Self {
        let outcome = match outcome {
            RowOutcome::Refused { reason } => RowOutcome::Refused { reason: begin(&reason) },
            other => other,
        };
        let (row, repairs) = (begin(row), Vec::new());
        Self { row, case, outcome, repairs, repairs_left_out: 0, observed: 0, unpublishable: None }
    }

    /// A row that is kept, with its outcome still open.
    pub(super) fn kept(row: &str, case: LocalCaseId, observed: usize, mut repairs: Vec<Repair>) -> Self {
        let unpublishable = (observed < TERMS_MIN)
            .then(|| format!("{observed} observed symptoms; {TERMS_MIN} are needed to publish and to look up"));
        let repairs_left_out = repairs.len().saturating_sub(Self::REPAIRS_MAX) as u64;
        repairs.truncate(Self::REPAIRS_MAX);
        repairs.shrink_to_fit();
        let (row, outcome) = (begin(row), RowOutcome::Imported);
        Self { row, case: Some(case), outcome, repairs, repairs_left_out, observed, unpublishable }
    }

    /// Whether a person should look at it.
    #[must_use]
    pub fn is_noteworthy(&self) -> bool {
        !matches!(self.outcome, RowOutcome::Imported | RowOutcome::Unchanged)
            || !self.repairs.is_empty()
            || self.unpublishable.is_some()
    }
}

/// The sums of an import, and the rows a person should look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// New cases.
    pub imported: u64,
    /// Cases that were there with the same content.
    pub unchanged: u64,
    /// Cases that were there with another content.
    pub corrected: u64,
    /// Of these, rows with at least one repair.
    pub repaired: u64,
    /// Of these, cases with too few symptoms to be published.
    pub unpublishable: u64,
    /// Rows not taken.
    pub refused: u64,
    /// Things that are no packets.
    pub ignored: u64,
    /// Why reading ended before the source did. All rows above were imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The rows a person should look at, the first [`ImportReport::ROWS_MAX`] of them.
    pub rows: Vec<RowReport>,
    /// How many more such rows there were; the observer saw them all.
    pub rows_left_out: u64,
}

impl ImportReport {
    /// Most rows kept in the report itself; none where the observer keeps them.
    pub const ROWS_MAX: usize = 10_000;

    /// Counts a row, and keeps it if it is noteworthy and there is room for `room` rows.
    pub(super) fn count(&mut self, row: RowReport, room: usize) {
        match row.outcome {
            RowOutcome::Imported => self.imported += 1,
            RowOutcome::Unchanged => self.unchanged += 1,
            RowOutcome::Corrected { .. } => self.corrected += 1,
            RowOutcome::Refused { .. } => self.refused += 1,
            RowOutcome::Ignored { .. } => self.ignored += 1,
        }
        self.repaired += u64::from(!row.repairs.is_empty());
        self.unpublishable += u64::from(row.unpublishable.is_some());
        if !row.is_noteworthy() {
            return;
        }
        if self.rows.len() < room {
            self.rows.push(row);
        } else {
            self.rows_left_out += 1;
        }
    }
}
