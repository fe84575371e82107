//! The patients of a demo, spread over its hospitals so that those of one disease meet across hospitals.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use semblance_core::limits::TERMS_MIN;
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::synthetic;
use semblance_core::term::TermId;
use semblance_core::time::Clock;
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::import::{Bounds, Import, ImportObserver, ImportReport, RowOutcome};
use semblance_hospital::known;
use semblance_hospital::store::{Store, case};

use crate::failure::Failure;

/// One patient to be handed to a hospital.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Patient {
    /// The hospital's own name of the case.
    pub(super) case_id: String,
    /// The disease, where the source says one; never leaves the hospital.
    pub(super) disease: Option<String>,
    /// Observed symptoms, HPO ids.
    pub(super) observed: Vec<String>,
    /// Symptoms looked for and not found.
    pub(super) excluded: Vec<String>,
}

/// What became of a source's rows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct SourceReport {
    /// Rows that became patients of the demo.
    pub(super) taken: u64,
    /// Of these, rows in which something was repaired: an old id, a term twice.
    pub(super) repaired: u64,
    /// Rows refused: no readable patient, an unknown id.
    pub(super) refused: u64,
    /// Patients left out because fewer than three symptoms were observed.
    pub(super) too_few_symptoms: u64,
    /// Files that are no patients.
    pub(super) ignored: u64,
    /// Why reading ended before the source did.
    pub(super) stopped: Option<String>,
}

impl SourceReport {
    fn of(report: &ImportReport) -> Self {
        Self {
            taken: (report.imported + report.corrected).saturating_sub(report.unpublishable),
            repaired: report.repaired,
            refused: report.refused,
            too_few_symptoms: report.unpublishable,
            ignored: report.ignored,
            stopped: report.stopped.clone(),
        }
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        let Self { taken, repaired, refused, too_few_symptoms, ignored, stopped } = self;
        let stopped = stopped.as_deref().map(|why| format!("; reading ended early: {why}")).unwrap_or_default();
        format!(
            "the source: {taken} patients taken ({repaired} rows repaired), {refused} refused, {too_few_symptoms} with \
             fewer than {TERMS_MIN} symptoms, {ignored} files ignored{stopped}"
        )
    }
}

/// Reads real patients: a Phenopacket, a folder or an archive of them, or JSON lines.
///
/// # Errors
/// The source cannot be read, or holds nobody with enough symptoms.
pub(super) fn read(
    path: &Path,
    vocabulary: &Vocabulary,
    clock: &dyn Clock,
    observer: &mut dyn ImportObserver,
) -> anyhow::Result<(Vec<Patient>, SourceReport)> {
    let store = Store::in_memory()?;
    let report = Import {
        store: &store,
        known: &|term| known(vocabulary, term),
        clock,
        random: &SeededSource::new([0; 32]),
        bounds: Bounds::default(),
        actor: "demo",
    }
    .run(path, observer)
    .with_context(|| format!("cannot read patients from {}", path.display()))?;
    let mut patients = Vec::new();
    let mut after = String::new();
    loop {
        let page = store.step(|tx| case::page(tx, &after, 500))?;
        let Some(last) = page.last() else { break };
        last.content.local_id.as_str().clone_into(&mut after);
        patients.extend(page.iter().map(|case| {
            let (excluded, observed): (Vec<_>, Vec<_>) = case.content.terms.iter().partition(|term| term.excluded);
            let ids = |terms: Vec<&case::CaseTerm>| terms.iter().map(|term| term.term.to_string()).collect();
            Patient {
                case_id: case.content.local_id.to_string(),
                disease: case.content.label.clone(),
                observed: ids(observed),
                excluded: ids(excluded),
            }
        }));
    }
    patients.retain(|patient| patient.observed.len() >= TERMS_MIN);
    let source = SourceReport::of(&report);
    if patients.is_empty() {
        let what = format!("{} holds no patient with {TERMS_MIN} symptoms", path.display());
        return Err(Failure::usage(what).hint(why_none(&source, &report)).into());
    }
    Ok((patients, source))
}

/// What became of the rows of a source that gave no patient.
fn why_none(source: &SourceReport, report: &ImportReport) -> String {
    let first = report.rows.iter().find_map(|row| match &row.outcome {
        RowOutcome::Refused { reason } | RowOutcome::Ignored { reason } => Some(format!("; {}: {reason}", row.row)),
        _ => None,
    });
    format!("look into {}{}", source.text(), first.unwrap_or_default())
}

/// Patients of a disease, so that cases can be explained: a shared symptom is named when five others have it.
const PATIENTS_A_DISEASE: usize = 18;

/// Makes patients up, from how often each disease has each symptom; they never lived.
pub(super) fn make_up(count: usize, vocabulary: &Vocabulary, random: &dyn RandomSource) -> Vec<Patient> {
    let diseases = count.div_ceil(PATIENTS_A_DISEASE);
    let ids = |terms: &[TermId]| terms.iter().map(ToString::to_string).collect();
    // As real packets name a disease: its id and what people call it.
    let named_disease = |id: String| match vocabulary.disease(&id) {
        Some(disease) => format!("{id} {}", disease.name()),
        None => id,
    };
    let drawn = synthetic::patients(vocabulary, count, diseases, random);
    let named = drawn.into_iter().zip(1..).map(|(patient, number): (_, u32)| Patient {
        case_id: format!("synthetic-{number:05}"),
        observed: ids(&patient.observed),
        excluded: ids(&patient.excluded),
        disease: Some(named_disease(patient.disease)),
    });
    named.collect()
}

/// Reads back what [`write`] wrote.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read_back(path: &Path) -> anyhow::Result<Vec<Patient>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Deals the patients out, disease by disease, one to each hospital in turn.
pub(super) fn spread(mut patients: Vec<Patient>, hospitals: usize) -> Vec<Vec<Patient>> {
    patients.sort_by(|left, right| (&left.disease, &left.case_id).cmp(&(&right.disease, &right.case_id)));
    let mut shares = vec![Vec::new(); hospitals];
    for (place, patient) in patients.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(place % hospitals.max(1)) {
            share.push(patient);
        }
    }
    shares
}

/// Writes a hospital's patients as JSON lines, the form in which it imports them.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(patients: &[Patient], path: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = std::io::BufWriter::new(file);
    for patient in patients {
        serde_json::to_writer(&mut file, patient)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use semblance_hospital::import::Unobserved;

    use super::*;

    fn patient(id: &str, disease: &str) -> Patient {
        Patient { case_id: id.into(), disease: Some(disease.into()), observed: Vec::new(), excluded: Vec::new() }
    }

    #[test]
    fn patients_of_a_disease_meet_across_hospitals() {
        let patients = ["f", "a", "e", "b", "d", "c"].map(|id| patient(id, if id < "d" { "X" } else { "Y" }));
        let shares = spread(patients.to_vec(), 3);
        assert!(shares.iter().all(|share| share.len() == 2));
        for share in &shares {
            let diseases: Vec<_> = share.iter().map(|patient| patient.disease.as_deref().unwrap()).collect();
            assert_eq!(diseases, ["X", "Y"]);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let observed = ["HP:0001250", "HP:0001263", "HP:0000252"].map(str::to_owned).to_vec();
        let patient = Patient { observed, excluded: vec!["HP:0000256".into()], ..patient("a", "X") };
        let path = folder.path().join("patients.jsonl");
        write(std::slice::from_ref(&patient), &path).unwrap();
        assert_eq!(read_back(&path).unwrap(), std::slice::from_ref(&patient));
        let clock = semblance_core::time::ManualClock::default();
        let (read, _) = read(&path, &Vocabulary::built_in(), &clock, &mut Unobserved).unwrap();
        assert_eq!(read[0].observed.len(), 3);
        assert_eq!((read[0].case_id.as_str(), read[0].disease.as_deref()), ("a", Some("X")));
        assert_eq!(read[0].excluded, patient.excluded);
    }
}
