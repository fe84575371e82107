//! `semblance lookup`: similar cases of other hospitals.

use clap::ValueEnum;
use semblance_hospital::lookup::{FailedMatch, FoundCase, LookupReport, OwnCase, Symptom};
use semblance_proto::v1;

use super::{Connection, failure, filled};
use crate::output::Output;
use crate::show::finding;

/// Look up cases similar to an own published one.
///
/// The look-up is recorded on the ledger before the answer leaves the matcher, and the hospital of every case shown
/// learns of it. What is found is similar, not a diagnosis.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The own case, by local id.
    #[arg(required_unless_present = "retry", requires = "clinician")]
    case: Option<String>,
    /// Who asks, as the hospital knows them; only a weekly pseudonym leaves it.
    #[arg(long, value_name = "NAME")]
    clinician: Option<String>,
    /// What for.
    #[arg(long, value_enum, default_value_t = Purpose::Diagnosis)]
    purpose: Purpose,
    /// How far: the case's own symptoms, or their relatives as well, which tells the matcher more.
    #[arg(long, value_enum, default_value_t = Breadth::Close)]
    breadth: Breadth,
    /// How many cases at most.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10), value_name = "N")]
    count: u32,
    /// Which matcher to ask; otherwise the first of the configuration.
    #[arg(long, value_name = "ORGANISATION")]
    matcher: Option<String>,
    /// Continue this look-up, by its request's id: the stored answer, never a new search.
    #[arg(long, value_name = "REQUEST", conflicts_with = "case")]
    retry: Option<String>,
}

/// What a look-up is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Purpose {
    /// To find the diagnosis of an undiagnosed patient.
    Diagnosis,
    /// To ask colleagues with a similar case about this patient's care.
    SecondOpinion,
    /// To learn how the condition of this patient may go on.
    NaturalHistory,
    /// To see whether a study or group for patients like this one is feasible.
    CohortFeasibility,
}

/// How far a look-up reaches.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Breadth {
    /// The case's own symptoms.
    Close,
    /// Their relatives as well; needs five symptoms.
    Wide,
}

/// Looks up.
///
/// # Errors
/// The node cannot be reached, or the look-up was refused or could not be confirmed.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let purpose = match arguments.purpose {
        Purpose::Diagnosis => v1::LookUpPurpose::Diagnosis,
        Purpose::SecondOpinion => v1::LookUpPurpose::SecondOpinion,
        Purpose::NaturalHistory => v1::LookUpPurpose::NaturalHistory,
        Purpose::CohortFeasibility => v1::LookUpPurpose::CohortFeasibility,
    };
    let breadth = match arguments.breadth {
        Breadth::Close => v1::LookUpBreadth::Close,
        Breadth::Wide => v1::LookUpBreadth::Wide,
    };
    let request = v1::LookUpRequest {
        case: arguments.case.unwrap_or_default(),
        clinician: arguments.clinician.unwrap_or_default(),
        purpose: purpose.into(),
        breadth: breadth.into(),
        count: arguments.count,
        matcher: arguments.matcher.unwrap_or_default(),
    };
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let answered = match arguments.retry {
            Some(request) => client.retry_look_up(v1::RetryLookUpRequest { request }).await,
            None => client.look_up(request).await,
        };
        let report = report(answered.map_err(|status| failure(&status))?.into_inner());
        output.result(&report, text)
    })
}

/// What was found, and how to go on from there.
fn text(report: &LookupReport) -> String {
    let mut text = finding(report);
    if !report.matches.is_empty() {
        text += &format!("  to talk: semblance introductions propose {} RANK\n", report.request);
    }
    text
}

/// The node's answer in the hospital's own words.
fn report(response: v1::LookUpResponse) -> LookupReport {
    let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    let symptoms = |symptoms: Vec<v1::Symptom>| {
        symptoms.into_iter().map(|symptom| Symptom { id: symptom.id, label: symptom.label }).collect()
    };
    let found = |found: v1::FoundCase| FoundCase {
        rank: small(found.rank),
        handle: found.handle,
        hospital: found.hospital,
        band: found.band,
        reached: found.reached,
        possible: found.possible,
        shared: symptoms(found.shared),
        rarer: found.rarer,
    };
    let own = |own: v1::OwnCase| OwnCase {
        case: own.case,
        label: filled(own.label),
        thousandths: own.thousandths,
        shared: symptoms(own.shared),
    };
    LookupReport {
        request: response.request,
        case: response.case,
        purpose: response.purpose,
        breadth: response.breadth,
        short: response.short,
        matcher: response.matcher,
        cases: response.cases,
        hospitals: response.hospitals,
        height: response.height,
        transaction: response.transaction,
        block: response.block,
        matches: response.matches.into_iter().map(found).collect(),
        failed: response
            .failed
            .into_iter()
            .map(|failed| FailedMatch { rank: small(failed.rank), code: failed.code })
            .collect(),
        own: response.own.into_iter().map(own).collect(),
    }
}
