//! The patients of a demo, spread over its hospitals so that those of one disease meet across hospitals.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_core::limits::TERMS_MIN;
use semblance_core::random::SeededSource;
use semblance_core::time::Clock;
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::import::{Bounds, Import, ImportReport, Unobserved};
use semblance_hospital::store::{Store, case};

use crate::known::known;

/// One patient to be handed to a hospital.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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

/// Reads real patients: a Phenopacket, a folder or an archive of them, or JSON lines.
///
/// # Errors
/// The source cannot be read, or holds nobody with enough symptoms.
pub(super) fn read(
    path: &Path,
    vocabulary: &Vocabulary,
    clock: &dyn Clock,
) -> anyhow::Result<(Vec<Patient>, ImportReport)> {
    let store = Store::in_memory()?;
    let report = Import {
        store: &store,
        known: &|term| known(vocabulary, term),
        clock,
        random: &SeededSource::new([0; 32]),
        bounds: Bounds::default(),
        actor: "demo",
    }
    .run(path, &mut Unobserved)
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
    anyhow::ensure!(!patients.is_empty(), "{} holds no patient with {TERMS_MIN} symptoms", path.display());
    Ok((patients, report))
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
pub(super) fn write(patients: &[Patient], path: PathBuf) -> anyhow::Result<PathBuf> {
    let file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = std::io::BufWriter::new(file);
    for patient in patients {
        serde_json::to_writer(&mut file, patient)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(path)
}

#[cfg(test)]
mod tests {
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
        let path = write(&[patient.clone()], folder.path().join("patients.jsonl")).unwrap();
        let clock = semblance_core::time::ManualClock::default();
        let (mut read, _) = read(&path, &Vocabulary::built_in(), &clock).unwrap();
        read[0].observed.reverse();
        assert_eq!(read[0].observed.len(), 3);
        assert_eq!((read[0].case_id.as_str(), read[0].disease.as_deref()), ("a", Some("X")));
        assert_eq!(read[0].excluded, patient.excluded);
    }
}
