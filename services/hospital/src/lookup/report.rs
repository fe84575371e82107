//! What a clinician is shown of a look-up.

use serde::{Deserialize, Serialize};

/// A symptom of the asker's own case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symptom {
    /// The HPO id.
    pub id: String,
    /// Its name.
    pub label: String,
}

/// One similar case of another hospital, confirmed by the entry on the own ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCase {
    /// Its place, from 1.
    pub rank: u8,
    /// Its public name.
    pub handle: String,
    /// Its hospital.
    pub hospital: String,
    /// How similar: `high`, `middle` or `low`.
    pub band: String,
    /// What is shared, fixed point with 16 fractional bits.
    pub reached: u64,
    /// What could be shared, fixed point with 16 fractional bits.
    pub possible: u64,
    /// The asker's own symptoms that the case shares and that may be named; one may be the other case's padding.
    pub shared: Vec<Symptom>,
    /// Whether rarer symptoms are shared that may not be named.
    pub rarer: bool,
}

/// A match that did not pass the checks and is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMatch {
    /// Its place, from 1.
    pub rank: u8,
    /// Why, as a stable word.
    pub code: String,
}

/// A similar case of this hospital, found here in plaintext; it is in no ledger entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCase {
    /// Its local id.
    pub case: String,
    /// Its label.
    pub label: Option<String>,
    /// How similar, in thousandths (simGIC over all ancestors).
    pub thousandths: u32,
    /// Symptoms both cases have.
    pub shared: Vec<Symptom>,
}

/// What came of a look-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupReport {
    /// The request's id, to name when it is tried again.
    pub request: String,
    /// The own case it was made from.
    pub case: String,
    /// What for.
    pub purpose: String,
    /// `close` or `wide`.
    pub breadth: String,
    /// Whether the case has so few symptoms that the audit marks the look-up.
    pub short: bool,
    /// Who answered.
    pub matcher: String,
    /// Live cases searched.
    pub cases: u32,
    /// Hospitals they belong to.
    pub hospitals: u32,
    /// The block up to which the answer holds.
    pub height: u64,
    /// The transaction of the entry.
    pub transaction: String,
    /// Its block.
    pub block: u64,
    /// The similar cases of other hospitals, best first.
    pub matches: Vec<FoundCase>,
    /// Matches that did not pass the checks.
    pub failed: Vec<FailedMatch>,
    /// Similar cases of this hospital.
    pub own: Vec<OwnCase>,
}
