//! Fills a demo's network: each hospital imports its share of the patients and publishes them with consent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use indicatif::ProgressBar;
use semblance_core::consent::Scope;
use semblance_core::limits::PUBLISH_BATCH_MAX;
use semblance_hospital::import::{Bounds, ImportObserver, RowReport};
use semblance_hospital::store::case::LocalCaseId;
use semblance_hospital::{ConsentTerms, DEFAULT_TEXT, HospitalService, Selection, StepReport};

use super::parties::{Parties, Running};
use super::patients::{self, Patient};
use super::story::Filled;
use crate::output::Output;
use crate::progress;

/// Who acts in the hospitals' local audits.
const ACTOR: &str = "demo";
/// The file in a hospital's folder with its share of the patients.
const PATIENTS_FILE: &str = "patients.jsonl";
/// What the patients of a demo agree to: all that it shows.
const SCOPES: [Scope; 3] = [Scope::BeFound, Scope::BeContacted, Scope::JoinGroups];
/// For how many days.
const DAYS: u32 = 365;

/// The progress of an import, for people.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(output: &Output, what: &str) -> Self {
        // How long it is, it says with its first progress.
        Self(progress::bytes(output, what, 1))
    }
}

impl ImportObserver for Bar {
    fn row(&mut self, _: &RowReport) {}

    fn progress(&mut self, read: u64, total: u64) -> bool {
        self.0.set_length(total);
        self.0.set_position(read);
        true
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Gives every hospital its share of the patients, as a file.
pub(super) fn deal(parties: &Parties, shares: &[Vec<Patient>]) -> anyhow::Result<()> {
    parties
        .hospitals
        .iter()
        .zip(shares)
        .try_for_each(|(running, share)| patients::write(share, &patients_file(running)))
}

/// Imports, registers, consents and publishes everything that is not there yet.
pub(super) async fn fill(parties: &Parties, shares: &[Vec<Patient>], output: &Output) -> anyhow::Result<Vec<Filled>> {
    let mut filled = Vec::new();
    for (running, share) in parties.hospitals.iter().zip(shares) {
        let hospital = running.hospital()?;
        let bar = Bar::new(output, &format!("{} imports", hospital.organisation()));
        hospital.import(ACTOR, patients_file(running), Bounds::default(), Box::new(bar)).await?;
        filled.push(publish(hospital, share, output).await?);
    }
    Ok(filled)
}

/// Where a hospital of a demo keeps its share of the patients.
pub(super) fn patients_file(running: &Running) -> PathBuf {
    running.party.config.folder().join(PATIENTS_FILE)
}

async fn publish(hospital: &HospitalService, share: &[Patient], output: &Output) -> anyhow::Result<Filled> {
    let name = hospital.organisation().to_string();
    let bar = progress::bar(output, &format!("{name} publishes"), share.len() as u64);
    let terms = ConsentTerms::new(&SCOPES, DAYS, DEFAULT_TEXT)?;
    let (mut published, mut refused) = (0, BTreeMap::new());
    for batch in share.chunks(PUBLISH_BATCH_MAX) {
        let cases =
            batch.iter().map(|patient| LocalCaseId::from_str(&patient.case_id)).collect::<Result<Vec<_>, _>>()?;
        let selection = || Selection::Cases(cases.clone());
        let steps = [
            hospital.register(ACTOR, selection()).await?,
            hospital.consent(ACTOR, selection(), terms.clone()).await?,
            hospital.publish(ACTOR, selection()).await?,
        ];
        for step in &steps {
            settled(step).with_context(|| format!("{name} cannot publish"))?;
            for problem in &step.refused {
                *refused.entry(problem.code.clone()).or_insert(0_u64) += 1;
            }
        }
        let [_, _, last] = steps;
        published += last.done + last.unchanged;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let refused = refused.into_iter().map(|(code, count)| format!("{count} × {code}")).collect();
    Ok(Filled { hospital: name, cases: share.len() as u64, published, refused })
}

/// The demo's ledger is near: what waits for it waits for a reason.
fn settled(step: &StepReport) -> anyhow::Result<()> {
    match (&step.waits_for, step.waiting) {
        (_, 0) => Ok(()),
        (reason, waiting) => {
            anyhow::bail!("{waiting} cases wait for the ledger: {}", reason.as_deref().unwrap_or("no reason given"))
        }
    }
}
