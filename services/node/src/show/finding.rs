//! The answer to one look-up.

use std::fmt::Write as _;

use semblance_hospital::lookup::LookupReport;

/// Characters of a line of shared symptoms.
const SYMPTOMS_WIDTH: usize = 64;

/// The table a clinician reads.
pub(crate) fn finding(report: &LookupReport) -> String {
    let mut text = String::new();
    let count = match report.matches.len() {
        0 => "no similar case in other hospitals".to_owned(),
        1 => "1 similar case in another hospital".to_owned(),
        count => format!("{count} similar cases in other hospitals"),
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "case {} ({}): {count}", report.case, report.breadth);
    if !report.matches.is_empty() {
        table(&mut text, report);
    }
    if !report.failed.is_empty() {
        let _ = writeln!(text, "  not shown: {} matches that the own ledger does not confirm", report.failed.len());
    }
    if let Some(own) = report.own.first() {
        let more = match report.own.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let _ = writeln!(text, "  in your own hospital: {}{more}", own.case);
    }
    let entry = report.transaction.get(..12).unwrap_or(&report.transaction);
    let LookupReport { cases, hospitals, height, block, .. } = report;
    let houses = if *hospitals == 1 { "hospital" } else { "hospitals" };
    let _ = writeln!(
        text,
        "  searched {cases} cases of {hospitals} {houses}, as of block {height}; ledger entry {entry}… in block {block}"
    );
    text
}

fn table(text: &mut String, report: &LookupReport) {
    let width = report.matches.iter().map(|found| found.hospital.len()).max().unwrap_or(0).max(8);
    let _ = writeln!(text, "  rank  {:width$}  likeness  your patient's symptoms that are shared", "hospital");
    for found in &report.matches {
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
    let _ = writeln!(text, "  similar, not a diagnosis; a shared symptom may be the other fingerprint's padding");
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
    use semblance_hospital::lookup::{FoundCase, Symptom};

    use super::*;

    fn report(matches: Vec<FoundCase>) -> LookupReport {
        LookupReport {
            request: "00".into(),
            case: "patient-1".into(),
            purpose: "diagnosis".into(),
            breadth: "close".into(),
            short: false,
            matcher: "matcher".into(),
            cases: 58,
            hospitals: 3,
            height: 12,
            transaction: "abcdef0123456789".into(),
            block: 13,
            matches,
            failed: Vec::new(),
            own: Vec::new(),
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
        insta::assert_snapshot!(finding(&report(vec![found])));
    }

    #[test]
    fn nothing_found_says_what_was_searched() {
        insta::assert_snapshot!(finding(&report(Vec::new())));
    }
}
