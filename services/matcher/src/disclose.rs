//! From hits to what leaves the matcher: the answer, redacted, and the entry with its receipts.

use semblance_core::answer::{Answer, AnswerParts, Coverage, GroupValue, Match};
use semblance_core::id::{CaseHandle, Digest, NetworkId, OrganisationId};
use semblance_core::lookup::LookupEntry;
use semblance_core::policy::is_shown;
use semblance_core::query::Query;
use semblance_core::random::RandomSource;
use semblance_core::receipt::{Receipt, seal_receipts};
use semblance_core::signature::SignedBytes;
use semblance_core::token::Token;
use semblance_index::{Explanation, Filters, Hit, Searcher, View};

use crate::error::SearchError;
use crate::members::Members;
use crate::request::CheckedSearch;
use crate::store::MatcherStore;

/// A found case with its hospital and what may be said of it.
struct Found {
    hit: Hit,
    hospital: OrganisationId,
    explanation: Explanation,
}

/// What was found, at one block.
pub(crate) struct Findings {
    coverage: Coverage,
    explainable: Vec<GroupValue>,
    found: Vec<Found>,
}

impl Findings {
    /// The found cases, best first.
    pub(crate) fn handles(&self) -> Vec<CaseHandle> {
        self.found.iter().map(|found| found.hit.handle).collect()
    }

    /// Drops the cases that are not among these. Nothing takes their place: the answer has fewer, since a second
    /// search would have to be asked about again.
    pub(crate) fn keep(&mut self, live: &[CaseHandle]) {
        self.found.retain(|found| live.contains(&found.hit.handle));
    }
}

/// Searches one state of the index and explains what it finds. Takes milliseconds of processor time.
///
/// # Errors
/// The query is not made from the asker's own case, or the index's files or the matcher's own file cannot be read.
pub(crate) fn find(
    searcher: &Searcher,
    search: &CheckedSearch,
    case: CaseHandle,
    store: &MatcherStore,
) -> Result<Findings, SearchError> {
    let own = store.hospital_number(&search.hospital.id)?;
    let view = searcher.view();
    check_own(&view, &search.query, case)?;
    let (cases, hospitals) = view.of_others(own);
    let coverage =
        Coverage { cases, hospitals: u32::try_from(hospitals).unwrap_or(u32::MAX), height: view.position().block };
    let mut hits = view.search(&search.query, Filters::of(own))?;
    let mut explanations = view.explain(&search.query, Some(own), &hits)?;
    let explainable = view.explainable(&search.query, Some(own))?;
    drop(view);
    let mut found = Vec::with_capacity(hits.len());
    for (hit, explanation) in hits.drain(..).zip(explanations.drain(..)) {
        // The floor keeps out what shares only common symptoms. A case that shares rarer ones, which the shown score
        // may not count, is what people look for.
        if !explanation.rarer && !is_shown(explanation.shown) {
            continue;
        }
        let hospital = store.hospital_of(hit.hospital)?;
        let hospital = hospital.ok_or_else(|| SearchError::Defect("a hospital's number is unknown".to_owned()))?;
        found.push(Found { hit, hospital, explanation });
    }
    let explainable = explainable.into_iter().map(|(group, value)| GroupValue { group, value }).collect();
    Ok(Findings { coverage, explainable, found })
}

/// Whether the symptoms asked for stand in the asker's own published fingerprint, as tokens: a matcher cannot tell which
/// of them are dummies, nor what the relatives of a wide query are relatives of.
fn check_own(view: &View<'_>, query: &Query, case: CaseHandle) -> Result<(), SearchError> {
    let own: Vec<Token> = query.groups().iter().map(|group| group.own).collect();
    if view.carries_all(case, &own)? {
        return Ok(());
    }
    Err(if view.holds(case) { SearchError::NotOwnCase } else { SearchError::CaseNotIndexed })
}

/// Seals a receipt for each found case and makes answer and entry of it all.
///
/// # Errors
/// A found case's hospital is no member, or a receipt cannot be sealed.
pub(crate) fn disclose(
    network: NetworkId,
    request: &SignedBytes,
    findings: Findings,
    members: &Members,
    random: &dyn RandomSource,
) -> Result<(Answer, LookupEntry), SearchError> {
    let digest: Digest = request.digest();
    let height = findings.coverage.height;
    let mut receipts = Vec::with_capacity(findings.found.len());
    for (found, rank) in findings.found.iter().zip(1..) {
        let hospital = members.get(&found.hospital).ok_or_else(|| defect(&"a found case's hospital is no member"))?;
        let receipt = Receipt { handle: found.hit.handle, rank, index_height: height };
        receipts.push((receipt, hospital.sealing_key.public));
    }
    let sealed = seal_receipts(network, &digest, &receipts, random).map_err(|error| defect(&error))?;
    let matches = findings.found.into_iter().zip(sealed.keys).map(|(found, receipt)| Match {
        handle: found.hit.handle,
        hospital: found.hospital,
        shared: found
            .explanation
            .groups
            .iter()
            .filter(|group| group.value > 0)
            .map(|group| GroupValue { group: group.group, value: group.value })
            .collect(),
        rarer: found.explanation.rarer,
        receipt,
    });
    let parts = AnswerParts {
        network,
        salt: random.array(),
        request: digest,
        coverage: findings.coverage,
        explainable: findings.explainable,
        matches: matches.collect(),
    };
    let answer = Answer::new(parts).map_err(|error| defect(&error))?;
    let entry = LookupEntry {
        request: request.clone(),
        index_height: height,
        answer: answer.commitment(),
        slots: sealed.slots,
    };
    Ok((answer, entry))
}

fn defect(error: &dyn std::fmt::Display) -> SearchError {
    SearchError::Defect(error.to_string())
}
