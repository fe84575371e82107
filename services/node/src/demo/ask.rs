//! What a demo asks: look-ups in both breadths, the receipts they leave, and a withdrawal.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use semblance_core::limits::{ANSWER_MAX, TERMS_FOR_WIDE};
use semblance_core::lookup::Purpose;
use semblance_core::organisation::Role;
use semblance_core::query::Breadth;
use semblance_hospital::lookup::{FoundCase, LookupReport, Question};
use semblance_hospital::store::case::LocalCaseId;
use semblance_hospital::{HospitalService, WithdrawalReport};

use super::parties::{Parties, Running};
use super::patients::Patient;
use super::story::{Asked, OpenedReceipt, Withdrawn};

/// How long a follower may take to reach a block on this machine.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const FOLLOW_LOOK: Duration = Duration::from_millis(20);
/// Receipts of a demo fit on one page.
const RECEIPTS: usize = 500;

/// Chooses one patient a hospital, each of another disease that other hospitals know too, and with enough symptoms to
/// look wide.
pub(super) fn choose(shares: &[Vec<Patient>], usable: &dyn Fn(usize, &str) -> bool) -> Vec<Option<Patient>> {
    let mut hospitals_of: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut patients_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (hospital, share) in shares.iter().enumerate() {
        for disease in share.iter().filter_map(|patient| patient.disease.as_deref()) {
            hospitals_of.entry(disease).or_default().insert(hospital);
            *patients_of.entry(disease).or_default() += 1;
        }
    }
    let mut taken = BTreeSet::new();
    let mut chosen = Vec::new();
    for (hospital, share) in shares.iter().enumerate() {
        let rank = |patient: &&Patient| {
            let disease = patient.disease.as_deref().unwrap_or_default();
            let others = hospitals_of.get(disease).map_or(0, BTreeSet::len);
            let known = patients_of.get(disease).copied().unwrap_or_default();
            (!taken.contains(disease), others.min(2), known, std::cmp::Reverse(patient.case_id.clone()))
        };
        let candidates = share
            .iter()
            .filter(|patient| patient.observed.len() >= TERMS_FOR_WIDE && usable(hospital, &patient.case_id));
        let best = candidates.max_by_key(rank).cloned();
        if let Some(disease) = best.as_ref().and_then(|patient| patient.disease.clone()) {
            taken.insert(disease);
        }
        chosen.push(best);
    }
    chosen
}

/// Asks in one breadth.
pub(super) async fn look_up(
    hospital: &HospitalService,
    case: &str,
    clinician: &str,
    breadth: Breadth,
) -> anyhow::Result<LookupReport> {
    let question = Question {
        case: LocalCaseId::from_str(case)?,
        clinician: clinician.to_owned(),
        purpose: Purpose::Diagnosis,
        breadth,
        count: u8::try_from(ANSWER_MAX).unwrap_or(u8::MAX),
        matcher: None,
    };
    hospital.look_up(question).await.with_context(|| format!("{} cannot look up", hospital.organisation()))
}

/// Asks for every chosen patient in both breadths.
pub(super) async fn look_up_all(
    parties: &Parties,
    chosen: &[Option<Patient>],
    clinician: &str,
) -> anyhow::Result<Vec<Asked>> {
    let mut asked = Vec::new();
    for (running, patient) in parties.hospitals.iter().zip(chosen) {
        let Some(patient) = patient else { continue };
        let hospital = running.hospital()?;
        for breadth in [Breadth::Close, Breadth::Wide] {
            let report = look_up(hospital, &patient.case_id, clinician, breadth).await?;
            asked.push(Asked {
                hospital: hospital.organisation().to_string(),
                disease: patient.disease.clone(),
                report,
            });
        }
    }
    Ok(asked)
}

/// Waits until every hospital has read a block, and collects the receipts of these look-ups.
pub(super) async fn receipts(parties: &Parties, asked: &[Asked]) -> anyhow::Result<Vec<OpenedReceipt>> {
    let last = asked.iter().map(|asked| asked.report.block).max().unwrap_or_default();
    let requests: BTreeSet<&str> = asked.iter().map(|asked| asked.report.request.as_str()).collect();
    let mut opened = Vec::new();
    for running in &parties.hospitals {
        let hospital = running.hospital()?;
        follow(running, || hospital.followed() > last).await?;
        for receipt in hospital.receipts(None, 0, RECEIPTS).await? {
            if requests.contains(receipt.request.as_str()) {
                opened.push(OpenedReceipt {
                    hospital: hospital.organisation().to_string(),
                    case: receipt.case,
                    handle: receipt.handle,
                    asker: receipt.asker,
                    purpose: receipt.purpose,
                    rank: receipt.rank,
                    request: receipt.request,
                });
            }
        }
    }
    Ok(opened)
}

/// A look-up that found somebody, the first found case, and whose it is.
pub(super) struct Meeting<'a> {
    /// The hospital that asked.
    pub(super) asker: &'a Running,
    /// The hospital of the found case.
    pub(super) owner: &'a Running,
    /// What was asked.
    pub(super) asked: &'a Asked,
    /// What was found.
    pub(super) found: &'a FoundCase,
    /// The found case, as its hospital calls it in the receipt that it opened.
    pub(super) case: LocalCaseId,
}

/// The first look-up that found somebody; none when nobody was found.
pub(super) fn meeting<'a>(
    parties: &'a Parties,
    asked: &'a [Asked],
    receipts: &[OpenedReceipt],
) -> anyhow::Result<Option<Meeting<'a>>> {
    let found = asked.iter().find_map(|asked| asked.report.matches.first().map(|found| (asked, found)));
    let Some((asked, found)) = found else { return Ok(None) };
    let receipt = receipts.iter().find(|receipt| receipt.handle == found.handle);
    let case =
        receipt.and_then(|receipt| receipt.case.as_deref()).context("no receipt of the found case was opened")?;
    let (asker, owner) = (hospital_of(parties, &asked.hospital)?, hospital_of(parties, &found.hospital)?);
    Ok(Some(Meeting { asker, owner, asked, found, case: LocalCaseId::from_str(case)? }))
}

/// Lets the patient of the found case withdraw.
pub(super) async fn withdraw(meeting: &Meeting<'_>) -> anyhow::Result<WithdrawalReport> {
    let report = meeting.owner.hospital()?.withdraw("demo", &meeting.case).await?;
    anyhow::ensure!(report.withdrawn, "the withdrawal waits for the ledger");
    Ok(report)
}

/// Asks the same question again after a withdrawal.
pub(super) async fn again(
    Meeting { asker, asked, found, .. }: &Meeting<'_>,
    report: &WithdrawalReport,
    clinician: &str,
) -> anyhow::Result<(Withdrawn, Asked)> {
    let breadth = if asked.report.breadth == "wide" { Breadth::Wide } else { Breadth::Close };
    let again = look_up(asker.hospital()?, &asked.report.case, clinician, breadth).await?;
    let withdrawn = Withdrawn {
        hospital: found.hospital.clone(),
        handle: found.handle.clone(),
        rank_before: found.rank,
        gone: again.matches.iter().all(|other| other.handle != found.handle),
        purged: report.purged,
        block: again.block,
    };
    Ok((withdrawn, Asked { hospital: asked.hospital.clone(), disease: asked.disease.clone(), report: again }))
}

/// Waits until the matchers have read what is on the ledger now.
pub(super) async fn matchers_follow(parties: &Parties) -> anyhow::Result<()> {
    let height = parties.matcher()?.party.ledger(Role::Node)?.height().await?;
    for running in &parties.matchers {
        let covered = || running.node.matcher().and_then(|matcher| matcher.covered());
        follow(running, || covered().is_some_and(|at| at.position.block + 1 >= height)).await?;
    }
    Ok(())
}

async fn follow(running: &Running, reached: impl Fn() -> bool) -> anyhow::Result<()> {
    let what = format!("{} follows the ledger", running.party.organisation);
    come(&what, async || Ok(reached().then_some(()))).await
}

/// Waits until something is there that comes about by itself.
pub(super) async fn come<T>(what: &str, look: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let wait = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(FOLLOW_LOOK).await;
        }
    };
    let came = tokio::time::timeout(FOLLOW_TIMEOUT, wait).await;
    came.with_context(|| format!("it did not come about in {} s that {what}", FOLLOW_TIMEOUT.as_secs()))?
}

fn hospital_of<'a>(parties: &'a Parties, name: &str) -> anyhow::Result<&'a Running> {
    let found = parties.hospitals.iter().find(|running| running.party.organisation.as_str() == name);
    found.with_context(|| format!("{name} is no hospital of this demo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(id: &str, disease: &str, symptoms: usize) -> Patient {
        let observed = vec!["HP:0001250".to_owned(); symptoms];
        Patient { case_id: id.into(), disease: Some(disease.into()), observed, excluded: Vec::new() }
    }

    #[test]
    fn each_hospital_asks_for_another_disease_that_others_know() {
        let shares = [
            vec![patient("a", "X", 6), patient("b", "Y", 6), patient("c", "alone", 9)],
            vec![patient("d", "X", 6), patient("e", "Y", 4), patient("f", "Y", 5)],
            vec![patient("g", "X", 2)],
        ];
        let chosen = choose(&shares, &|_, _| true);
        let ids: Vec<_> =
            chosen.iter().map(|patient| patient.as_ref().map(|patient| patient.case_id.as_str())).collect();
        assert_eq!(ids, [Some("a"), Some("f"), None]);
        assert_eq!(choose(&shares, &|_, id| id != "a")[0].as_ref().unwrap().case_id, "b");
    }
}
