//! The answer to one look-up.

use std::fmt::Write as _;

use serde::Serialize;

/// One symptom of the asker's own case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Symptom {
    /// The HPO id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) label: String,
}

/// One similar case of another hospital.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FoundCase {
    /// Its place, from 1.
    pub(crate) rank: u32,
    /// Its public name.
    pub(crate) handle: String,
    /// Its hospital.
    pub(crate) hospital: String,
    /// How similar: high, middle or low.
    pub(crate) band: String,
    /// What is shared, in integer parts.
    pub(crate) reached: u64,
    /// What could be shared.
    pub(crate) possible: u64,
    /// The asker's own symptoms that the case shares and that may be named.
    pub(crate) shared: Vec<Symptom>,
    /// Whether rarer symptoms are shared that may not be named.
    pub(crate) rarer: bool,
}

/// What a look-up found, after the entry on the ledger was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The request's id.
    pub(crate) request: String,
    /// The asker's own case.
    pub(crate) case: String,
    /// close or wide.
    pub(crate) breadth: String,
    /// Cases the answer covers.
    pub(crate) cases: u64,
    /// Their hospitals.
    pub(crate) hospitals: u64,
    /// The ledger height it holds for.
    pub(crate) height: u64,
    /// The transaction of the entry.
    pub(crate) transaction: String,
    /// Its block.
    pub(crate) block: u64,
    /// The similar cases, best first.
    pub(crate) matches: Vec<FoundCase>,
}

/// Characters of a line of shared symptoms.
const SYMPTOMS_WIDTH: usize = 64;

impl Finding {
    /// The table a clinician reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let count = match self.matches.len() {
            0 => "no similar case".to_owned(),
            1 => "1 similar case".to_owned(),
            count => format!("{count} similar cases"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "case {} ({}): {count}", self.case, self.breadth);
        if !self.matches.is_empty() {
            let width = self.matches.iter().map(|found| found.hospital.len()).max().unwrap_or(0).max(8);
            let _ = writeln!(text, "  rank  {:width$}  likeness  your patient's symptoms that are shared", "hospital");
            for found in &self.matches {
                let mut lines = wrap(&found.shared.iter().map(|symptom| symptom.label.as_str()).collect::<Vec<_>>());
                if found.rarer {
                    lines.push("and some rarer symptoms".to_owned());
                }
                let first = if lines.is_empty() { String::new() } else { lines.remove(0) };
                let _ = writeln!(text, "  {:>4}  {:width$}  {:8}  {first}", found.rank, found.hospital, found.band);
                for line in lines {
                    let _ = writeln!(text, "  {:4}  {:width$}  {:8}  {line}", "", "", "");
                }
            }
            let _ =
                writeln!(text, "  similar, not a diagnosis; a shared symptom may be the other fingerprint's padding");
        }
        let _ = writeln!(
            text,
            "  searched {} cases of {} hospitals, as of block {}; ledger entry {}… in block {}",
            self.cases,
            self.hospitals,
            self.height,
            self.transaction.get(..12).unwrap_or(&self.transaction),
            self.block
        );
        text
    }
}

/// Puts labels on lines of a readable length.
fn wrap(labels: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for label in labels {
        match lines.last_mut() {
            Some(line) if line.len() + label.len() + 2 <= SYMPTOMS_WIDTH => {
                line.push_str("; ");
                line.push_str(label);
            }
            _ => lines.push((*label).to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(matches: Vec<FoundCase>) -> Finding {
        Finding {
            request: "00".into(),
            case: "patient-1".into(),
            breadth: "close".into(),
            cases: 58,
            hospitals: 3,
            height: 12,
            transaction: "abcdef0123456789".into(),
            block: 13,
            matches,
        }
    }

    #[test]
    fn a_table_names_shared_symptoms_by_their_labels() {
        let symptom = |label: &str| Symptom { id: "HP:0000001".into(), label: label.into() };
        let labels = ["Seizure", "Global developmental delay", "Microcephaly", "Broad thumb", "Hypertelorism"];
        let found = FoundCase {
            rank: 1,
            handle: "aa".into(),
            hospital: "hospital-south".into(),
            band: "high".into(),
            reached: 3,
            possible: 4,
            shared: labels.map(symptom).to_vec(),
            rarer: true,
        };
        insta::assert_snapshot!(finding(vec![found]).text());
    }

    #[test]
    fn nothing_found_says_what_was_searched() {
        insta::assert_snapshot!(finding(Vec::new()).text());
    }
}
