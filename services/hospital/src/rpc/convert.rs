//! Messages into checked values, and reports into messages.

use semblance_core::consent::Scope;
use semblance_core::id::{OrganisationId, RequestId};
use semblance_core::limits::ANSWER_MAX;
use semblance_core::lookup::Purpose;
use semblance_core::query::Breadth;
use semblance_proto::v1;
use tonic::Status;

use super::status::malformed;
use crate::consent_text::DEFAULT_TEXT;
use crate::error::HospitalError;
use crate::grant::ConsentTerms;
use crate::list::{CaseSummary, LookupSummary, PAGE_MAX, ReceiptSummary};
use crate::lookup::{FailedMatch, FoundCase, LookupReport, OwnCase, Question, Symptom};
use crate::sealing_keys::SealingKeyStatus;
use crate::step::{Selection, StepReport};
use crate::store::audit::AuditLine;
use crate::store::case::{LocalCaseId, LocalCaseIdError};
use crate::withdraw::WithdrawalReport;

/// Most cases that one selection names.
const SELECTION_MAX: usize = 10_000;

/// A case by its local id.
///
/// # Errors
/// It is none.
pub fn case(text: &str) -> Result<LocalCaseId, Status> {
    text.parse().map_err(|error: LocalCaseIdError| malformed("case", &error.to_string()))
}

/// A look-up's request, as its report names it.
///
/// # Errors
/// It is none.
pub fn request(text: &str) -> Result<RequestId, Status> {
    text.parse().map_err(|_| malformed("request", "the 32 hexadecimal digits of a look-up's request"))
}

/// Either all, or at least one.
///
/// # Errors
/// Both, neither, or a case that is none.
pub fn selection(message: Option<v1::Selection>) -> Result<Selection, Status> {
    match message {
        Some(v1::Selection { all: true, cases }) if cases.is_empty() => Ok(Selection::All),
        Some(v1::Selection { all: false, cases }) if (1..=SELECTION_MAX).contains(&cases.len()) => {
            let cases: std::collections::BTreeSet<_> = cases.iter().map(|id| case(id)).collect::<Result<_, _>>()?;
            Ok(Selection::Cases(cases.into_iter().collect()))
        }
        _ => Err(malformed("selection", "either `all`, or 1 to 10,000 cases")),
    }
}

/// How many rows at most.
///
/// # Errors
/// None, or more than a page has.
pub fn limit(limit: u32) -> Result<usize, Status> {
    usize::try_from(limit)
        .ok()
        .filter(|limit| (1..=PAGE_MAX).contains(limit))
        .ok_or_else(|| malformed("limit", "1 to 500 rows"))
}

/// How many rows to pass over.
///
/// # Errors
/// More than this machine counts.
pub fn skip(skip: u64) -> Result<usize, Status> {
    usize::try_from(skip).map_err(|_| malformed("skip", "a number of rows"))
}

/// What a patient agrees to, by scope.
///
/// # Errors
/// A scope that no consent has.
pub fn scopes(message: &v1::ConsentRequest) -> Result<Vec<Scope>, Status> {
    let mut scopes = Vec::new();
    for scope in &message.scopes {
        scopes.push(match v1::ConsentScope::try_from(*scope) {
            Ok(v1::ConsentScope::BeFound) => Scope::BeFound,
            Ok(v1::ConsentScope::BeContacted) => Scope::BeContacted,
            Ok(v1::ConsentScope::JoinGroups) => Scope::JoinGroups,
            Ok(v1::ConsentScope::ShareRecord) => Scope::ShareRecord,
            // One that this program does not know is not passed over: the patient agreed to it, or did not.
            Ok(v1::ConsentScope::Unspecified) | Err(_) => return Err(malformed("scopes", "known scopes")),
        });
    }
    Ok(scopes)
}

/// What a patient agrees to; a rule may say no.
pub(super) fn terms(scopes: &[Scope], message: &v1::ConsentRequest) -> Result<ConsentTerms, HospitalError> {
    let text = if message.text.is_empty() { DEFAULT_TEXT } else { &message.text };
    ConsentTerms::new(scopes, message.days, text)
}

/// What a clinician asks.
///
/// # Errors
/// A field is not in its form.
pub fn question(message: v1::LookUpRequest) -> Result<Question, Status> {
    let purpose = match message.purpose() {
        v1::LookUpPurpose::Diagnosis => Purpose::Diagnosis,
        v1::LookUpPurpose::SecondOpinion => Purpose::SecondOpinion,
        v1::LookUpPurpose::NaturalHistory => Purpose::NaturalHistory,
        v1::LookUpPurpose::CohortFeasibility => Purpose::CohortFeasibility,
        v1::LookUpPurpose::Unspecified => return Err(malformed("purpose", "a coded purpose")),
    };
    let breadth = match message.breadth() {
        v1::LookUpBreadth::Close => Breadth::Close,
        v1::LookUpBreadth::Wide => Breadth::Wide,
        v1::LookUpBreadth::Unspecified => return Err(malformed("breadth", "close or wide")),
    };
    let count = match usize::try_from(message.count) {
        Ok(0) => ANSWER_MAX,
        Ok(count) if count <= ANSWER_MAX => count,
        _ => return Err(malformed("count", "1 to 10 cases, or 0 for 10")),
    };
    let matcher = match message.matcher.as_str() {
        "" => None,
        name => {
            Some(OrganisationId::new(name).map_err(|_| malformed("matcher", "an organisation's name, or nothing"))?)
        }
    };
    let count = u8::try_from(count).map_err(|_| malformed("count", "1 to 10 cases, or 0 for 10"))?;
    Ok(Question { case: case(&message.case)?, clinician: message.clinician, purpose, breadth, count, matcher })
}

impl From<StepReport> for v1::StepResponse {
    fn from(report: StepReport) -> Self {
        let problem =
            |problem: crate::step::CaseProblem| v1::CaseProblem { case: problem.case.to_string(), code: problem.code };
        Self {
            done: report.done,
            waiting: report.waiting,
            unchanged: report.unchanged,
            refused: report.refused.into_iter().map(problem).collect(),
            waits_for: report.waits_for.unwrap_or_default(),
            refused_left_out: report.refused_left_out,
        }
    }
}

pub(super) fn signed_withdrawal(
    consent: semblance_core::id::ConsentId,
    source: semblance_core::signature::SignedBytes,
) -> v1::SignWithdrawalResponse {
    let statement = semblance_contract::wire::SignedStatement(source);
    let statement = semblance_core::record::Record::encode(&statement);
    v1::SignWithdrawalResponse { consent: consent.to_string(), statement }
}

impl From<WithdrawalReport> for v1::WithdrawResponse {
    fn from(report: WithdrawalReport) -> Self {
        Self {
            case: report.case.to_string(),
            consent: report.consent,
            withdrawn: report.withdrawn,
            purged: report.purged,
            purge_waiting: report.purge_waiting,
            waits_for: report.waits_for.unwrap_or_default(),
        }
    }
}

impl From<LookupReport> for v1::LookUpResponse {
    fn from(report: LookupReport) -> Self {
        Self {
            request: report.request,
            case: report.case,
            purpose: report.purpose,
            breadth: report.breadth,
            short: report.short,
            matcher: report.matcher,
            cases: report.cases,
            hospitals: report.hospitals,
            height: report.height,
            transaction: report.transaction,
            block: report.block,
            matches: report.matches.into_iter().map(Into::into).collect(),
            failed: report.failed.into_iter().map(Into::into).collect(),
            own: report.own.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<FoundCase> for v1::FoundCase {
    fn from(found: FoundCase) -> Self {
        Self {
            rank: found.rank.into(),
            handle: found.handle,
            hospital: found.hospital,
            band: found.band,
            reached: found.reached,
            possible: found.possible,
            shared: found.shared.into_iter().map(Into::into).collect(),
            rarer: found.rarer,
        }
    }
}

impl From<Symptom> for v1::Symptom {
    fn from(symptom: Symptom) -> Self {
        Self { id: symptom.id, label: symptom.label }
    }
}

impl From<FailedMatch> for v1::FailedMatch {
    fn from(failed: FailedMatch) -> Self {
        Self { rank: failed.rank.into(), code: failed.code }
    }
}

impl From<OwnCase> for v1::OwnCase {
    fn from(own: OwnCase) -> Self {
        Self {
            case: own.case,
            label: own.label.unwrap_or_default(),
            thousandths: own.thousandths,
            shared: own.shared.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<CaseSummary> for v1::CaseSummary {
    fn from(case: CaseSummary) -> Self {
        let word = |word: Option<&'static str>| word.unwrap_or_default().to_owned();
        Self {
            case: case.case,
            label: case.label.unwrap_or_default(),
            observed: case.observed,
            excluded: case.excluded,
            revision: case.revision,
            key: word(case.key),
            consent: word(case.consent),
            consent_expires: case.consent_expires.unwrap_or_default(),
            publication: word(case.publication),
            handle: case.handle.unwrap_or_default(),
            epoch: case.epoch.unwrap_or_default(),
            outdated: case.outdated,
        }
    }
}

impl From<LookupSummary> for v1::LookUpSummary {
    fn from(lookup: LookupSummary) -> Self {
        Self {
            request: lookup.request,
            case: lookup.case,
            clinician: lookup.clinician,
            purpose: lookup.purpose,
            breadth: lookup.breadth,
            matcher: lookup.matcher,
            state: lookup.state.to_owned(),
            code: lookup.code.unwrap_or_default(),
            at: lookup.at,
        }
    }
}

impl From<ReceiptSummary> for v1::ReceiptSummary {
    fn from(receipt: ReceiptSummary) -> Self {
        Self {
            request: receipt.request,
            case: receipt.case.unwrap_or_default(),
            handle: receipt.handle,
            asker: receipt.asker,
            purpose: receipt.purpose,
            short: receipt.short,
            matcher: receipt.matcher,
            rank: receipt.rank.into(),
            height: receipt.height,
            block: receipt.block,
            at: receipt.at,
        }
    }
}

impl From<AuditLine> for v1::AuditLine {
    fn from(line: AuditLine) -> Self {
        Self {
            id: line.id,
            at: line.at,
            actor: line.actor,
            action: line.action,
            subject: line.subject,
            code: line.code,
            clinician: line.clinician.unwrap_or_default(),
        }
    }
}

impl From<SealingKeyStatus> for v1::SealingKeyStatus {
    fn from(status: SealingKeyStatus) -> Self {
        Self { key: status.key, public: status.public, needed: status.needed.unwrap_or_default().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unchecked_gets_through() {
        let named = |cases: &[&str], all| {
            Some(v1::Selection { all, cases: cases.iter().map(|case| (*case).to_owned()).collect() })
        };
        for bad in [None, named(&[], false), named(&["a"], true), named(&[" a"], false)] {
            assert!(selection(bad).is_err());
        }
        assert_eq!(selection(named(&[], true)).unwrap(), Selection::All);
        // One case named twice is one case.
        let twice = selection(named(&["a", "a"], false)).unwrap();
        assert_eq!(twice, Selection::Cases(vec!["a".parse().unwrap()]));
        assert!(limit(0).is_err() && limit(501).is_err() && limit(500).is_ok());

        let good = v1::LookUpRequest {
            case: "a".into(),
            clinician: "dr-kim".into(),
            purpose: v1::LookUpPurpose::Diagnosis.into(),
            breadth: v1::LookUpBreadth::Wide.into(),
            ..Default::default()
        };
        assert_eq!(question(good.clone()).unwrap().count, 10);
        for bad in [
            v1::LookUpRequest { purpose: 0, ..good.clone() },
            v1::LookUpRequest { breadth: 99, ..good.clone() },
            v1::LookUpRequest { count: 11, ..good.clone() },
            v1::LookUpRequest { matcher: "No Name".into(), ..good.clone() },
            v1::LookUpRequest { case: String::new(), ..good },
        ] {
            assert!(question(bad).is_err());
        }
        let consent = v1::ConsentRequest { scopes: vec![1, 2], days: 30, ..Default::default() };
        let known = scopes(&consent).unwrap();
        assert!(terms(&known, &consent).is_ok());
        assert!(scopes(&v1::ConsentRequest { scopes: vec![1, 9], ..consent.clone() }).is_err());
        assert!(terms(&known, &v1::ConsentRequest { days: 0, ..consent }).is_err());
        // What was typed is not repeated, what is expected is said.
        let status = case("Jane\nDoe").unwrap_err();
        assert!(status.message().contains("200 characters") && !status.message().contains("Jane"));
    }
}
